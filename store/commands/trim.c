/* Retention on demand. */
#include "store/write/trim.h"
#include "base/topic.h"
#include "store/command/thing.h"
#include "store/commands/commands.h"

static enum store_err trim_apply(struct transaction *t, struct command *c)
{
    const struct thing_trim *a = c->args;
    struct thing *thing;
    bool known;

    if (a->topic.len == 0 || a->topic.len > 65535 ||
        c->operation.len > OPERATION_MAX) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = operation_find(t, c, &known);
    if (err != STORE_OK || known)
        return err;
    err = transaction_thing(t, a->topic, &thing);
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    if (err != STORE_OK)
        return err;
    if (thing->state.row.last_seq == 0) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    err = trim_through(t, thing, a->through, &c->removed);
    return err == STORE_OK ? operation_remember(t, c) : err;
}

static void trim_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
}

static const char *trim_check(struct command *c, const struct config *config)
{
    const struct thing_trim *a = c->args;

    (void)config;
    return topic_valid(a->topic) ? NULL : "trim needs topic and through";
}

static void trim_answer(const struct command *c, struct json_writer *w)
{
    json_member_u64(w, "removed", c->removed);
}

static const struct command_field fields[] = {
    {"topic", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct thing_trim, topic),
     0, 65535, "trim needs topic and through"},
    {"through", FIELD_U64, FIELD_REQUIRED,
     offsetof(struct thing_trim, through), 0, UINT64_MAX,
     "trim needs topic and through"},
    COMMON_OPERATION,
};

const struct command_type trim_command = {
    .name = "trim",
    .args_size = sizeof(struct thing_trim),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = trim_check,
    .decide = trim_decide,
    .apply = trim_apply,
    .answer = trim_answer,
};
