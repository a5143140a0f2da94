/* Connections that give up their places when limits.connections are taken: those
 * that have not said who they are (a plain socket, a TLS or WebSocket handshake,
 * half a CONNECT), who waited longest first; and before all of them those to whom
 * goodbye was said. So nobody keeps clients out without being one, and clients
 * are bounded by their plans.
 *
 * Threads:  spare_make_room() any, the rest the worker's. */
#ifndef CONFAB_BROKER_ACCEPT_SPARE_H
#define CONFAB_BROKER_ACCEPT_SPARE_H

#include <stdbool.h>

struct connection;
struct worker;

/* A client says CONNECT at once: who has been silent for so long goes before the
 * HTTP connections that wait for their clients, the others after them. */
#define SPARE_SILENT_US 1000000

void spare_init(struct worker *w);

/* It waits for its client; or its end, and then it is the first to go. One that
 * has no place is not taken in. */
void spare_enter(struct connection *c);
/* It is a client now, or leaves the worker; when it is not in the list, too. */
void spare_leave(struct connection *c);

/* A part of the worker's turn: closes as many as places were promised. */
void spare_turn(struct worker *w);

/* connection_budget_set_make_mqtt_room(); arg: the hub. */
bool spare_make_room(void *arg, bool any);

#endif
