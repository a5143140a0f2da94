/* Using a ticket up: it opens one stream, also when two ask at the same time, and also
 * across a crash, since the writer deletes its row. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_TICKET_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_TICKET_H

#include "bridge/doors/front.h"

/* Whether the request came with a ticket that is not taken yet. Ask it when the request
 * has turned out to be right in every other respect, so that a mistake costs no
 * ticket. */
bool ticket_must_be_taken(const struct call *c);
/* Takes it. The handler returns what this returns, and is called once more if the
 * ticket was valid; otherwise the request is answered: 401, 503 or 504. The call
 * must not have data of its own. */
enum http_next ticket_take(struct call *c);

#endif
