/* The data folder that a command works on, and the errors about it. */
#ifndef CONFAB_CLI_FOLDER_H
#define CONFAB_CLI_FOLDER_H

#include "cli/cli.h"
#include "cli/client.h"
#include "store/store.h"

/* The data folder that commands use by default: ./data if it contains a store
 * or a server's socket, else /var/lib/confab if that exists, else ./data. (A
 * server itself uses ./data by default.) Static text. */
const char *folder_default(void);

/* `confab COMMAND: data folder DIR: what is wrong and what to do`; returns
 * EXIT_FAILURE. `detail`: errno or 0. */
int folder_failure(const char *command, const char *dir, enum store_err err,
                   int detail);

/* The same for a damaged store; the text says what was found. */
int folder_damage(const char *command, const char *dir, const char *found);

/* Calls `read` with a snapshot of the folder's store, which a server may be writing
 * to. Returns EXIT_SUCCESS, or the exit status after the error was printed: of
 * opening the store, or what `read` returned. */
int folder_read(const struct command_line *s, const char *command,
                enum store_err (*read)(void *arg, struct store_reader *r),
                void *arg);

/* Connects to the server running on the folder. NULL: the reason was
 * printed. */
struct client *folder_client(const struct command_line *s,
                             const char *command);

#endif
