/* Places for newcomers when limits.connections are taken: the spare connections
 * (client/spare.h) of all workers give up theirs, who waited longest first.
 *
 * Threads:  make_room_for_another() any, the rest the worker's. */
#ifndef CONFAB_BROKER_ACCEPT_MAKE_ROOM_H
#define CONFAB_BROKER_ACCEPT_MAKE_ROOM_H

#include <stdbool.h>

struct worker;

/* A client says CONNECT at once: who has been silent for so long goes before the
 * HTTP connections that wait for their clients, the others after them. */
#define MAKE_ROOM_SILENT_US 1000000

/* A part of the worker's turn: closes as many as places were promised. */
void make_room_turn(struct worker *w);

/* connection_budget_set_make_mqtt_room(); arg: the hub. */
bool make_room_for_another(void *arg, bool any);

#endif
