/* What a client of `GET /{token}/ws` asks for, and what it is answered. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_WS_CLIENT_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_WS_CLIENT_H

#include "bridge/doors/front.h"
#include "bridge/stream/stream_client.h"

struct ws_client;

/* The door of a stream, whose arg it is. */
extern const struct stream_door ws_door;

/* The caller is the request's, and shared; front and plan are borrowed. NULL: out of
 * memory. */
struct ws_client *ws_client_new(struct front *front,
                                const struct caller *caller,
                                const struct plan *plan);
/* Where no stream took it: the stream does it in the end. */
void ws_client_free(struct ws_client *client);
/* Bytes of a message it may send. */
size_t ws_client_message_max(const struct ws_client *client);

#endif
