/* Memory that a worker holds for clients: incomplete packets, topics of
 * aliases, wills, and the filters of connected clients.
 *
 * It is counted per token (all its clients together), and before CONNECT was
 * accepted per address (IPv6: per /64), in a pool of its own. So neither
 * peers that never identify themselves nor a single token can use up what
 * others need. Allocations up to HELD_SMALL are always allowed and not
 * counted: limits.connections bounds them, and clients with an ordinary
 * CONNECT, will and packets get in however full the pools are.
 *
 * Tokens are free to create, so a few of them must not use up a pool either:
 * besides its own limit, a token may hold at most a third of what it leaves
 * to the others, which is a quarter of the pool for a token that is alone.
 * Later tokens find less, but never nothing.
 *
 * Loopback addresses, UNIX sockets and clients without a token have no share
 * of their own (proxies and administrators use them); only the whole pool
 * bounds them.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_CLIENT_HELD_H
#define CONFAB_BROKER_CLIENT_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct connection;
struct worker;
struct turn_share;
struct holder; /* an address or a token that memory is counted for */

#define HELD_SMALL 4096

/* X(name, bytes per worker, of these for one address or token) */
#define HELD_POOLS(X)                                                         \
    X(STRANGERS, 16U << 20, 4U << 20)  /* input before CONNECT */             \
    X(INPUT, 256U << 20, 64U << 20)    /* input and aliases of clients */     \
    X(WILLS, 64U << 20, 16U << 20)     /* and the plan's session_bytes_max */ \
    X(FILTERS, 512U << 20, 128U << 20) /* and four times that */

enum held_pool {
#define X(name, whole, each) HELD_##name,
    HELD_POOLS(X)
#undef X
        HELD_POOL_COUNT
};

/* Whose share of STRANGERS an address counts in; 0: nobody's. */
uint64_t held_address_of(const struct sockaddr_storage *at);

/* The connection was attached to its worker, with connection.address set.
 * Also called after it moved. false: out of memory. */
bool held_attach(struct connection *c);
/* It is a client now, with identity, role and plan. false: out of memory. */
bool held_identify(struct connection *c);
/* It leaves the worker, and has returned what it held. */
void held_detach(struct connection *c);

/* The holder's share of the worker's turns. */
struct turn_share *held_turn_share(struct holder *h);

/* has_room tells whether `size` more bytes may be held; add counts them, and
 * give returns the same number. Incomplete packets count in INPUT for
 * clients, else in STRANGERS. */
bool held_input_has_room(const struct connection *c, size_t size);
void held_add_input(struct connection *c, size_t size);
void held_give_input(struct connection *c, size_t size);

/* Topics of aliases are counted whatever their size: a connection has
 * several. */
bool held_aliases_have_room(const struct connection *c, size_t size);
void held_add_aliases(struct connection *c, int64_t change);

/* Bytes of commands with the writer. A token has a share of its worker's
 * credits, so that other tokens' commands do not wait behind all of its own.
 * Returns the holder they count for, to be passed to held_give_credits();
 * NULL: nobody. */
#define HELD_CREDITS_MAX (16U << 20)
struct holder *held_take_credits(struct connection *c, size_t size);
void held_give_credits(struct worker *w, struct holder *h, size_t size);
bool held_has_credits(const struct connection *c);

/* A client's filters, in a stored session or not, at their cost
 * (subscribe.h). The caller keeps the sum of a connection in
 * connection.filter_cost. */
bool held_filters_have_room(const struct connection *c, size_t size);
void held_add_filter(struct connection *c, size_t size);
void held_give_filter(struct connection *c, size_t size);

bool held_wills_have_room(const struct connection *c, size_t size);
void held_add_will(struct connection *c, size_t size);
void held_give_will(struct connection *c, size_t size);

#endif
