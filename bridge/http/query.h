/* Is a query one that its endpoint understands? What it does not understand it
 * must not pass over in silence: `?lim=3` would get 50 messages, and whoever
 * asked would take them for 3. Pure. */
#ifndef CONFAB_BRIDGE_HTTP_QUERY_H
#define CONFAB_BRIDGE_HTTP_QUERY_H

#include "base/buffer.h"

/* `known`: names separated by blanks, each with other spellings of it behind
 * bars: "things last_event_id|lastEventId"; NULL: anything goes. Each may come
 * once, and each spelling of it once. Names that begin with `_` are nobody's:
 * jQuery and others make a URL unique by `_=1700000000`.
 *
 * false: *out got a sentence for the client, which names the parameter and what
 * was probably meant. */
bool query_check(struct slice query, const char *known, struct buffer *out);

/* The known name nearest to `name`, spelled as `known` has it; {NULL, 0}: none
 * is near. Near are those that differ in case, hyphens, underscores and up to
 * two letters, and those that one of them begins. */
struct slice query_nearest(struct slice name, const char *known);

#endif
