/* The data folder a command works on, and what is said when it does not. */
#ifndef CONFAB_CLI_FOLDER_H
#define CONFAB_CLI_FOLDER_H

#include "cli/cli.h"
#include "cli/client.h"
#include "store/store.h"

/* Where a server's data is when nothing says where: ./data when a server keeps
 * or kept data there, else /var/lib/confab when there is such a folder, else
 * ./data. For commands; a server that is started uses ./data. Static text. */
const char *folder_default(void);

/* `confab COMMAND: data folder DIR: what is wrong and what to do`; returns
 * EXIT_FAILURE. `detail`: errno or 0. */
int folder_failure(const char *command, const char *dir, enum store_err err,
                   int detail);

/* The same of a damaged store: what was found. */
int folder_damage(const char *command, const char *dir, const char *found);

/* The server that runs on the folder. NULL: it has been said why not. */
struct client *folder_client(const struct settings *s, const char *command);

#endif
