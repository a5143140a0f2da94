/* What commands about bans have in common. Pure. */
#ifndef CONFAB_STORE_COMMANDS_BAN_COMMAND_H
#define CONFAB_STORE_COMMANDS_BAN_COMMAND_H

#include "store/command/ban.h"
#include "store/commands/people_command.h"
#include "store/write/ban_write.h"

/* NULL, or which of them is wrong. */
const char *ban_command_wrong(struct slice tenant, struct slice room,
                              struct slice who);

#define BAN_WHO_TEXT                                                          \
    "who: a user id without @ at its beginning, or @ and an address, which "  \
    "of IPv6 is a /64"

#endif
