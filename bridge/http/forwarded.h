/* Who sent a request that came from a trusted proxy: `Forwarded` (RFC 7239) and
 * `X-Forwarded-For`, read from the right, where the last proxy added what it saw,
 * over the proxies that are trusted, to the first address that is not. What is left
 * of that anybody could have written. Pure. */
#ifndef CONFAB_BRIDGE_HTTP_FORWARDED_H
#define CONFAB_BRIDGE_HTTP_FORWARDED_H

#include <stdbool.h>

#include "base/address_list.h"
#include "base/slice.h"

#define FORWARDED_HOPS_MAX 16 /* elements looked at, from the right */

/* The values, several lines joined by commas; without data: there is no such header.
 * false: neither says it, or an element on the way is malformed, `unknown` or a name
 * made up (`_x`), or there are too many proxies. Where both headers are there they
 * must mean the same: one of them may have come from the client through a proxy that
 * sets only the other. */
bool forwarded_client(struct slice forwarded, struct slice x_forwarded_for,
                      const struct address_list *trusted,
                      struct in6_addr *ret);

#endif
