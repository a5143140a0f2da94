/* Users of the rooms door (docs/rooms.md): `confab user create` and `set` with `--door
 * rooms`. People choose their names, and the door their ids, so NAME is what they log in
 * with. Both return the exit status; the error was printed. */
#ifndef CONFAB_CLI_DOOR_USER_H
#define CONFAB_CLI_DOOR_USER_H

#include "cli/cli.h"

/* Prints the new user's id. Asks for the password, or reads it (cli/password.h). */
int door_user_create(const struct command_line *s, const char *name,
                     const char *password_file, bool is_root);
/* Makes the user root, or takes it away. */
int door_user_set_root(const struct command_line *s, const char *name,
                       bool is_root);

#endif
