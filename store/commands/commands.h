/* The commands there are, one file each; table.c lists them by their kind. */
#ifndef CONFAB_STORE_COMMANDS_COMMANDS_H
#define CONFAB_STORE_COMMANDS_COMMANDS_H

#include "store/write/command_type.h"

extern const struct command_type message_append_command;
extern const struct command_type event_command;
extern const struct command_type token_create_command;
extern const struct command_type token_revoke_command;
extern const struct command_type usage_command;
extern const struct command_type ping_command;
extern const struct command_type trim_command;
extern const struct command_type session_open_command;
extern const struct command_type session_save_command;
extern const struct command_type group_save_command;
extern const struct command_type token_set_command;
extern const struct command_type token_delete_command;
extern const struct command_type thing_purge_command;
extern const struct command_type settings_command;
extern const struct command_type clock_steps_command;
extern const struct command_type session_lost_command;
extern const struct command_type session_expire_command;
extern const struct command_type hidden_delete_command;
extern const struct command_type erase_step_command;
extern const struct command_type answers_forget_command;

#endif
