/* The life of a worker (client/shard.h) and its turns. Others reach it through
 * its mailboxes only.
 *
 * One turn of the loop: sockets are read and what came is given to the writer;
 * then, before the loop waits again, worker.c takes results, committed batches
 * and arriving connections from the mailboxes, gives those who are behind some of
 * their backlog, and flushes each connection that got something once. */
#ifndef CONFAB_BROKER_WORKER_H
#define CONFAB_BROKER_WORKER_H

#include "broker/accept/listener.h"
#include "broker/client/shard.h"
#include "broker/publish/publish.h"
#include "broker/share/share.h"

/* `hub` borrowed; head: id of the last entry of the log. NULL: out of memory. */
struct worker *worker_new(struct hub *hub, unsigned number, uint64_t head);
bool worker_start(struct worker *w); /* false: no thread */
void worker_join(struct worker *w);
/* After the writer has ended. NULL is fine. */
void worker_free(struct worker *w);

/* The writer's thread: a batch for fan-out; takes a reference if it keeps it. */
void worker_offer(struct worker *w, struct batch *b);

#endif
