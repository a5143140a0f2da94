#include "store/commands/commands.h"

static enum store_err event_apply(struct transaction *t, struct command *c)
{
    if (c->message == NULL || c->message->kind != MESSAGE_EVENT) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    c->message->at_us = c->at_us = t->in.now_us;
    batch_add(t->batch, message_ref(c->message));
    t->events++;
    return STORE_OK;
}

static const struct command_field fields[] = {
    COMMON_MESSAGE,
};

const struct command_type event_command = {
    .name = "event",
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .needs_no_rows = true,
    .apply = event_apply,
};
