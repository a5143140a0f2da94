/* The rooms door: users, chat rooms and their messages, with the paths, bodies and
 * answers of the Chat API that its clients know (docs/rooms.md). On the directory
 * (docs/design/2026-11-30-rooms.md): users, rooms and keys of one tenant, messages of
 * its things `rooms/<uid>`.
 *
 * All answers but pages and pictures are JSON with two spaces for each level; errors are
 * {"error":"<text>"}. */
#ifndef CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_H
#define CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_H

#include "bridge/doors/front.h"

extern const struct door rooms_door;

/* rooms_service.c */
enum http_next rooms_status(struct call *c);
enum http_next rooms_health(struct call *c);
enum http_next rooms_random(struct call *c);
enum http_next rooms_address(struct call *c);
enum http_next rooms_websocket(struct call *c);
enum http_next rooms_moderators(struct call *c);
enum http_next rooms_icon(struct call *c);
enum http_next rooms_index(struct call *c);
enum http_next rooms_not_implemented(struct call *c);
enum http_next rooms_connection_delete(struct call *c);

#endif
