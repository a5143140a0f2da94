/* Whose turn it is on a worker. The clients of a token have one share of each turn
 * of the loop together, however many connections they make; what they sent and is
 * not handled within it waits for the next turn, and so does what they are owed
 * from the log. So a quiet client waits for a share of each busy token, and never
 * for all that any of them can send.
 *
 * A share is time: whatever is costly to handle counts by what it costs, a
 * SUBSCRIBE with many filters as well as packets that are refused. Where many
 * tokens use theirs up, all become shorter. Whoever has no token shares with others
 * of the kind: with those of the same address before CONNECT (held.h), else with
 * all of them. Administrators have no bound.
 *
 * Within a share connections go round, and shares do among each other.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_CLIENT_TURN_SHARE_H
#define CONFAB_BROKER_CLIENT_TURN_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection;
struct worker;

/* All shares that were used up in the turn before have so much together, each so
 * much at least and at most. */
#define TURN_SHARES_US 10000
#define TURN_SHARE_MIN_US 100
#define TURN_SHARE_MAX_US 5000

TAILQ_HEAD(connection_list, connection);
TAILQ_HEAD(turn_share_list, turn_share);

struct turn_share {
    uint64_t turn; /* in which it was spent */
    int64_t spent_us;
    bool is_unbounded;
    uint64_t passed; /* the turn in which it was found to be used up */
    struct connection_list waiting;  /* to be read from */
    struct connection_list owed;     /* owed something from the log */
    TAILQ_ENTRY(turn_share) wait;    /* worker.turns.waiting */
    TAILQ_ENTRY(turn_share) in_owed; /* worker.turns.owed */
};

/* Of those who have no holder. */
enum turn_kind { TURN_ADMIN, TURN_NAMELESS, TURN_STRANGERS, TURN_KINDS };

struct turns {
    uint64_t number; /* of the turn */
    int64_t each_us;
    struct turn_share_list waiting, owed; /* who is next is the first */
    struct turn_share own[TURN_KINDS];
};

void turns_init(struct turns *t);
static inline void turn_share_init(struct turn_share *s)
{
    *s = (struct turn_share){0};
    TAILQ_INIT(&s->waiting);
    TAILQ_INIT(&s->owed);
}

/* Its share of this turn is not used up. */
bool turn_share_is_left(const struct connection *c);

/* How long its packets take, without asking the clock for each. Few bytes are not
 * measured: they count a microsecond a packet. */
struct turn_meter {
    int64_t began_us; /* 0: not measured */
    size_t len;
    unsigned packets;
};
struct turn_meter turn_meter_begin(const struct connection *c, size_t len);
/* After each packet. false: the share is used up. */
bool turn_meter_goes_on(struct turn_meter *m, const struct connection *c,
                        bool is_costly);
void turn_meter_end(const struct turn_meter *m, struct connection *c);

/* The connection waits to be read from until it is its turn (turns_begin()). */
void turn_share_wait(struct connection *c);
void turn_share_forget(struct connection *c); /* when it does not wait, too */

/* A turn begins: whoever waits is served, by take_turn(), before what has come
 * since. */
void turns_begin(struct worker *w, void (*take_turn)(struct connection *c));

/* Connections that are owed something from the log: in, out, and whose turn it is
 * next; NULL: nobody's. The caller takes it out. */
void turn_backlog_add(struct connection *c);
void turn_backlog_remove(struct connection *c);
struct connection *turn_backlog_next(const struct worker *w);

#endif
