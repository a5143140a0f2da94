/* Answers to requests that may be repeated, so that a repeat is answered without storing
 * twice: by operation id (the link re-sends what it has no PUBACK for) and by
 * Idempotency-Key (an HTTP client retries). An answer is remembered in the transaction that
 * stores the message, so a crash keeps or loses both, and a repeat in the same transaction
 * already finds it. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_REPEAT_H
#define CONFAB_STORE_WRITE_REPEAT_H

#include "store/command.h"
#include "store/env/env.h"
#include "store/format/account_cost.h"

struct transaction;

/* X(name, database, seconds to remember at least, most rows; 0: no bound). Operation ids
 * are many and soon obsolete, and take a sixteenth of the store at most; idempotency keys
 * are charged to their token (store/write/account.h). */
#define REPEAT_KINDS(X)                                                       \
    X(OPERATION, operations, 600, 1000000)                                    \
    X(IDEMPOTENCY, idempotency, 86400, 0)

enum repeat_kind {
#define X(name, database, seconds, most) REPEAT_##name,
    REPEAT_KINDS(X)
#undef X
        REPEAT_KIND_COUNT
};

struct answer {
    int64_t when_us; /* time of remembering */
    uint64_t id, seq;
    int64_t at_us;
    uint64_t removed;
    struct slice
        payer; /* IDEMPOTENCY: token that the row counts for; data NULL:
                           it counts for nobody, not even ACCOUNT_NOBODY */
};

/* The key for an Idempotency-Key: BLAKE2b of topic and key, separated. */
void idempotency_hash(struct slice topic, struct slice key,
                      unsigned char ret_hash[IDEMPOTENCY_HASH]);

/* NOTFOUND: not seen before, or an idempotency key older than 24 h. An operation id is
 * found until a command has forgotten it. */
enum store_err repeat_find(struct transaction *t, enum repeat_kind kind,
                           struct slice key, struct answer *ret_answer);
/* *ret_new (may be NULL): it was not remembered before. */
enum store_err repeat_remember(struct store_env *e, MDB_txn *txn,
                               enum repeat_kind kind, struct slice key,
                               const struct answer *answer, bool *ret_new);

/* What may be forgotten now, as explicit bounds for a command. */
struct repeat_bounds {
    enum repeat_kind kind;
    int64_t before_us; /* answers remembered before this … */
    uint64_t oldest;   /* … and this many of the oldest in any case … */
    int64_t
        after_us; /* … and answers after this: the clock was ahead; 0: none */
    uint64_t most; /* but no more than these, the oldest first */
};
/* Finds the bounds, by this machine's clock. *ret_due: there is something to forget. */
enum store_err repeat_due(struct transaction *t, enum repeat_kind kind,
                          unsigned most, struct repeat_bounds *ret_bounds,
                          bool *ret_due);
/* Forgets within the bounds; *ret_forgotten: how many. */
enum store_err repeat_forget(struct transaction *t,
                             const struct repeat_bounds *bounds,
                             uint64_t *ret_forgotten);

#endif
