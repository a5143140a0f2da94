/* The life of a worker (client/shard.h) and its turns. Other threads reach
 * it through its mailboxes only.
 *
 * One turn of the loop: reads the sockets and hands commands to the writer;
 * then, before the loop waits again, takes results, committed batches and
 * arriving connections from the mailboxes, sends backlogs, and flushes every
 * connection with new output once. */
#ifndef CONFAB_BROKER_WORKER_H
#define CONFAB_BROKER_WORKER_H

#include "broker/accept/listener.h"
#include "broker/client/shard.h"
#include "broker/publish/publish.h"
#include "broker/share/share.h"

/* `hub` is borrowed; head: last id in the log. NULL: out of memory. */
struct worker *worker_new(struct hub *hub, unsigned number, uint64_t head);
bool worker_start(struct worker *w); /* false: no thread */
void worker_join(struct worker *w);
/* Call it after the writer has ended. NULL is fine. */
void worker_free(struct worker *w);

/* Offers a batch for fan-out; takes a reference if it keeps it. Call it in
 * the writer's thread. */
void worker_offer(struct worker *w, struct batch *b);

#endif
