/* Between publish.c, the way to the writer and back, and publish_inbound.c,
 * which makes commands of what clients send. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_PRIVATE_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_PRIVATE_H

#include "broker/publish/publish.h"
#include "broker/worker.h"

/* c: NULL for a will. NULL: out of memory. */
struct publish *publish_new(struct worker *w, struct connection *c);
void publish_free(struct worker *w, struct publish *q);

/* Hands it to the writer, or lets it wait for room there. */
void publish_submit(struct worker *w, struct publish *q);

/* The same with another worker, who answers q->roll_call. false: it has no room
 * for the question, nothing happened. */
bool publish_ask(struct worker *w, struct publish *q, struct worker *whom);

/* What an administrator's PUBLISH says in confab-* properties. */
struct publish_instructions {
    struct slice operation, idempotency; /* len 0: none */
    int64_t window_start_us;
    bool is_json;
};
/* Makes them q's; copied. false: one is too long, or out of memory. */
bool publish_follow(struct publish *q,
                    const struct publish_instructions *instructions);

/* Makes status, reason and text of what the writer said to q's command, and the
 * result where it was an administrator's. */
void publish_take_answer(struct publish *q);

/* q, which was never submitted, has its answer in status, reason, text and
 * result: it is sent in its turn, or q freed where nobody waits for it (QoS 0,
 * or the connection has ended). May close the connection. */
void publish_answered(struct worker *w, struct publish *q);

/* Acknowledges what has its answer, in order; may close the connection. */
void publish_settle(struct connection *c);

#endif
