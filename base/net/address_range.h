/* The range of addresses that one client has: an IPv4 address, or the /64 of an IPv6
 * address (RFC 6177), since its owner can take any address of that. As text, for rows and
 * names: "192.0.2.7", "2001:db8:1:2::/64". Pure; any thread. */
#ifndef CONFAB_BASE_NET_ADDRESS_RANGE_H
#define CONFAB_BASE_NET_ADDRESS_RANGE_H

#include <stddef.h>

#include "base/slice.h"

#define ADDRESS_RANGE_MAX 44

/* Of an address: "192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7" (which is IPv4);
 * behind it may be a port, before which IPv6 is in brackets. A range is its own. Returns
 * its length; 0: it is no address. Equal ranges have equal texts. */
size_t address_range(struct slice text, char out[ADDRESS_RANGE_MAX]);
/* The same of 16 bytes, IPv4 as ::ffff:a.b.c.d. */
size_t address_range_of(const void *address, char out[ADDRESS_RANGE_MAX]);

#endif
