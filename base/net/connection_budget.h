/* limits.connections: one total for the process, whatever speaks on a
 * connection: HTTP requests, streams, MQTT. Each holds a place as long as it is
 * open. Connections from this machine's UNIX sockets (administrators, the link)
 * need none.
 *
 * Any thread; a place is taken with one atomic addition. */
#ifndef CONFAB_BASE_NET_CONNECTION_BUDGET_H
#define CONFAB_BASE_NET_CONNECTION_BUDGET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct connection_budget {
    atomic_uint_least64_t used;
    _Atomic uint64_t limit; /* 0: none */
    pthread_mutex_t mutex;  /* guards the rest */
    bool (*make_room)(void *arg);
    void *arg;
    bool (*make_mqtt_room)(void *arg, bool any);
    void *mqtt_arg;
};

void connection_budget_init(struct connection_budget *b, uint64_t limit);
void connection_budget_release(struct connection_budget *b);

/* Where more are open, they stay; none is let in before they are fewer. */
void connection_budget_set_limit(struct connection_budget *b, uint64_t limit);

/* Who has connections to spare gives up one of them and leaves its place to the
 * caller; the socket may be closed a moment later. NULL: nobody. When these
 * return, the one before is not called any more.
 *
 * The broker is asked first, for one that has been silent for a while; then the
 * HTTP server; then the broker again, for any that has not said CONNECT. */
void connection_budget_set_make_room(struct connection_budget *b,
                                     bool (*make_room)(void *arg), void *arg);
void connection_budget_set_make_mqtt_room(struct connection_budget *b,
                                          bool (*make_room)(void *arg,
                                                            bool any),
                                          void *arg);

/* false: all are taken, and nobody makes room. */
bool connection_budget_take(struct connection_budget *b);
/* For a connection that was let in already and only changes hands. */
void connection_budget_add(struct connection_budget *b);
void connection_budget_give(struct connection_budget *b);

#endif
