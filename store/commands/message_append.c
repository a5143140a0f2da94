#include "store/command/message.h"
#include "store/commands/commands.h"
#include "store/commands/message_command.h"
#include "store/commands/room_rules.h"
#include "store/write/account.h"
#include "store/write/limits.h"
#include "store/write/session_write.h"

#include "base/net/address_range.h"

/* The limit of one transaction (writer.c), whatever a plan allows. */
#define PAYLOAD_MAX (16u << 20)

static bool well_formed(const struct command *c)
{
    const struct message_append *a = c->args;
    const struct message *m = c->message;

    return m != NULL && a->address.len < ADDRESS_RANGE_MAX &&
           m->kind == MESSAGE_MESSAGE && m->topic.len > 0 &&
           m->topic.len <= 65535 && c->operation.len <= OPERATION_MAX &&
           c->idempotency.len <= IDEMPOTENCY_MAX;
}

/* How many bytes storing it adds to its token's account. */
static uint64_t cost_of(const struct command *c,
                        const struct message_target *to)
{
    const struct message *m = c->message;
    uint64_t cost = account_message_cost(m);

    if (to->thing->state.row.last_seq == 0)
        cost += account_thing_cost(m->topic);
    if (c->idempotency.len > 0)
        cost += account_key_cost(thing_token(to->thing));
    return cost;
}

static enum command_result limits_verdict(struct transaction *t,
                                          const struct command *c,
                                          const struct message_target *to,
                                          uint64_t more)
{
    const struct message_append *a = c->args;
    const struct message_weight weight = {
        .payload = c->message->payload.len,
        .cost = cost_of(c, to) + more,
        .new_thing = to->thing->state.row.last_seq == 0,
    };

    if (weight.payload > PAYLOAD_MAX)
        return RESULT_TOO_LARGE;
    if (to->token != NULL && !a->uncharged) {
        const enum command_result r =
            plan_verdict(to->token->plan, &to->token->usage, t->in.now_us,
                         &weight);
        if (r != RESULT_OK)
            return r;
    }
    /* Store and disk last: unlike these, the refusals above stay true. */
    return account_message_verdict(t, to->payer, weight.cost,
                                   space_of(c->message));
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
    const uint64_t stored = account_message_cost(m);
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
    thing->state.stored += stored;
    if (open->count == 0) {
        open->first_seq = m->seq;
        open->first_at_us = m->at_us;
    }
    open->ids[open->count++] = m->id;
    open->bytes += m->payload.len;
    open->stored += stored;
    return open->count == CHUNK_IDS ? close_chunk(t, thing) : STORE_OK;
}

/* In open mode the first write creates its token. */
static enum store_err imply_token(struct transaction *t, struct token *token)
{
    const struct token_row row = {
        .token = slice_of(token->name, token->name_len),
        .plan = slice_str(token->plan->name),
        .created_us = t->in.now_us,
        .implied = true,
        .since_id = t->head,
    };
    return token_put(&t->tokens, t->e, t->txn, &t->row, token, &row);
}

static enum store_err charge_append(struct transaction *t,
                                    const struct command *c,
                                    const struct message_target *to)
{
    const struct message_append *a = c->args;
    struct token *token = to->token;

    if (token != NULL && !token->exists) {
        const enum store_err err = imply_token(t, token);
        if (err != STORE_OK)
            return err;
    }
    account_add(t, to->payer, ACCOUNT_MESSAGES,
                account_message_cost(c->message));
    if (to->thing->state.row.last_seq == 0) {
        account_add(t, to->payer, ACCOUNT_MESSAGES,
                    account_thing_cost(c->message->topic));
        if (to->payer != NULL)
            to->payer->usage.things++;
    }
    if (token != NULL && !a->uncharged)
        count_write(&token->usage, t->in.now_us, a->window_start_us);
    return STORE_OK;
}

static void assign_numbers(struct transaction *t, struct command *c,
                           const struct thing *thing)
{
    const struct thing_row *row = &thing->state.row;
    struct message *m = c->message;

    m->id = c->id = t->head + 1;
    m->seq = c->seq = row->last_seq + 1;
    /* Times never decrease within a thing, even when the clock is set back. */
    const int64_t last_us =
        clock_steps_correct(&t->steps, row->last_id, row->last_at_us);
    m->at_us = c->at_us = t->in.now_us > last_us ? t->in.now_us : last_us;
}

static enum store_err store_message(struct transaction *t, struct command *c,
                                    const struct message_target *to,
                                    const unsigned char *hash,
                                    struct room_post *post)
{
    const struct message_append *a = c->args;
    struct thing *thing = to->thing;
    struct message *m = c->message;

    assign_numbers(t, c, thing);
    enum store_err err = put_record(t, m);
    if (err == STORE_OK)
        err = charge_append(t, c, to); /* needs the row before the append */
    if (err == STORE_OK)
        err = add_to_thing(t, thing, m);
    if (err == STORE_OK && m->retain)
        err = retained_set(t, thing, to->payer, m);
    if (err == STORE_OK)
        err = message_remember_key(t, c, to, hash);
    if (err == STORE_OK)
        err = operation_remember(t, c);
    if (err == STORE_OK)
        err = session_mark_apply(t, &a->mark);
    if (err == STORE_OK)
        err = room_rules_note(t, c, to->payer, post);
    if (err != STORE_OK)
        return err;
    thing->keep = to->token != NULL ? to->token->plan->retention_count : 0;
    space_take(&t->here.space, space_of(m));
    t->head = m->id;
    t->appended++;
    batch_add(t->batch, message_ref(m));
    return STORE_OK;
}

/* All checks, which only read. Store the message if c->result is OK and it is not
 * c->repeated. */
static enum store_err check_append(struct transaction *t, struct command *c,
                                   struct message_target *ret,
                                   unsigned char *ret_hash,
                                   struct room_post *post)
{
    const struct message_append *a = c->args;
    bool known = false;

    enum store_err err = message_target_find(t, c->message->topic, ret);
    if (err == STORE_OK)
        err = operation_find(t, c, &known);
    if (err != STORE_OK || known)
        return err;
    c->result = message_token_verdict(t, ret->token);
    if (c->result != RESULT_OK)
        return STORE_OK;
    if (c->idempotency.len > 0)
        idempotency_hash(c->message->topic, c->idempotency, ret_hash);
    err = message_find_key(t, c, ret->token, ret_hash, &known);
    if (err != STORE_OK || known)
        return err;
    err = room_rules_check(t, c, a->address, post);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    c->result = limits_verdict(t, c, ret, post->cost);
    if (c->result == RESULT_OK)
        c->result = session_mark_verdict(t, &a->mark);
    return STORE_OK;
}

static enum store_err check_and_store(struct transaction *t, struct command *c,
                                      struct message_target *to)
{
    unsigned char hash[IDEMPOTENCY_HASH];
    struct room_post post;

    post.is_slow = false;
    enum store_err err = check_append(t, c, to, hash, &post);
    if (err == STORE_CORRUPT)
        err = transaction_row_damaged(c);
    else if (err == STORE_OK && c->result == RESULT_OK && !c->repeated)
        err = store_message(t, c, to, hash, &post);
    room_post_release(&post);
    return err;
}

static enum store_err append_apply(struct transaction *t, struct command *c)
{
    struct message_target to = {0};

    if (!well_formed(c)) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    const enum store_err err = check_and_store(t, c, &to);
    if (err != STORE_OK)
        return err;
    message_tell_remaining(
        t, c, to.token, ((const struct message_append *)c->args)->uncharged);
    return STORE_OK;
}

static void append_decide(struct transaction *t, const struct command *c)
{
    if (c->message != NULL)
        admission_measure_room(t, space_of(c->message));
}

static const struct command_field fields[] = {
    COMMON_MESSAGE,
    COMMON_OPERATION,
    COMMON_IDEMPOTENCY,
    {"window", FIELD_TIME, FIELD_ENTRY,
     offsetof(struct message_append, window_start_us), 0, INT64_MAX,
     "window: microseconds since 1970"},
    {"uncharged", FIELD_YES, FIELD_ENTRY,
     offsetof(struct message_append, uncharged), 0, 1, "uncharged: 1"},
    {"session", FIELD_U64, FIELD_ENTRY,
     offsetof(struct message_append, mark.number), 0, UINT64_MAX,
     "session: its number"},
    {"identity", FIELD_TEXT, FIELD_ENTRY,
     offsetof(struct message_append, mark.identity), 0, UINT64_MAX,
     "identity: token, NUL, client id"},
    {"packet", FIELD_U16, FIELD_ENTRY,
     offsetof(struct message_append, mark.packet_id), 0, UINT16_MAX,
     "packet: its id"},
    {"address", FIELD_TEXT, FIELD_ENTRY,
     offsetof(struct message_append, address), 0, ADDRESS_RANGE_MAX - 1,
     "address: of its sender"},
};

const struct command_type message_append_command = {
    .name = "append",
    .args_size = sizeof(struct message_append),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .decide = append_decide,
    .apply = append_apply,
};
