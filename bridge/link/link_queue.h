/* The link's requests: which wait, which are under way, in what order, and until
 * when. Knows nothing of MQTT's library. Requests stay their makers'; the queue
 * never allocates.
 *
 * Threads: the link's, but for link_queue_admit(). */
#ifndef CONFAB_BRIDGE_LINK_LINK_QUEUE_H
#define CONFAB_BRIDGE_LINK_LINK_QUEUE_H

#include <stdatomic.h>
#include <stddef.h>

#include "bridge/link/link.h"

/* A power of two near the most that are ever under way. */
#define LINK_PACKET_SLOTS 512

TAILQ_HEAD(link_request_queue, link_request);
LIST_HEAD(link_request_slot, link_request);

struct link_queue {
    struct link_request_queue waiting;   /* to be published, in order */
    struct link_request_queue under_way; /* published, in order */
    struct link_request_slot by_packet[LINK_PACKET_SLOTS];
    size_t count;           /* in both queues */
    size_t waiting_count;   /* in the first */
    atomic_size_t admitted; /* not answered yet; any thread */
};

void link_queue_init(struct link_queue *b);

/* Counts one more request on its way to the link's thread. false: there are
 * `bound` already. Any thread. */
bool link_queue_admit(struct link_queue *b, size_t bound);
/* Takes that back: the request never got there. Any thread. */
void link_queue_dismiss(struct link_queue *b);
/* q, which is in neither queue any more, has its answer: calls done(). */
void link_queue_answer(struct link_queue *b, struct link_request *q);
/* Since when the one that waits longest for its answer does; 0: none waits. What
 * was lost and waits to be sent again is behind none that came later. */
int64_t link_queue_oldest_us(const struct link_queue *b);

/* Takes q in at the end. */
void link_queue_accept(struct link_queue *b, struct link_request *q);

/* The one to publish next; stays in the queue. NULL: none waits. */
struct link_request *link_queue_next(const struct link_queue *b);

/* q, which waited, has been published in the packet with this id, its `place`
 * in there set. */
void link_queue_sent(struct link_queue *b, struct link_request *q,
                     int packet_id);

/* Takes out one that was in this packet. NULL: none is left (or never was: its
 * deadline passed). */
struct link_request *link_queue_answered(struct link_queue *b, int packet_id);

/* Takes q out, wherever it is. */
void link_queue_remove(struct link_queue *b, struct link_request *q);

/* The connection is lost: what was under way waits again, before everything
 * else, in its old order and with its operation ids. */
void link_queue_lost(struct link_queue *b);

/* Moves every request whose time is up at `now_us` to the end of *ret_expired,
 * its outcome set. `away`: those that were never sent have waited long enough
 * for the broker. A request once sent ends by its deadline only (LINK_TIMEOUT):
 * the broker may have applied it. */
void link_queue_expire(struct link_queue *b, int64_t now_us, bool away,
                       struct link_request_queue *ret_expired);

#endif
