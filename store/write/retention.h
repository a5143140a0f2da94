/* What a plan keeps: retention_count messages per thing, for retention_age seconds. Both
 * become trims with an explicit bound (store/write/trim.h): the count in the transaction of
 * the append that exceeds it, the age by a walk over all things, which begins every minute
 * and proceeds in small steps. The walk also checks the count, for plans that were changed
 * to keep less. Topics that are not `<token>/<thing>` have no plan and are kept. Writer's
 * thread only. */
#ifndef CONFAB_STORE_WRITE_RETENTION_H
#define CONFAB_STORE_WRITE_RETENTION_H

#include "store/write/transaction.h"

#define SWEEP_EVERY_US INT64_C(60000000)

struct sweep {
    const struct config *config;
    const struct token_cache *tokens;
    bool walked;     /* once: own limits of tokens are known then */
    bool walking;    /* begun and not at the end */
    int64_t next_us; /* when the next walk begins */
    struct schema_key
        at; /* the walk continues at the first `things` key ≥ this */
};

void sweep_init(struct sweep *s, const struct config *config,
                const struct token_cache *tokens);
/* Whether some plan or token does not keep everything. The first walk finds out whether
 * some token does not. */
bool sweep_needed(const struct sweep *s);

/* Whether a step would do something. */
bool sweep_due(const struct sweep *s, int64_t now_us);
/* Does a step: looks at some things and trims what is due. If its transaction is aborted,
 * set *s back to what it was; but not after STORE_CORRUPT, so that the walk continues after
 * the damaged thing. */
enum store_err sweep_step(struct sweep *s, struct transaction *t);

/* Trims the things that this transaction has given more messages than they keep. */
enum store_err retention_after_appends(struct transaction *t);

#endif
