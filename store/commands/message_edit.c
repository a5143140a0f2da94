/* Gives a message another payload. */
#include "store/command/message.h"
#include "store/commands/commands.h"
#include "store/commands/message_change.h"

static enum store_err message_edit_apply(struct transaction *t,
                                         struct command *c)
{
    return message_change_apply(t, c, MESSAGE_EDIT);
}

const struct command_type message_edit_command = {
    .name = "message_edit",
    .args_size = sizeof(struct message_change),
    .fields = message_change_fields,
    .field_count = MESSAGE_CHANGE_FIELDS,
    .for_administrators = true,
    .check = message_change_check,
    .decide = message_change_decide,
    .apply = message_edit_apply,
    .answer = message_change_answer,
};
