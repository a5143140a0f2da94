/* Between publish.c, the way to the writer and back, and publish_inbound.c,
 * which makes commands of what clients send. */
#ifndef CONFAB_BROKER_PUBLISH_PRIVATE_H
#define CONFAB_BROKER_PUBLISH_PRIVATE_H

#include "broker/publish.h"
#include "broker/worker.h"

/* c: NULL for a will. NULL: out of memory. */
struct publish *publish_new(struct worker *w, struct connection *c);
void publish_free(struct worker *w, struct publish *q);

/* Hands it to the writer, or lets it wait for room there. */
void publish_submit(struct worker *w, struct publish *q);

/* The same with another worker, who answers q->roll_call. false: it has no room
 * for the question, nothing happened. */
bool publish_ask(struct worker *w, struct publish *q, struct worker *whom);

/* Acknowledges what has its answer, in order; may close the connection. */
void publish_settle(struct connection *c);

#endif
