/* Passwords for the command line: read without being among the arguments, which other
 * users can see, and hashed. */
#ifndef CONFAB_CLI_PASSWORD_H
#define CONFAB_CLI_PASSWORD_H

#include "base/password_pool.h"

/* Reads a password, and returns its hash. `file`: its first line; -: of standard input;
 * NULL: asks twice on the terminal, or, where standard input is none, reads a line of it.
 * Returns EXIT_SUCCESS, or the exit status after the error was printed. Blocks, also for
 * the tenths of a second that the hash takes. */
int password_read(const char *command, const char *file,
                  char ret_hash[PASSWORD_HASH_SIZE]);

#endif
