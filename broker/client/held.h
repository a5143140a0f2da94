/* What a worker holds in memory for clients that are not done: beginnings of
 * packets, topics behind aliases, wills and filters of clients that are connected.
 *
 * A few tokens, which anybody may create, cannot use up a pool: besides the limit
 * of its share, a token has no more than a third of what it leaves to the others,
 * which is a quarter of the pool for one that is alone. Later tokens find less, but
 * never nothing, and what is SMALL is always held.
 *
 * It is counted for whom it is held: for a token's clients together, and before
 * CONNECT was accepted for the connections of an address together (IPv6: of a
 * /64), in a pool apart. So those who never say who they are cannot use up what
 * clients need, nor one token what the others do. What is SMALL is always held and
 * not counted: limits.connections bounds it, and whoever has an ordinary CONNECT,
 * will and packet gets in however full the pools are.
 *
 * Loopback, UNIX sockets and clients without a token have no share of their own:
 * proxies are there, and administrators; the whole bounds them.
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
struct holder; /* an address or a token that something is held for */

#define HELD_SMALL 4096

/* X(name, bytes of a worker, of them for one address or token) */
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

/* Whose share of STRANGERS it is; 0: nobody's. */
uint64_t held_address_of(const struct sockaddr_storage *at);

/* The connection is on its worker, with connection.address set; again when it has
 * moved. false: out of memory. */
bool held_attach(struct connection *c);
/* It is a client now, with identity, role and plan. false: out of memory. */
bool held_identify(struct connection *c);
/* It leaves the worker, and has given back what it held. */
void held_detach(struct connection *c);

/* Its share of the worker's turns. */
struct turn_share *held_turn_share(struct holder *h);

/* Whether so much more may be held for it; then it is counted, and given back
 * with the same size. Beginnings of packets are in the pool of who it is (INPUT
 * or STRANGERS). */
bool held_input_has_room(const struct connection *c, size_t size);
void held_add_input(struct connection *c, size_t size);
void held_give_input(struct connection *c, size_t size);

/* Topics behind aliases, of whatever size: a connection has several. */
bool held_aliases_have_room(const struct connection *c, size_t size);
void held_add_aliases(struct connection *c, int64_t change);

/* Bytes of commands that are with the writer: a token has a share of its worker's
 * credits, so that the others' commands do not wait behind all of them. Returns
 * whom they are counted for, as long as that lasts; NULL: nobody. */
#define HELD_CREDITS_MAX (16U << 20)
struct holder *held_take_credits(struct connection *c, size_t size);
void held_give_credits(struct worker *w, struct holder *h, size_t size);
bool held_has_credits(const struct connection *c);

/* A client's filters, in a stored session or not, at their cost (subscribe.h):
 * as connection.filter_cost, which the caller keeps, says of them together. */
bool held_filters_have_room(const struct connection *c, size_t size);
void held_add_filter(struct connection *c, size_t size);
void held_give_filter(struct connection *c, size_t size);

bool held_wills_have_room(const struct connection *c, size_t size);
void held_add_will(struct connection *c, size_t size);
void held_give_will(struct connection *c, size_t size);

#endif
