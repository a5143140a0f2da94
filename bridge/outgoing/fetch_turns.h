/* Whose turn it is among requests that wait. Those of one owner for one host are a
 * lane, in their order; lanes take turns. A lane whose host or owner has as many
 * under way as it may have is passed over, so a host that does not answer makes
 * only requests to itself wait. Not thread safe. */
#ifndef CONFAB_BRIDGE_OUTGOING_FETCH_TURNS_H
#define CONFAB_BRIDGE_OUTGOING_FETCH_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct fetch_lane;
struct fetch_count;

/* A request's place; in the memory of its owner. */
struct fetch_turn {
    TAILQ_ENTRY(fetch_turn) entry;
    struct fetch_lane *lane; /* NULL: neither waiting nor under way */
    bool under_way;
};

TAILQ_HEAD(fetch_lanes, fetch_lane);

struct fetch_turns {
    unsigned concurrent, per_host, per_owner; /* most under way */
    unsigned under_way;
    size_t waiting;
    struct fetch_lanes ready; /* lanes with somebody waiting */
    struct fetch_lane *lanes; /* by owner and host */
    struct fetch_count *hosts, *owners;
};

void fetch_turns_init(struct fetch_turns *t, unsigned concurrent,
                      unsigned per_host, unsigned per_owner);

/* Waits as the last of its lane. false: out of memory. */
bool fetch_turns_wait(struct fetch_turns *t, struct fetch_turn *turn,
                      const char *owner, const char *host);
/* The next that may begin, which is under way from then on. NULL: nobody. Looks at
 * each lane with somebody waiting at most once. */
struct fetch_turn *fetch_turns_next(struct fetch_turns *t);
/* It does not wait or is not under way any more. */
void fetch_turns_leave(struct fetch_turns *t, struct fetch_turn *turn);

#endif
