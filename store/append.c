#include "base/log.h"
#include "store/limits.h"
#include "store/transaction.h"

/* Whatever a plan allows: what one transaction takes (writer.c). */
#define PAYLOAD_MAX (16u << 20)

static bool well_formed(const struct command *c)
{
    const struct message *m = c->message;

    return m != NULL && m->kind == MESSAGE_MESSAGE && m->topic.len > 0 &&
           m->topic.len <= 65535 && c->operation.len <= OPERATION_MAX &&
           c->idempotency.len <= IDEMPOTENCY_MAX;
}

/* NULL in *ret_token: the topic is no <token>/<thing>, only the store's own
 * limits hold. */
static enum store_err look_up(struct transaction *t, struct slice topic,
                              struct thing **ret_thing,
                              struct token **ret_token)
{
    enum store_err err = transaction_thing(t, topic, ret_thing);

    *ret_token = NULL;
    if (err == STORE_OK && (*ret_thing)->token_len > 0)
        err = transaction_token_of(t, *ret_thing, ret_token);
    return err;
}

static void tell_remaining(const struct transaction *t, struct command *c,
                           const struct token *token)
{
    c->remaining = UINT64_MAX;
    if (token != NULL && !c->uncharged)
        c->remaining = writes_left(token->plan, &token->usage, t->now_us);
}

static enum command_result token_verdict(const struct transaction *t,
                                         const struct token *token)
{
    if (token == NULL)
        return RESULT_OK;
    if (token->revoked_us != 0)
        return RESULT_REVOKED;
    if ((!token->exists || token->implied) &&
        t->config->tokens_access != ACCESS_OPEN)
        return RESULT_UNKNOWN_TOKEN;
    return RESULT_OK;
}

static enum command_result limits_verdict(const struct transaction *t,
                                          const struct command *c,
                                          const struct thing *thing,
                                          const struct token *token)
{
    const uint64_t len = c->message->payload.len;

    if (len > PAYLOAD_MAX)
        return RESULT_TOO_LARGE;
    if (token == NULL || c->uncharged)
        return RESULT_OK;
    return plan_verdict(token->plan, &token->usage, t->now_us, len,
                        thing->state.row.last_seq == 0);
}

/* The disk's and the map's word, asked last: the others stay true later. */
static enum command_result space_verdict(struct transaction *t,
                                         const struct message *m)
{
    if (!space_admits(&t->space, space_of(m), t->mono_us))
        return RESULT_FULL;
    if (t->paused_until_mono_us > t->mono_us)
        return t->paused_result;
    return RESULT_OK;
}

static enum store_err idempotency_find(struct transaction *t,
                                       struct command *c,
                                       const unsigned char *hash,
                                       bool *ret_known)
{
    struct answer first;

    *ret_known = false;
    if (c->idempotency.len == 0)
        return STORE_OK;
    const enum store_err err =
        repeat_find(t->e, t->txn, REPEAT_IDEMPOTENCY,
                    slice_of(hash, IDEMPOTENCY_HASH), t->now_us, &first);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    c->id = first.id;
    c->seq = first.seq;
    c->at_us = first.at_us;
    c->repeated = *ret_known = true;
    return STORE_OK;
}

static enum store_err put_record(struct transaction *t,
                                 const struct message *m)
{
    buffer_clear(&t->row);
    schema_put_record(&t->row, m);
    return transaction_append_row(t, m->id);
}

static enum store_err close_chunk(struct transaction *t, struct thing *thing)
{
    struct chunk_row *open = &thing->state.open;
    struct schema_key key;

    buffer_clear(&t->row);
    schema_put_chunk(&t->row, open);
    schema_chunk_key(thing_topic(thing), open->ids[0], &key);
    const enum store_err err =
        transaction_put_row(t, t->e->db.chunks, schema_val(&key), 0);
    *open = (struct chunk_row){0};
    return err;
}

static enum store_err add_to_thing(struct transaction *t, struct thing *thing,
                                   const struct message *m)
{
    struct thing_row *row = &thing->state.row;
    struct chunk_row *open = &thing->state.open;

    thing_changed(&t->things, thing);
    if (row->count == 0) {
        row->first_id = m->id;
        row->first_seq = m->seq;
    }
    row->last_id = m->id;
    row->last_seq = m->seq;
    row->last_at_us = m->at_us;
    row->count++;
    row->bytes += m->payload.len;
    if (open->count == 0) {
        open->first_seq = m->seq;
        open->first_at_us = m->at_us;
    }
    open->ids[open->count++] = m->id;
    open->bytes += m->payload.len;
    return open->count == CHUNK_IDS ? close_chunk(t, thing) : STORE_OK;
}

/* Open mode: the token comes into being with its first write. */
static enum store_err imply_token(struct transaction *t, struct token *token)
{
    const struct token_row row = {
        .token = slice_of(token->name, token->name_len),
        .plan = slice_str(token->plan->name),
        .created_us = t->now_us,
        .implied = true,
    };
    return token_put(&t->tokens, t->e, t->txn, &t->row, token, &row);
}

static enum store_err charge(struct transaction *t, const struct command *c,
                             const struct thing *thing, struct token *token)
{
    if (!token->exists) {
        const enum store_err err = imply_token(t, token);
        if (err != STORE_OK)
            return err;
    }
    token_changed(&t->tokens, token);
    if (thing->state.row.last_seq == 0)
        token->usage.things++;
    token->usage.bytes += c->message->payload.len;
    if (!c->uncharged)
        count_write(&token->usage, t->now_us, c->window_start_us);
    return STORE_OK;
}

static void number(struct transaction *t, struct command *c,
                   const struct thing *thing)
{
    const struct thing_row *row = &thing->state.row;
    struct message *m = c->message;

    m->id = c->id = t->head + 1;
    m->seq = c->seq = row->last_seq + 1;
    /* Never decreasing within a thing, even when the clock is set back. */
    m->at_us = c->at_us =
        t->now_us > row->last_at_us ? t->now_us : row->last_at_us;
}

static enum store_err remember(struct transaction *t, const struct command *c,
                               const unsigned char *hash)
{
    const struct answer answer = {t->now_us, c->id, c->seq, c->at_us, 0};

    if (c->idempotency.len == 0)
        return STORE_OK;
    t->remembered[REPEAT_IDEMPOTENCY]++;
    return repeat_remember(t->e, t->txn, REPEAT_IDEMPOTENCY,
                           slice_of(hash, IDEMPOTENCY_HASH), &answer);
}

static enum store_err store(struct transaction *t, struct command *c,
                            struct thing *thing, struct token *token,
                            const unsigned char *hash)
{
    struct message *m = c->message;

    number(t, c, thing);
    enum store_err err = put_record(t, m);
    if (err == STORE_OK && token != NULL)
        err = charge(t, c, thing, token); /* looks at the row as it was */
    if (err == STORE_OK)
        err = add_to_thing(t, thing, m);
    if (err == STORE_OK && m->retain)
        err = retained_set(t, thing, token, m);
    if (err == STORE_OK)
        err = remember(t, c, hash);
    if (err == STORE_OK)
        err = operation_remember(t, c);
    if (err == STORE_OK)
        err = session_mark_apply(t, c);
    if (err != STORE_OK)
        return err;
    thing->keep = token != NULL ? token->plan->retention_count : 0;
    space_take(&t->space, space_of(m));
    t->head = m->id;
    t->appended++;
    batch_add(t->batch, message_ref(m));
    return STORE_OK;
}

/* Everything that only reads. c->result is OK and not c->repeated: store it. */
static enum store_err decide(struct transaction *t, struct command *c,
                             struct thing **ret_thing,
                             struct token **ret_token, unsigned char *ret_hash)
{
    bool known = false;

    enum store_err err = look_up(t, c->message->topic, ret_thing, ret_token);
    if (err == STORE_OK)
        err = operation_find(t, c, &known);
    if (err != STORE_OK || known)
        return err;
    c->result = token_verdict(t, *ret_token);
    if (c->result != RESULT_OK)
        return STORE_OK;
    if (c->idempotency.len > 0)
        idempotency_hash(c->message->topic, c->idempotency, ret_hash);
    err = idempotency_find(t, c, ret_hash, &known);
    if (err != STORE_OK || known)
        return err;
    c->result = limits_verdict(t, c, *ret_thing, *ret_token);
    if (c->result == RESULT_OK)
        c->result = space_verdict(t, c->message);
    return STORE_OK;
}

enum store_err append_apply(struct transaction *t, struct command *c)
{
    unsigned char hash[IDEMPOTENCY_HASH];
    struct thing *thing = NULL;
    struct token *token = NULL;

    if (!well_formed(c)) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    enum store_err err = decide(t, c, &thing, &token, hash);
    if (err == STORE_CORRUPT) {
        /* One row nobody can read: its topic's trouble, not the batch's. */
        log_error("store", "a row that message needs is damaged: refused");
        c->result = RESULT_IO;
        return STORE_OK;
    }
    if (err == STORE_OK && c->result == RESULT_OK && !c->repeated)
        err = store(t, c, thing, token, hash);
    if (err != STORE_OK)
        return err;
    if (c->result == RESULT_REVOKED || c->result == RESULT_UNKNOWN_TOKEN)
        c->remaining = 0;
    else
        tell_remaining(t, c, token);
    if (c->result == RESULT_RATE)
        c->retry_after_s = window_ends_in_s(&token->usage, t->now_us);
    return STORE_OK;
}

enum store_err event_apply(struct transaction *t, struct command *c)
{
    if (c->message == NULL || c->message->kind != MESSAGE_EVENT) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    c->message->at_us = c->at_us = t->now_us;
    batch_add(t->batch, message_ref(c->message));
    t->events++;
    return STORE_OK;
}
