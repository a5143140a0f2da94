/* Checking that an endpoint understands its query. It must not silently ignore what it
 * does not understand: `?lim=3` would get 50 messages, and the sender would think there
 * are only 3. Pure. */
#ifndef CONFAB_BRIDGE_HTTP_QUERY_H
#define CONFAB_BRIDGE_HTTP_QUERY_H

#include "base/buffer.h"

/* `known`: names separated by blanks, each with its other spellings after bars: "things
 * last_event_id|lastEventId"; NULL: anything is allowed. Each spelling of a name may
 * occur once. Names that begin with `_` are ignored: jQuery and others make URLs unique
 * by `_=1700000000`.
 *
 * false: *out gets a sentence for the client, with the parameter and what was probably
 * meant. */
bool query_check(struct slice query, const char *known, struct buffer *out);

/* The known name that is nearest to `name`, spelled as in `known`; {NULL, 0}: none is
 * near. Near names differ in case, hyphens, underscores and up to two letters, or one is
 * the beginning of the other. */
struct slice query_nearest(struct slice name, const char *known);

#endif
