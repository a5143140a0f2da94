#include "store/commands/commands.h"

const struct command_type *const command_types[COMMAND_KIND_COUNT] = {
    [COMMAND_APPEND] = &message_append_command,
    [COMMAND_EVENT] = &event_command,
    [COMMAND_TOKEN_CREATE] = &token_create_command,
    [COMMAND_TOKEN_REVOKE] = &token_revoke_command,
    [COMMAND_USAGE] = &usage_command,
    [COMMAND_PING] = &ping_command,
    [COMMAND_TRIM] = &trim_command,
    [COMMAND_SESSION_OPEN] = &session_open_command,
    [COMMAND_SESSION_SAVE] = &session_save_command,
    [COMMAND_GROUP_SAVE] = &group_save_command,
    [COMMAND_TOKEN_SET] = &token_set_command,
    [COMMAND_TOKEN_DELETE] = &token_delete_command,
    [COMMAND_THING_PURGE] = &thing_purge_command,
    [COMMAND_SETTINGS] = &settings_command,
    [COMMAND_CLOCK_STEPS] = &clock_steps_command,
    [COMMAND_SESSION_LOST] = &session_lost_command,
    [COMMAND_SESSION_EXPIRE] = &session_expire_command,
    [COMMAND_HIDDEN_DELETE] = &hidden_delete_command,
    [COMMAND_ERASE_STEP] = &erase_step_command,
    [COMMAND_ANSWERS_FORGET] = &answers_forget_command,
};
