#include "base/topic.h"
#include "store/command/thing.h"
#include "store/commands/commands.h"
#include "store/write/erase.h"

static enum store_err thing_purge_apply(struct transaction *t,
                                        struct command *c)
{
    const struct thing_purge *a = c->args;
    struct slice token, ignored;
    struct thing *thing;

    if (!topic_split(a->topic, &token, &ignored)) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    const enum store_err err = transaction_thing(t, a->topic, &thing);
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    if (err != STORE_OK)
        return err;
    if (thing->state.row.last_seq == 0) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    return erase_begin_or_go_on(t, c, a->topic, t->head);
}

static void thing_purge_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
}

static const char *thing_purge_check(struct command *c,
                                     const struct config *config)
{
    const struct thing_purge *a = c->args;
    struct slice token, thing;

    (void)config;
    return topic_split(a->topic, &token, &thing)
               ? NULL
               : "topic: <token>/<thing> expected";
}

static void thing_purge_answer(const struct command *c, struct json_writer *w)
{
    json_member_u64(w, "removed", c->removed);
    json_member_bool(w, "more", c->more);
}

static const struct command_field fields[] = {
    {"topic", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct thing_purge, topic),
     0, 65535, "topic: <token>/<thing> expected"},
};

const struct command_type thing_purge_command = {
    .name = "thing_purge",
    .args_size = sizeof(struct thing_purge),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .for_administrators = true,
    .check = thing_purge_check,
    .decide = thing_purge_decide,
    .apply = thing_purge_apply,
    .answer = thing_purge_answer,
};
