/* What clients of Socket.IO send: events, and their acknowledgements. In the
 * streamer's thread. */
#ifndef CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_EVENT_H
#define CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_EVENT_H

#include "bridge/doors/rooms/rooms_client.h"

/* An event of the namespace /. */
void rooms_event(struct rooms_client *c, const struct socket_event *event);

#endif
