/* What all publishers and readers share: where the server is, the things and
 * lanes there are, and in which part of the run we are.
 *
 * A thing is `room<R>/t<K>`. Rooms take turns between two tokens, one whose
 * plan keeps a number of messages and one whose plan keeps messages for a
 * time. Half of the rooms have publishers with QoS 0, too; stored sessions and
 * groups, which are owed none of that, follow the other half. */
#ifndef CONFAB_BENCHMARKS_CHURN_WORLD_H
#define CONFAB_BENCHMARKS_CHURN_WORLD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "benchmarks/churn/lane.h"
#include "benchmarks/churn/socket.h"

enum phase {
    PHASE_CHURN,  /* everybody comes and goes */
    PHASE_SETTLE, /* publishers leave, readers wait for what they are owed */
    PHASE_LEAVE   /* readers leave, too */
};

struct world {
    struct poll poll;
    struct sockaddr_in mqtt, http;
    const char *http_host; /* for the Host header */
    const char *tokens[2]; /* keeps a number, keeps for a time */

    unsigned rooms, room_things; /* things: their product */
    unsigned lanes_per_thing;
    struct lane *lanes; /* of thing 0, then of thing 1, ... */
    unsigned lane_count;

    double rate;         /* messages per second of all publishers */
    unsigned keep_s;     /* how long messages are kept at least */
    unsigned keep_count; /* of a thing, under the first token's plan */
    unsigned patience_s; /* an acknowledged message must have arrived */
    double away_max_s, stay_min_s, stay_max_s;
    bool keys; /* POSTs carry an Idempotency-Key: the server may be killed */

    enum phase phase;
    bool down;         /* the server is away, and we were told */
    unsigned second;   /* of the run */
    int64_t steady_ns; /* since when we have had the processor, too: nobody
                          may be blamed for what we did not look at */
    uint64_t random;
};

double world_random(struct world *w); /* [0, 1) */
int64_t world_between(struct world *w, double min_s, double max_s); /* ns */

/* Has somebody waited longer than `patience_s` since `since_ns`? */
bool world_patience_ends(const struct world *w, int64_t since_ns,
                         int64_t now_ns, unsigned patience_s);

const char *world_token(const struct world *w, unsigned room);
static inline bool world_keeps_by_age(unsigned room)
{
    return room % 2 == 1;
}
static inline bool world_has_qos0(unsigned room)
{
    return room % 4 >= 2;
}

/* `room<R>/t<K>`, or with `slash` "%2F" the same for a path. */
void world_put_thing(struct bytes *to, const struct world *w, unsigned thing,
                     const char *slash);

/* Makes the lanes. */
void world_init_lanes(struct world *w, unsigned publishers);

#endif
