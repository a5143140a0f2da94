/* The commands there are, one file each, by the rows of COMMAND_KINDS
 * (store/command.h). */
#ifndef CONFAB_STORE_COMMANDS_COMMANDS_H
#define CONFAB_STORE_COMMANDS_COMMANDS_H

#include "store/write/command_type.h"

#define X(kind, name) extern const struct command_type name##_command;
COMMAND_KINDS(X)
#undef X

#endif
