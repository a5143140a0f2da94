/* Content negotiation: which of our types the client likes best (RFC 9110
 * §12.5.1). Pure. */
#ifndef CONFAB_BRIDGE_HTTP_ACCEPT_H
#define CONFAB_BRIDGE_HTTP_ACCEPT_H

#include <stdbool.h>

#include "base/slice.h"

/* Index of the type with the highest quality; the first of equals; 0 when the
 * header is empty or names none of them (we answer with the default rather than
 * 406: curl users mistype). */
size_t accept_best(struct slice accept, const char *const *types,
                   size_t count);

/* Would the client take `type` at all? An empty header says yes. */
bool accept_allows(struct slice accept, const char *type);

#endif
