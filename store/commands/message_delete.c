/* Takes a message's payload away; what is left says that it was deleted. */
#include "store/command/message.h"
#include "store/commands/commands.h"
#include "store/commands/message_change.h"

static enum store_err message_delete_apply(struct transaction *t,
                                           struct command *c)
{
    return message_change_apply(t, c, MESSAGE_DELETE);
}

const struct command_type message_delete_command = {
    .name = "message_delete",
    .args_size = sizeof(struct message_change),
    .fields = message_change_fields,
    .field_count = MESSAGE_CHANGE_FIELDS,
    .for_administrators = true,
    .check = message_change_check,
    .decide = message_change_decide,
    .apply = message_delete_apply,
    .answer = message_change_answer,
};
