/* `cors.origins` of a tenant: whose pages may use its paths. HTTP threads. */
#ifndef CONFAB_BRIDGE_DOORS_ORIGINS_H
#define CONFAB_BRIDGE_DOORS_ORIGINS_H

#include "bridge/doors/front.h"

/* Whether `origin` (RFC 6454 §6.1) is one of a list separated by blanks; case-insensitive.
 * Pure. */
bool origin_is_listed(struct slice origin, struct slice list);

/* Sets c->origin from the settings of c->arguments[0]. A request without Origin, and one
 * whose Origin is the Host that it was sent to, may always. */
void origin_look_up(struct call *c, struct store_reader *r);

/* true: a page of another origin asks for a stream or WebSocket; answered with 403.
 * Browsers refuse to show other answers to such pages themselves, but know no CORS for
 * WebSockets (RFC 6455 §10.2). */
bool origin_refused(struct call *c);

#endif
