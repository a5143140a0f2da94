/* Makes the door's tenant when it is missing: at start, and again when somebody has
 * deleted it. One request on the link at a time. */
#ifndef CONFAB_BRIDGE_DOORS_ROOMS_TENANT_KEEPER_H
#define CONFAB_BRIDGE_DOORS_ROOMS_TENANT_KEEPER_H

#include "bridge/doors/front.h"

struct tenant_keeper;

/* `tenant` is borrowed. NULL: out of memory. */
struct tenant_keeper *tenant_keeper_new(struct front *front,
                                        struct slice tenant);
/* After link_stop(); NULL is fine. */
void tenant_keeper_free(struct tenant_keeper *k);
/* Sends `tenant_create` if that is to be done. One thread at a time. */
void tenant_keeper_look(struct tenant_keeper *k);

#endif
