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

/* Acknowledges what has its answer, in order; may close the connection. */
void publish_settle(struct connection *c);

#endif
