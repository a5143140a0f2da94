/* Callers that outlive the call that made them: those of connections and
 * streams. Equal callers are one object, so thousands of connections with
 * the same key cost a pointer each. A caller never changes: with other
 * rights or another plan it is another caller.
 *
 * Threads: any. Each function takes a mutex for one look-up. */
#ifndef CONFAB_BASE_CALLERS_H
#define CONFAB_BASE_CALLERS_H

#include "base/caller.h"

struct callers; /* one for all callers that may be equal */

struct callers *callers_new(void); /* NULL: out of memory */
/* All callers must have been given back. NULL is fine. */
void callers_free(struct callers *all);

/* Returns the shared caller equal to *c, making it if necessary. Copies all
 * of *c except the plan, which stays borrowed, and the client id, which each
 * connection has for itself. Give it back with caller_unref(). NULL: out of
 * memory. */
const struct caller *caller_share(struct callers *all, const struct caller *c);
/* Another reference to a caller of caller_share(); returns it. */
const struct caller *caller_ref(const struct caller *c);
/* The bytes of memory that a caller of caller_share() takes. */
size_t caller_bytes(const struct caller *c);
/* `c` comes from caller_share(). NULL is fine. */
void caller_unref(const struct caller *c);

#endif
