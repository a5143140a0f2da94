/* What a request to /socket.io/ asks for, by its method and query. Pure; what is wrong
 * has the numbers and texts of engine.io, which clients know. */
#ifndef CONFAB_BRIDGE_SOCKETIO_ENGINE_REQUEST_H
#define CONFAB_BRIDGE_SOCKETIO_ENGINE_REQUEST_H

#include <stdbool.h>

#include "base/slice.h"
#include "bridge/http/http.h"
#include "bridge/socketio/engine_session.h"

/* X(NAME, number, message). All are answered with 400. */
#define ENGINE_REFUSALS(X)                                                    \
    X(TRANSPORT, 0, "Transport unknown")                                      \
    X(SID, 1, "Session ID unknown")                                           \
    X(METHOD, 2, "Bad handshake method")                                      \
    X(REQUEST, 3, "Bad request")                                              \
    X(FORBIDDEN, 4, "Forbidden")                                              \
    X(VERSION, 5, "Unsupported protocol version")

enum engine_refusal {
    ENGINE_NOT_REFUSED = -1,
#define X(NAME, number, message) ENGINE_REFUSAL_##NAME = number,
    ENGINE_REFUSALS(X)
#undef X
};

struct engine_request {
    enum engine_transport transport;
    struct slice sid; /* as sent; empty: a handshake */
};

/* upgrades: it asks for a WebSocket (Upgrade: websocket). Whether the sid is known, is
 * for the caller to find out. */
enum engine_refusal engine_request_read(enum http_method method,
                                        struct slice query, bool upgrades,
                                        struct engine_request *ret);
/* {"code":0,"message":"Transport unknown"} */
const char *engine_refusal_json(enum engine_refusal refusal);

#endif
