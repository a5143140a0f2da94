#include "store/commands/thing_purge.h"
#include "base/topic.h"
#include "store/command/thing.h"
#include "store/commands/commands.h"
#include "store/commands/message_change.h"
#include "store/commands/message_command.h"
#include "store/write/account.h"
#include "store/write/change.h"
#include "store/write/erase.h"
#include "store/write/trim.h"

/* ---- telling readers ------------------------------------------------------ */

/* A purge is never refused for want of room, but it may go without its entry. */
static enum store_err tell_purge(struct transaction *t, struct command *c,
                                 const struct message_target *to,
                                 struct slice topic, struct slice by,
                                 uint64_t before)
{
    const struct message purge = {
        .kind = MESSAGE_PURGE,
        .payload_class = PAYLOAD_TEXT,
        .topic = topic,
        .about = before,
        /* An entry leaves out what is empty, so both must make the same row. */
        .changed_by = by.len > 0 ? by : slice_of(NULL, 0),
        .changed_us = t->in.now_us,
    };
    struct message *m = message_copy(&purge);
    enum store_err err = STORE_OK;

    if (m == NULL)
        return STORE_NOMEM;
    m->at_us = t->in.now_us;
    if (account_message_verdict(t, to->payer,
                                account_change_cost(thing_token(to->thing), m),
                                PURGE_ENTRY_SPACE) == RESULT_OK)
        err = change_put_purge(t, to->payer, m);
    if (err != STORE_OK) {
        message_unref(m);
        return err;
    }
    c->id = t->head;
    batch_add(t->batch, m);
    return STORE_OK;
}

static enum store_err purge_and_tell(struct transaction *t, struct command *c,
                                     const struct message_target *to,
                                     const unsigned char *hash)
{
    const struct thing_purge *a = c->args;
    const uint64_t before =
        a->before != 0 && a->before <= t->head ? a->before : t->head + 1;
    bool had_retained = false;

    c->id = t->head;
    c->at_us = t->in.now_us;
    enum store_err err = trim_through(t, to->thing, before - 1, &c->removed);
    if (err == STORE_OK)
        err = erase_retained(t, to->thing, before - 1, &had_retained);
    if (err == STORE_OK && (c->removed > 0 || had_retained))
        err = tell_purge(t, c, to, a->topic, a->changed_by, before);
    if (err == STORE_OK)
        err = message_remember_key(t, c, to, hash);
    if (err == STORE_OK)
        err = operation_remember(t, c);
    if (err != STORE_OK || a->before != 0)
        return err;
    /* What is hidden is removed in steps, and the thing with the last of it. */
    const uint64_t removed = c->removed;
    err = erase_begin_or_go_on(t, c, a->topic, before - 1);
    c->removed = removed;
    c->more = false;
    return err;
}

static enum store_err purge_told(struct transaction *t, struct command *c)
{
    const struct thing_purge *a = c->args;
    unsigned char hash[IDEMPOTENCY_HASH];
    struct message_target to;
    bool known = false;

    enum store_err err = message_target_find(t, a->topic, &to);
    if (err == STORE_OK)
        err = operation_find(t, c, &known);
    if (err == STORE_OK && !known)
        c->result = message_token_verdict(t, to.token);
    if (err == STORE_OK && !known && c->result == RESULT_OK) {
        message_change_hash(a->topic, 'p', a->before, c->idempotency, hash);
        err = message_find_key(t, c, to.token, hash, &known);
    }
    if (err == STORE_OK && !known && c->result == RESULT_OK &&
        to.thing->state.row.last_seq == 0)
        c->result = RESULT_NOT_FOUND;
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    if (err != STORE_OK || known || c->result != RESULT_OK)
        return err;
    return purge_and_tell(t, c, &to, hash);
}

/* ---- in steps -------------------------------------------------------------- */

enum store_err thing_purge_in_steps(struct transaction *t, struct command *c,
                                    struct slice topic)
{
    const uint64_t through = t->head;
    struct message_target to;
    bool is_waiting;

    enum store_err err = erase_is_waiting(t, topic, &is_waiting);
    if (err == STORE_OK && !is_waiting)
        err = message_target_find(t, topic, &to);
    if (err == STORE_OK && !is_waiting &&
        message_token_verdict(t, to.token) == RESULT_OK)
        err = tell_purge(t, c, &to, topic, slice_of(NULL, 0), through + 1);
    return err == STORE_OK ? erase_begin_or_go_on(t, c, topic, through) : err;
}

/* ---- the command ---------------------------------------------------------- */

static enum store_err thing_purge_apply(struct transaction *t,
                                        struct command *c)
{
    const struct thing_purge *a = c->args;
    struct slice token, ignored;
    struct thing *thing;

    if (!topic_split(a->topic, &token, &ignored) ||
        a->changed_by.len > MESSAGE_SENDER_MAX ||
        c->operation.len > OPERATION_MAX ||
        c->idempotency.len > IDEMPOTENCY_MAX) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    if (a->tell)
        return purge_told(t, c);
    const enum store_err err = transaction_thing(t, a->topic, &thing);
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    if (err != STORE_OK)
        return err;
    if (thing->state.row.last_seq == 0) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    return thing_purge_in_steps(t, c, a->topic);
}

static void thing_purge_decide(struct transaction *t, const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
    admission_measure_room(t, PURGE_ENTRY_SPACE);
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
    {"tell", FIELD_YES, FIELD_OPTIONAL, offsetof(struct thing_purge, tell), 0,
     1, "tell: 1"},
    {"before", FIELD_U64, FIELD_OPTIONAL, offsetof(struct thing_purge, before),
     0, UINT64_MAX, "before: an id"},
    {"by", FIELD_TEXT, FIELD_OPTIONAL,
     offsetof(struct thing_purge, changed_by), 0, MESSAGE_SENDER_MAX,
     "by: up to 256 bytes"},
    COMMON_OPERATION,
    {"idempotency", FIELD_TEXT, FIELD_COMMON,
     offsetof(struct command, idempotency), 0, IDEMPOTENCY_MAX,
     "idempotency: up to 256 bytes"},
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
