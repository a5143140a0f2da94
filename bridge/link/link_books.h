/* The books of the link: which requests wait, which are under way, in what
 * order, and until when. Knows nothing of MQTT's library or of threads: the
 * link's thread only. Requests stay their makers'; the books never allocate. */
#ifndef CONFAB_BRIDGE_LINK_LINK_BOOKS_H
#define CONFAB_BRIDGE_LINK_LINK_BOOKS_H

#include <stddef.h>

#include "bridge/link/link.h"

/* A power of two near the most that are ever under way. */
#define LINK_PACKET_SLOTS 512

TAILQ_HEAD(link_request_queue, link_request);
LIST_HEAD(link_request_slot, link_request);

struct link_books {
    struct link_request_queue waiting;   /* to be published, in order */
    struct link_request_queue under_way; /* published, in order */
    struct link_request_slot by_packet[LINK_PACKET_SLOTS];
    size_t count;         /* in both queues */
    size_t waiting_count; /* in the first */
};

void link_books_init(struct link_books *b);

/* Takes q in at the end. */
void link_books_accept(struct link_books *b, struct link_request *q);

/* The one to publish next; stays in the books. NULL: none waits. */
struct link_request *link_books_next(const struct link_books *b);

/* q, which waited, has been published in the packet with this id, its `place`
 * in there set. */
void link_books_sent(struct link_books *b, struct link_request *q,
                     int packet_id);

/* Takes out one that was in this packet. NULL: none is left (or never was: its
 * deadline passed). */
struct link_request *link_books_answered(struct link_books *b, int packet_id);

/* Takes q out, wherever it is. */
void link_books_remove(struct link_books *b, struct link_request *q);

/* The connection is lost: what was under way waits again, before everything
 * else, in its old order and with its operation ids. */
void link_books_lost(struct link_books *b);

/* Moves every request whose time is up at `now_us` to the end of *ret_expired,
 * its outcome set. `away`: those that were never sent have waited long enough
 * for the broker. A request once sent ends by its deadline only (LINK_TIMEOUT):
 * the broker may have applied it. */
void link_books_expire(struct link_books *b, int64_t now_us, bool away,
                       struct link_request_queue *ret_expired);

#endif
