/* The way to the writer and back, for those who make commands of what clients
 * send: publish_inbound.c, publish_command.c, bundle.c, publish_will.c, sessions. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_PRIVATE_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_PRIVATE_H

#include "broker/client/shard.h"
#include "broker/publish/publish.h"

/* c: NULL for a will. NULL: out of memory. */
struct publish *publish_new(struct worker *w, struct connection *c);
void publish_free(struct worker *w, struct publish *q);

/* Hands it to the writer, or lets it wait for room there. */
void publish_submit(struct worker *w, struct publish *q);

/* The same with another worker, q->asked, who answers q->question. false: it has no
 * room for the question, nothing happened. */
bool publish_ask(struct worker *w, struct publish *q);

/* It is answered in its turn, behind what the connection published before. */
void publish_await_answer(struct connection *c, struct publish *q,
                          const struct packet_publish *p);

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
