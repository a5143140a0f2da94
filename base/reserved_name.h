/* Names that no new token or tenant may have, because they are first segments of the
 * paths of HTTP APIs (doors): `GET /rooms/things` could be about a tenant `rooms`, or a
 * room `things`. Pure; any thread.
 *
 * Which doors there are and where depends on the settings, what is stored does not. So
 * the list is the same on every server, and has the segments of doors that are still to
 * come. Where each rule holds: docs/design/2026-11-30-directory.md, "Reserved names". */
#ifndef CONFAB_BASE_RESERVED_NAME_H
#define CONFAB_BASE_RESERVED_NAME_H

#include <stdbool.h>

#include "base/slice.h"

/* X(name). Compared by case, as paths are. Those with a `.` could not be a token anyway:
 * they are here because bridge/bridge.c looks up every segment of every door. */
#define RESERVED_NAMES(X)                                                     \
    /* the server */                                                          \
    X("health")                                                               \
    X("mqtt")                                                                 \
    X("metrics")                                                              \
    X("admin")                                                                \
    X("console")                                                              \
    X("assets")                                                               \
    X("favicon.ico")                                                          \
    X("robots.txt")                                                           \
    X("docs")                                                                 \
    /* things and chat */                                                     \
    X("tokens")                                                               \
    X("chat")                                                                 \
    X("rooms")                                                                \
    X("users")                                                                \
    X("messages")                                                             \
    X("bans")                                                                 \
    X("unban")                                                                \
    X("me")                                                                   \
    X("random")                                                               \
    X("geoip2")                                                               \
    X("events")                                                               \
    X("acks")                                                                 \
    X("notify")                                                               \
    X("subscriptions")                                                        \
    X("moderators")                                                           \
    X("connections")                                                          \
    X("bots")                                                                 \
    X("upload")                                                               \
    /* versions, sockets and pages of the other APIs */                       \
    X("v1")                                                                   \
    X("v2")                                                                   \
    X("api")                                                                  \
    X("auth")                                                                 \
    X("ws")                                                                   \
    X("websocket")                                                            \
    X("socket.io")                                                            \
    X("realtime")                                                             \
    X("storage")                                                              \
    X("embed")                                                                \
    X("embed.html")                                                           \
    X("index.html")                                                           \
    X("agents")                                                               \
    X("sessions")                                                             \
    X("widget-keys")

bool name_is_reserved(struct slice name);

/* What whoever asked for such a name is told. */
#define NAME_RESERVED_TEXT                                                    \
    "this name is reserved: it is the first segment of paths of the "         \
    "server's HTTP APIs; choose another one"

#endif
