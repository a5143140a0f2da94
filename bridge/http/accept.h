/* Content negotiation: which of our types the client prefers (RFC 9110 §12.5.1).
 * Pure. */
#ifndef CONFAB_BRIDGE_HTTP_ACCEPT_H
#define CONFAB_BRIDGE_HTTP_ACCEPT_H

#include <stdbool.h>

#include "base/slice.h"

/* Index of the type with the highest quality, the first of equals. 0 when the header
 * is empty or names none of our types: the default is more useful than a 406, because
 * curl users mistype. */
size_t accept_best(struct slice accept, const char *const *types,
                   size_t count);

/* Whether the client accepts `type` at all. An empty header accepts everything. */
bool accept_allows(struct slice accept, const char *type);

#endif
