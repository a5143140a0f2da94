/* Fair turns on a worker. All clients of a token together get one share of
 * each turn of the loop, however many connections they open. Input that does
 * not fit into the share waits for the next turn, and so does their backlog.
 * So a quiet client waits for at most one share of each busy token, never
 * for everything that these can send.
 *
 * A share is time, so expensive input (a SUBSCRIBE with many filters,
 * packets that are refused) counts by what it costs. The more tokens use
 * their share up, the shorter shares become. Clients without a token share
 * with their kind: before CONNECT with the connections of the same address
 * (held.h), afterwards with all clients without a token. Administrators are
 * not limited.
 *
 * Connections within a share are served round robin, and so are shares.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_CLIENT_TURN_SHARE_H
#define CONFAB_BROKER_CLIENT_TURN_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection;
struct worker;

/* Time of one turn divided among the shares that were used up in the turn
 * before, and the bounds of one share. */
#define TURN_SHARES_US 10000
#define TURN_SHARE_MIN_US 100
#define TURN_SHARE_MAX_US 5000

TAILQ_HEAD(connection_list, connection);
TAILQ_HEAD(turn_share_list, turn_share);

struct turn_share {
    uint64_t turn; /* the turn in which it was spent */
    int64_t spent_us;
    bool is_unbounded;
    uint64_t passed; /* the turn in which it was found used up */
    struct connection_list waiting;  /* to be read from */
    struct connection_list owed;     /* with a backlog */
    TAILQ_ENTRY(turn_share) wait;    /* worker.turns.waiting */
    TAILQ_ENTRY(turn_share) in_owed; /* worker.turns.owed */
};

/* Shares of connections without a holder. */
enum turn_kind { TURN_ADMIN, TURN_NAMELESS, TURN_STRANGERS, TURN_KINDS };

struct turns {
    uint64_t number; /* number of the turn */
    int64_t each_us;
    struct turn_share_list waiting, owed; /* next in line first */
    struct turn_share own[TURN_KINDS];
};

void turns_init(struct turns *t);
static inline void turn_share_init(struct turn_share *s)
{
    *s = (struct turn_share){0};
    TAILQ_INIT(&s->waiting);
    TAILQ_INIT(&s->owed);
}

/* Whether its share of this turn is not used up yet. */
bool turn_share_is_left(const struct connection *c);

/* Measures how long its packets take, without reading the clock for each.
 * Short input is not measured: it counts a microsecond per packet. */
struct turn_meter {
    int64_t began_us; /* 0: not measured */
    size_t len;
    unsigned packets;
};
struct turn_meter turn_meter_begin(const struct connection *c, size_t len);
/* Call it after each packet. false: the share is used up. */
bool turn_meter_goes_on(struct turn_meter *m, const struct connection *c,
                        bool is_costly);
void turn_meter_end(const struct turn_meter *m, struct connection *c);

/* Queues the connection until turns_begin() lets it read. */
void turn_share_wait(struct connection *c);
/* Does nothing if it does not wait. */
void turn_share_forget(struct connection *c);

/* A turn begins: calls take_turn() for waiting connections, before input
 * that has arrived since. */
void turns_begin(struct worker *w, void (*take_turn)(struct connection *c));

/* Queue of connections with a backlog. turn_backlog_next() returns the next
 * one without removing it; NULL: none. */
void turn_backlog_add(struct connection *c);
void turn_backlog_remove(struct connection *c);
struct connection *turn_backlog_next(const struct worker *w);

#endif
