/* limits.connections: one total for all connections of a process, whatever
 * their protocol: HTTP requests, streams, MQTT. Each connection holds a slot
 * while it is open. Connections over UNIX sockets (administrators, the link)
 * need none.
 *
 * Any thread; a slot is taken with one atomic addition. */
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

/* If more connections are open, they stay open; new ones are refused until
 * there are fewer. */
void connection_budget_set_limit(struct connection_budget *b, uint64_t limit);

/* Registers a callback that closes one connection and passes its slot to the
 * caller; the socket may be closed a moment later. NULL: none. When these
 * functions return, the previous callback is not called any more.
 *
 * The broker is asked first, for a connection without a CONNECT that has
 * been silent for a while; then the HTTP server; then the broker again, for
 * any connection without a CONNECT. */
void connection_budget_set_make_room(struct connection_budget *b,
                                     bool (*make_room)(void *arg), void *arg);
void connection_budget_set_make_mqtt_room(struct connection_budget *b,
                                          bool (*make_room)(void *arg,
                                                            bool any),
                                          void *arg);

/* false: all slots are taken, and no connection can be closed for another. */
bool connection_budget_take(struct connection_budget *b);
/* For a connection that was accepted before and only changes its owner. */
void connection_budget_add(struct connection_budget *b);
void connection_budget_give(struct connection_budget *b);

#endif
