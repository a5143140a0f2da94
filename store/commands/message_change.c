#include "store/commands/message_change.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/topic.h"
#include "store/command/message.h"
#include "store/commands/message_command.h"
#include "store/write/account.h"
#include "store/write/change.h"
#include "store/write/limits.h"

/* The limit of one transaction (writer.c), whatever a plan allows. */
#define PAYLOAD_MAX (16u << 20)
/* Entry, rows of `changes` and of the thing, a chunk. */
#define ENTRY_SPACE 4096u

static bool well_formed(const struct command *c, enum message_kind kind)
{
    const struct message *m = c->message;
    struct slice token, thing;

    return m != NULL && m->kind == kind && m->about != 0 &&
           topic_split(m->topic, &token, &thing) &&
           m->changed_by.len <= MESSAGE_SENDER_MAX &&
           c->operation.len <= OPERATION_MAX &&
           c->idempotency.len <= IDEMPOTENCY_MAX;
}

const char *message_change_check(struct command *c,
                                 const struct config *config)
{
    (void)config;
    return c->message != NULL && well_formed(c, c->message->kind) &&
                   (c->message->kind == MESSAGE_EDIT) ==
                       (c->kind == COMMAND_EDIT)
               ? NULL
               : "message: the topic <token>/<thing>, and what it is about";
}

void message_change_hash(struct slice topic, char kind, uint64_t what,
                         struct slice idempotency, unsigned char *ret_hash)
{
    char text[TOKEN_MAX + 1 + THING_MAX + 32];
    /* No topic of a thing has a line break. */
    const int len =
        snprintf(text, sizeof(text), "%.*s\n%c%" PRIu64, (int)topic.len,
                 (const char *)topic.data, kind, what);

    idempotency_hash(slice_of(text, (size_t)len), idempotency, ret_hash);
}

/* ---- the message as it will be -------------------------------------------- */

static struct message amended(const struct message *before,
                              const struct message *wish)
{
    struct message m = *before;

    m.payload = slice_of("", 0);
    m.payload_class = PAYLOAD_TEXT;
    m.content_type = wish->content_type;
    m.has_payload_format = wish->has_payload_format;
    m.payload_format = wish->payload_format;
    m.changed_by = wish->changed_by;
    m.deleted = wish->kind == MESSAGE_DELETE;
    if (m.deleted) { /* nothing of what was said stays */
        m.response_topic = m.correlation = m.user_properties =
            slice_of(NULL, 0);
        m.content_type = slice_of(NULL, 0);
        m.has_payload_format = false;
    } else {
        m.payload = wish->payload;
        m.payload_class = wish->payload_class;
    }
    return m;
}

/* ---- limits --------------------------------------------------------------- */

static enum command_result plan_allows(const struct transaction *t,
                                       const struct token *token,
                                       const struct message *after,
                                       uint64_t growth)
{
    const struct message_weight weight = {.payload = after->payload.len,
                                          .cost = growth};
    const enum command_result r =
        plan_verdict(token->plan, &token->usage, t->in.now_us, &weight);

    /* What does not grow is allowed whatever the token holds. */
    return r == RESULT_BYTES && growth == 0 ? RESULT_OK : r;
}

static enum command_result limits_verdict(struct transaction *t,
                                          const struct message_target *to,
                                          const struct message *before,
                                          const struct message *after)
{
    const int64_t more = change_growth(t, before, after);
    /* An entry is no reason to keep what shall go. */
    const uint64_t growth = more > 0 && !after->deleted ? (uint64_t)more : 0;

    if (after->payload.len > PAYLOAD_MAX)
        return RESULT_TOO_LARGE;
    const enum command_result r = plan_allows(t, to->token, after, growth);
    if (r != RESULT_OK)
        return r;
    if (after->deleted)
        return account_upkeep_verdict(t, ENTRY_SPACE);
    return account_message_verdict(t, growth > 0 ? to->payer : NULL, growth,
                                   space_of(after) + ENTRY_SPACE);
}

void message_change_decide(struct transaction *t, const struct command *c)
{
    if (c->message == NULL)
        return;
    if (c->message->kind == MESSAGE_DELETE)
        admission_measure_upkeep(t, ENTRY_SPACE);
    else /* the message's own properties are not known yet */
        admission_measure_room(t, space_of(c->message) + 2 * ENTRY_SPACE);
}

/* ---- doing it ------------------------------------------------------------- */

struct message_draft {
    struct message_target to;
    struct record before;
    unsigned char hash[IDEMPOTENCY_HASH];
};

/* All checks, which only read. */
static enum store_err check_change(struct transaction *t, struct command *c,
                                   struct message_draft *x)
{
    const struct message *wish = c->message;
    bool known = false;

    enum store_err err = message_target_find(t, wish->topic, &x->to);
    if (err == STORE_OK)
        err = operation_find(t, c, &known);
    if (err != STORE_OK || known)
        return err;
    c->result = message_token_verdict(t, x->to.token);
    if (c->result != RESULT_OK)
        return STORE_OK;
    message_change_hash(wish->topic, wish->kind == MESSAGE_EDIT ? 'e' : 'd',
                        wish->about, c->idempotency, x->hash);
    err = message_find_key(t, c, x->to.token, x->hash, &known);
    if (err != STORE_OK || known)
        return err;
    err = change_find(t, x->to.thing, wish->about, &x->before);
    if (err == STORE_NOTFOUND) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (err != STORE_OK)
        return err;
    const struct message after = amended(&x->before.m, wish);
    c->result = x->before.m.deleted
                    ? RESULT_GONE
                    : limits_verdict(t, &x->to, &x->before.m, &after);
    return STORE_OK;
}

/* As readers of the log see the entry. */
static enum store_err offer_change(struct transaction *t, struct message *m,
                                   enum message_kind kind)
{
    m->kind = (uint8_t)kind;
    m->about = m->id;
    m->id = m->change_id;
    m->change_id = 0;
    m->at_us = clock_steps_correct(&t->steps, m->about, m->at_us);
    batch_add(t->batch, m);
    return STORE_OK;
}

static enum store_err put_change(struct transaction *t, struct command *c,
                                 struct message_draft *x)
{
    const struct message_change *a = c->args;
    const enum message_kind kind = (enum message_kind)c->message->kind;
    const struct message changed = amended(&x->before.m, c->message);
    struct message *m = message_copy(&changed);

    if (m == NULL)
        return STORE_NOMEM;
    enum store_err err =
        change_put(t, x->to.thing, x->to.payer, &x->before.m, m, kind);
    c->id = m->change_id;
    c->seq = m->seq;
    c->at_us = m->changed_us;
    if (err == STORE_OK)
        err = message_remember_key(t, c, &x->to, x->hash);
    if (err == STORE_OK)
        err = operation_remember(t, c);
    if (err != STORE_OK) {
        message_unref(m);
        return err;
    }
    token_changed(&t->tokens, x->to.token);
    count_write(&x->to.token->usage, t->in.now_us, a->window_start_us);
    space_take(&t->here.space, space_of(m) + ENTRY_SPACE);
    return offer_change(t, m, kind);
}

enum store_err message_change_apply(struct transaction *t, struct command *c,
                                    enum message_kind kind)
{
    struct message_draft x;

    if (!well_formed(c, kind)) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = check_change(t, c, &x);
    if (err == STORE_CORRUPT)
        return transaction_row_damaged(c);
    if (err == STORE_OK && c->result == RESULT_OK && !c->repeated)
        err = put_change(t, c, &x);
    if (err == STORE_OK)
        message_tell_remaining(t, c, x.to.token, false);
    return err;
}

void message_change_answer(const struct command *c, struct json_writer *w)
{
    json_member_u64(w, "id", c->id);
    json_member_u64(w, "seq", c->seq);
    json_member_u64(w, "at", (uint64_t)c->at_us);
}

const struct command_field message_change_fields[MESSAGE_CHANGE_FIELDS] = {
    COMMON_MESSAGE,
    COMMON_OPERATION,
    {"idempotency", FIELD_TEXT, FIELD_COMMON,
     offsetof(struct command, idempotency), 0, IDEMPOTENCY_MAX,
     "idempotency: up to 256 bytes"},
    {"window", FIELD_TIME, FIELD_OPTIONAL,
     offsetof(struct message_change, window_start_us), 0, INT64_MAX,
     "window: microseconds since 1970"},
};
