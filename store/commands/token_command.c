#include "base/vocabulary.h"
#include "store/write/limits.h"
#include "store/write/transaction.h"

/* c->token as an entry, NULL when it is no token (c->result says so). */
static enum store_err look_up(struct transaction *t, struct command *c,
                              struct token **ret_token)
{
    *ret_token = NULL;
    if (!token_valid(c->token) || c->operation.len > OPERATION_MAX) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    const enum store_err err = transaction_token(t, c->token, ret_token);
    if (err != STORE_CORRUPT)
        return err;
    *ret_token = NULL;
    c->result = RESULT_IO;
    return STORE_OK;
}

static enum command_result create_verdict(struct transaction *t,
                                          const struct token *token,
                                          struct slice plan)
{
    /* Revoked ones too: names are not given twice. One that came into being in
     * open mode is created now, and keeps what is stored under it. */
    if (token->exists && (!token->implied || token->revoked_us != 0))
        return RESULT_EXISTS;
    if (config_plan(t->config, plan) == NULL)
        return RESULT_INVALID;
    if (!space_admits(&t->space, 0, t->mono_us))
        return RESULT_FULL;
    return t->paused_until_mono_us > t->mono_us ? t->paused_result : RESULT_OK;
}

enum store_err token_create_apply(struct transaction *t, struct command *c)
{
    struct token *token;
    bool known;

    enum store_err err = look_up(t, c, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    err = operation_find(t, c, &known);
    if (err != STORE_OK || known)
        return err;
    const struct token_row row = {
        .token = c->token,
        .plan = c->plan.len > 0 ? c->plan
                                : slice_str(t->config->tokens_default_plan),
        .created_us = c->now_us != 0 ? c->now_us : t->now_us,
        .since_id = token->exists ? token->since_id : t->head,
    };
    c->result = create_verdict(t, token, row.plan);
    if (c->result != RESULT_OK)
        return STORE_OK;
    err = token_put(&t->tokens, t->e, t->txn, &t->row, token, &row);
    return err == STORE_OK ? operation_remember(t, c) : err;
}

/* Tells every worker and stream to let the token's connections go. */
static enum store_err offer_revoked(struct transaction *t, struct slice token)
{
    char topic[sizeof(EVENTS_PREFIX) + TOKEN_MAX +
               sizeof("/" EVENT_REVOKED "/")];

    const int len =
        snprintf(topic, sizeof(topic), EVENTS_PREFIX "%.*s/" EVENT_REVOKED "/",
                 (int)token.len, (const char *)token.data);
    const struct message event = {
        .kind = MESSAGE_EVENT,
        .payload_class = PAYLOAD_TEXT,
        .topic = slice_of(topic, (size_t)len),
    };
    struct message *m = message_new(&event);
    if (m == NULL)
        return STORE_NOMEM;
    m->at_us = t->now_us;
    batch_add(t->batch, m);
    t->events++;
    return STORE_OK;
}

/* With the time of its end or another plan. The rest of the row, which the
 * cache does not keep, is read again. */
static enum store_err rewrite(struct transaction *t, struct token *token,
                              int64_t revoked_us, struct slice new_plan)
{
    MDB_val k = {token->name_len, token->name}, v;
    char plan[CONFIG_NAME_MAX];
    struct token_row row;

    const int rc = mdb_get(t->txn, t->e->db.tokens, &k, &v);
    if (rc != 0)
        return store_from_mdb(rc);
    if (!schema_get_token(k, v, &row) || row.plan.len > sizeof(plan))
        return STORE_CORRUPT;
    /* Copied: the put may move what the row borrows from. */
    memcpy(plan, row.plan.data, row.plan.len);
    row.plan = slice_of(plan, row.plan.len);
    row.token = slice_of(token->name, token->name_len);
    if (revoked_us != 0)
        row.revoked_us = revoked_us;
    if (new_plan.len > 0)
        row.plan = new_plan;
    return token_put(&t->tokens, t->e, t->txn, &t->row, token, &row);
}

enum store_err token_revoke_apply(struct transaction *t, struct command *c)
{
    struct token *token;

    enum store_err err = look_up(t, c, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    if (!token->exists) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    /* Again for one that is revoked: nothing to store, but whoever asks wants
     * its connections gone. That also is why no operation id is needed. */
    if (token->revoked_us == 0)
        err = rewrite(t, token, c->now_us != 0 ? c->now_us : t->now_us,
                      slice_of(NULL, 0));
    else
        c->repeated = true;
    if (err == STORE_CORRUPT) {
        c->result = RESULT_IO;
        return STORE_OK;
    }
    return err == STORE_OK ? offer_revoked(t, c->token) : err;
}

enum store_err token_set_apply(struct transaction *t, struct command *c)
{
    struct token *token;

    enum store_err err = look_up(t, c, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    c->result = !token->exists                            ? RESULT_NOT_FOUND
                : token->revoked_us != 0                  ? RESULT_REVOKED
                : config_plan(t->config, c->plan) == NULL ? RESULT_INVALID
                                                          : RESULT_OK;
    if (c->result != RESULT_OK)
        return STORE_OK;
    err = rewrite(t, token, 0, c->plan);
    if (err == STORE_CORRUPT) {
        c->result = RESULT_IO;
        return STORE_OK;
    }
    return err;
}

enum store_err usage_apply(struct transaction *t, struct command *c)
{
    struct token *token;

    const enum store_err err = look_up(t, c, &token);
    if (err != STORE_OK || token == NULL)
        return err;
    if (!token->exists) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (merge_reads(&token->usage, t->now_us, c->window_start_us, c->reads))
        token_changed(&t->tokens, token);
    c->remaining = writes_left(token->plan, &token->usage, t->now_us);
    return STORE_OK;
}

enum store_err transaction_touch(struct transaction *t)
{
    static char key[] = META_PING;

    buffer_clear(&t->row);
    schema_put_number(&t->row, (uint64_t)t->now_us);
    return transaction_put_row(t, t->e->db.meta,
                               (MDB_val){sizeof(key) - 1, key}, 0);
}

enum store_err ping_apply(struct transaction *t, struct command *c)
{
    /* Writable means both: the commit works and appends are accepted. */
    if (!space_admits(&t->space, SPACE_USUAL, t->mono_us))
        c->result = RESULT_FULL;
    else if (t->paused_until_mono_us > t->mono_us)
        c->result = t->paused_result;
    return transaction_touch(t);
}
