/* Carrying out the commands of a client of `GET /{token}/ws`, and answering them. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_WS_CLIENT_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_WS_CLIENT_H

#include "bridge/doors/front.h"
#include "bridge/stream/stream_client.h"

struct ws_client;

/* The door of such a stream; the stream's door_arg is the struct ws_client. */
extern const struct stream_door ws_door;

/* `caller` is shared and belongs to the request: a reference is taken. front and plan
 * are borrowed. NULL: out of memory. */
struct ws_client *ws_client_new(struct front *front,
                                const struct caller *caller,
                                const struct plan *plan);
/* Only where no stream adopted the client: streams free theirs when they end. */
void ws_client_free(struct ws_client *client);
/* Size in bytes of the longest message that the client may send. */
size_t ws_client_message_max(const struct ws_client *client);

#endif
