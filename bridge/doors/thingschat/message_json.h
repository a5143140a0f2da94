/* A stored message as this door shows it; members in the documented order. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_MESSAGE_JSON_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_MESSAGE_JSON_H

#include "base/buffer.h"
#include "bridge/stream/format/payload.h"
#include "store/store.h"

/* {"thing":…,"token":…,"chat":…,"createdAt":…,"id":…} */
void put_latest(struct buffer *b, struct slice token, struct slice thing,
                const struct message *m);
/* {"id":…,"thing":…,"chat":…,"createdAt":…} */
void put_history_item(struct buffer *b, struct slice thing,
                      const struct message *m, enum payload_style style);

#endif
