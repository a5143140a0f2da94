/* Finds a door's handler for a path. The routes of all doors are compiled at start into
 * one tree of segments, so that a request costs one step for each segment of its path,
 * however many doors and routes there are. */
#ifndef CONFAB_BRIDGE_HTTP_ROUTER_H
#define CONFAB_BRIDGE_HTTP_ROUTER_H

#include "bridge/http/call.h"

struct router;

/* `mounts` (at least one; the first answers for paths that no door has) and what they
 * point to are borrowed for the router's life; `front` becomes that of every call.
 * NULL: *ret_error says which doors and paths conflict:
 *   - two routes of a door have the same method and path;
 *   - two doors have the same path, and neither has claims();
 *   - two such doors reserve the same first segment;
 *   - a route begins with text that its door has not reserved. */
struct router *router_new(struct front *front, const struct mount *mounts,
                          size_t count, struct config_error *ret_error);
void router_free(struct router *r); /* NULL is fine */
/* For http_start(); borrows the router. */
struct http_handler router_handler(struct router *r);

#endif
