/* What the endpoints for keys share. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_KEYS_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_KEYS_H

#include "base/json_write.h"
#include "bridge/doors/front.h"
#include "store/directory.h"

/* Whether the caller may manage its tenant's keys. false: answered. */
bool keys_caller_granted(struct call *c);

/* Writes the members of an object: id, kind, label, user, mount, plan, rights,
 * createdAt, expiresAt; null where there is none. The secret is not known any more.
 * rights: those of `row`, read. */
void key_put_members(struct json_writer *w, const struct key_row *row,
                     const struct right *rights, size_t count);

#endif
