/* Frees slots for new connections when limits.connections is reached: closes
 * spare connections (client/spare.h) of all workers, longest wait first.
 *
 * Threads:  make_room_for_another() any, the rest the worker's. */
#ifndef CONFAB_BROKER_ACCEPT_MAKE_ROOM_H
#define CONFAB_BROKER_ACCEPT_MAKE_ROOM_H

#include <stdbool.h>

struct worker;

/* Clients send CONNECT at once. Connections that were silent for this long
 * are closed first, then HTTP connections that wait for their clients, then
 * the other spare ones. */
#define MAKE_ROOM_SILENT_US 1000000

/* A part of the worker's turn: closes as many as slots were promised. */
void make_room_turn(struct worker *w);

/* connection_budget_set_make_mqtt_room(); arg: the hub. */
bool make_room_for_another(void *arg, bool any);

#endif
