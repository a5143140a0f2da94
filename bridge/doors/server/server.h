/* The paths of the server itself, whichever APIs are on: its health, and MQTT over
 * WebSocket. */
#ifndef CONFAB_BRIDGE_DOORS_SERVER_SERVER_H
#define CONFAB_BRIDGE_DOORS_SERVER_SERVER_H

#include "bridge/doors/front.h"

extern const struct door server_door;

/* health.c */
enum http_next health_get(struct call *c);
/* mqtt.c */
enum http_next mqtt_websocket(struct call *c);

#endif
