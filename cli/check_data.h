/* The part of `confab check` that checks a data folder. */
#ifndef CONFAB_CLI_CHECK_DATA_H
#define CONFAB_CLI_CHECK_DATA_H

/* Prints a line for each damaged place, or that there is none. Returns the
 * exit status: 1 if something is damaged or the folder cannot be read. */
int check_data(const char *dir);

#endif
