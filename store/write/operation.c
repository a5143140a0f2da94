#include "store/write/transaction.h"

enum store_err operation_find(struct transaction *t, struct command *c,
                              bool *ret_known)
{
    struct answer first;

    *ret_known = false;
    if (c->operation.len == 0)
        return STORE_OK;
    const enum store_err err =
        repeat_find(t, REPEAT_OPERATION, c->operation, &first);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    c->id = first.id;
    c->seq = first.seq;
    c->at_us = first.at_us;
    c->removed = first.removed;
    c->repeated = *ret_known = true;
    return STORE_OK;
}

/* Successes only: a refusal changed nothing, so deciding again is right. */
enum store_err operation_remember(struct transaction *t,
                                  const struct command *c)
{
    const struct answer answer = {.when_us = t->in.now_us,
                                  .id = c->id,
                                  .seq = c->seq,
                                  .at_us = c->at_us,
                                  .removed = c->removed};

    if (c->operation.len == 0)
        return STORE_OK;
    t->put = true;
    t->remembered[REPEAT_OPERATION]++;
    return repeat_remember(t->e, t->txn, REPEAT_OPERATION, c->operation,
                           &answer, NULL);
}
