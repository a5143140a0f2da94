/* The part of `confab check` that looks at a data folder. */
#ifndef CONFAB_CLI_CHECK_DATA_H
#define CONFAB_CLI_CHECK_DATA_H

/* Prints what is damaged, a line each, or that nothing is; returns the exit
 * status: 1 when something is, or when the folder cannot be looked at. */
int check_data(const char *dir);

#endif
