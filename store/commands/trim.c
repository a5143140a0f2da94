/* Retention on demand. */
#include "store/write/trim.h"
#include "store/commands/commands.h"

static enum store_err trim_apply(struct transaction *t, struct command *c)
{
    struct thing *thing;
    bool known;

    if (c->topic.len == 0 || c->topic.len > 65535 ||
        c->operation.len > OPERATION_MAX) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = operation_find(t, c, &known);
    if (err != STORE_OK || known)
        return err;
    err = transaction_thing(t, c->topic, &thing);
    if (err == STORE_CORRUPT) {
        c->result = RESULT_IO;
        return STORE_OK;
    }
    if (err != STORE_OK)
        return err;
    if (thing->state.row.last_seq == 0) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    err = trim_through(t, thing, c->through, &c->removed);
    return err == STORE_OK ? operation_remember(t, c) : err;
}

static void trim_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
}

static const struct command_field fields[] = {
    {"topic", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct command, topic), 0,
     65535, "trim needs topic and through"},
    {"through", FIELD_U64, FIELD_REQUIRED, offsetof(struct command, through),
     0, UINT64_MAX, "trim needs topic and through"},
    {"operation", FIELD_TEXT, FIELD_ENTRY, offsetof(struct command, operation),
     0, OPERATION_MAX, "operation: up to 64 bytes"},
};

const struct command_type trim_command = {
    .name = "trim",
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .decide = trim_decide,
    .apply = trim_apply,
};
