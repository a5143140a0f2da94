/* Events of the server's own: `$events/<tenant>/<kind>/<thing>`, which pass through the
 * writer's batch in order with messages, and are not stored. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_OFFER_EVENT_H
#define CONFAB_STORE_WRITE_OFFER_EVENT_H

#include "store/write/transaction.h"

/* `thing` may be empty. NOMEM. */
enum store_err offer_event(struct transaction *t, struct slice tenant,
                           const char *kind, struct slice thing);

#endif
