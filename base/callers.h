/* Callers that outlive the call that made them: a connection, a stream. Equal ones
 * are one object, so thousands of connections with the same key cost a pointer
 * each. They never change: whoever gets other rights or another plan is another
 * caller.
 *
 * Threads: any. Each function takes a mutex for a look-up. */
#ifndef CONFAB_BASE_CALLERS_H
#define CONFAB_BASE_CALLERS_H

#include "base/caller.h"

struct callers; /* one for everybody whose callers may be equal */

struct callers *callers_new(void); /* NULL: out of memory */
/* Every caller was given back. NULL is fine. */
void callers_free(struct callers *all);

/* The shared one that is equal to *c, which is copied, plan and client excepted:
 * the plan is borrowed as ever, and the client is left out, because each
 * connection has its own. Give it back with caller_unref(). NULL: out of memory. */
const struct caller *caller_share(struct callers *all, const struct caller *c);
/* `c` is of caller_share(). NULL is fine. */
void caller_unref(const struct caller *c);

#endif
