/* A stream as JSON over a WebSocket (RFC 6455), one text frame per event. A message is
 * the object that SSE has as its data. Any other event is an object with one member,
 * which has the name and the content of SSE's event: {"status":{…}}, {"gap":{…}},
 * {"session":{…}}. A ping is a ping frame, the end a close frame with a code and a
 * reason.
 *
 * Two formats: `websocket`, and `websocket_deflate` where the handshake agreed on
 * permessage-deflate (deflate.h). */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_WEBSOCKET_H
#define CONFAB_BRIDGE_STREAM_FORMAT_WEBSOCKET_H

#include "bridge/stream/format/stream_format.h"

#endif
