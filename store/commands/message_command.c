#include "store/commands/message_command.h"

#include "store/write/account.h"
#include "store/write/limits.h"

enum store_err message_target_find(struct transaction *t, struct slice topic,
                                   struct message_target *ret)
{
    *ret = (struct message_target){0};
    enum store_err err = transaction_thing(t, topic, &ret->thing);
    if (err == STORE_OK && ret->thing->token_len > 0)
        err = transaction_token_of(t, ret->thing, &ret->token);
    ret->payer = ret->token;
    if (err == STORE_OK && ret->token == NULL)
        err = account_of_thing(t, ret->thing, &ret->payer);
    return err;
}

enum command_result message_token_verdict(const struct transaction *t,
                                          const struct token *token)
{
    if (token == NULL)
        return RESULT_OK;
    if (token->revoked_us != 0)
        return RESULT_REVOKED;
    if (token->suspended_us != 0)
        return RESULT_SUSPENDED;
    if ((!token->exists || token->implied) && !t->settings.open)
        return RESULT_UNKNOWN_TOKEN;
    return RESULT_OK;
}

void message_tell_remaining(const struct transaction *t, struct command *c,
                            const struct token *token, bool uncharged)
{
    c->remaining = UINT64_MAX;
    if (c->result == RESULT_REVOKED || c->result == RESULT_UNKNOWN_TOKEN)
        c->remaining = 0;
    else if (token != NULL && !uncharged)
        c->remaining = writes_left(token->plan, &token->usage, t->in.now_us);
    if (c->result == RESULT_RATE)
        c->retry_after_s = window_ends_in_s(&token->usage, t->in.now_us);
}

/* Whether the answer was given to a deleted token of the same name. */
static bool is_of_dead_token(const struct answer *a, const struct token *token)
{
    return token != NULL && (!token->exists || a->id <= token->since_id);
}

enum store_err message_find_key(struct transaction *t, struct command *c,
                                const struct token *token,
                                const unsigned char *hash, bool *ret_known)
{
    struct answer first;

    *ret_known = false;
    if (c->idempotency.len == 0)
        return STORE_OK;
    const enum store_err err =
        repeat_find(t, REPEAT_IDEMPOTENCY, slice_of(hash, IDEMPOTENCY_HASH),
                    &first);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    if (is_of_dead_token(&first, token))
        return STORE_OK;
    c->id = first.id;
    c->seq = first.seq;
    c->at_us = first.at_us;
    c->removed = first.removed;
    c->repeated = *ret_known = true;
    return STORE_OK;
}

enum store_err message_remember_key(struct transaction *t,
                                    const struct command *c,
                                    const struct message_target *to,
                                    const unsigned char *hash)
{
    const struct answer answer = {.when_us = t->in.now_us,
                                  .id = c->id,
                                  .seq = c->seq,
                                  .at_us = c->at_us,
                                  .removed = c->removed,
                                  .payer = thing_token(to->thing)};
    bool is_new;

    if (c->idempotency.len == 0)
        return STORE_OK;
    t->remembered[REPEAT_IDEMPOTENCY]++;
    const enum store_err err =
        repeat_remember(t->e, t->txn, REPEAT_IDEMPOTENCY,
                        slice_of(hash, IDEMPOTENCY_HASH), &answer, &is_new);
    if (err == STORE_OK && is_new)
        account_add(t, to->payer, ACCOUNT_MESSAGES,
                    account_key_cost(answer.payer));
    return err;
}
