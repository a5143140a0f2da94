/* The link's requests: which wait, which are in flight, in what order, and until when.
 * Does not know libmosquitto. Requests stay in their makers' memory; the queue never
 * allocates.
 *
 * Threads: the link's, except link_queue_admit() and link_queue_dismiss(). */
#ifndef CONFAB_BRIDGE_LINK_LINK_QUEUE_H
#define CONFAB_BRIDGE_LINK_LINK_QUEUE_H

#include <stdatomic.h>
#include <stddef.h>

#include "bridge/link/link.h"

/* A power of two near the most requests that are ever in flight. */
#define LINK_PACKET_SLOTS 512
/* Tokens share one by their hash: the few that meet have it together. */
#define LINK_SHARES 1024
/* So many requests of a token find room however many others' wait. */
#define LINK_SHARE_LEAST 16
/* Of what is left to the others a token has no more than such a part. */
#define LINK_SHARE_PART 3

TAILQ_HEAD(link_request_queue, link_request);
LIST_HEAD(link_request_slot, link_request);

struct link_queue {
    struct link_request_queue waiting;   /* to be published, in order */
    struct link_request_queue in_flight; /* published, in order */
    struct link_request_slot by_packet[LINK_PACKET_SLOTS];
    size_t count;                    /* in both queues */
    size_t waiting_count;            /* in the first */
    atomic_size_t admitted;          /* not answered yet; any thread */
    atomic_uint shares[LINK_SHARES]; /* of them, by token; any thread */
};

void link_queue_init(struct link_queue *b);

/* Counts q, on its way to the link's thread, for its token. false: there are `bound`
 * already, or the token's share of that is used up. Any thread. */
bool link_queue_admit(struct link_queue *b, struct link_request *q,
                      size_t bound);
/* Takes that back: the request never got there. Any thread. */
void link_queue_dismiss(struct link_queue *b, const struct link_request *q);
/* q, which is in neither queue any more, has its answer: calls done(). */
void link_queue_answer(struct link_queue *b, struct link_request *q);
/* Since when the oldest unanswered request has waited; 0: none. (Requests that are sent
 * again after a loss stay in front of all later ones.) */
int64_t link_queue_oldest_us(const struct link_queue *b);

/* Appends q. */
void link_queue_accept(struct link_queue *b, struct link_request *q);

/* The request to publish next, which stays in the queue. NULL: none waits. */
struct link_request *link_queue_next(const struct link_queue *b);

/* q, which waited, has been published in the packet with this id; q->place is set. */
void link_queue_sent(struct link_queue *b, struct link_request *q,
                     int packet_id);

/* Removes and returns a request of this packet. NULL: none is left (or its deadline
 * passed). */
struct link_request *link_queue_answered(struct link_queue *b, int packet_id);

/* Removes q from the queue it is in. */
void link_queue_remove(struct link_queue *b, struct link_request *q);

/* The connection is lost: requests in flight wait again, before all others, in their old
 * order and with their operation ids. */
void link_queue_lost(struct link_queue *b);

/* Moves every request whose time is up at `now_us` to the end of *ret_expired and sets
 * its outcome. `away`: requests that were never sent have waited long enough for the
 * broker. A request that was sent ends by its deadline only (LINK_TIMEOUT), because the
 * broker may have applied it. */
void link_queue_expire(struct link_queue *b, int64_t now_us, bool away,
                       struct link_request_queue *ret_expired);

#endif
