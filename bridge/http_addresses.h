/* How many HTTP connections each client address has. An IPv6 client owns a /64
 * (RFC 6177), so that is what is counted. Any thread. */
#ifndef CONFAB_BRIDGE_HTTP_ADDRESSES_H
#define CONFAB_BRIDGE_HTTP_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct http_addresses;

/* Who shares a count. */
struct http_address {
    uint8_t bytes[9]; /* family, then IPv4 address or the first half of IPv6 */
};

/* IPv4 in IPv6 (::ffff:0:0/96) is IPv4. */
struct http_address http_address_of(const struct sockaddr *at);
bool http_address_is_loopback(const struct http_address *a);

/* NULL: out of memory. */
struct http_addresses *http_addresses_new(void);
void http_addresses_free(struct http_addresses *t); /* NULL is fine */

/* One more. false: it has `most` (0: no limit), or out of memory. */
bool http_addresses_take(struct http_addresses *t,
                         const struct http_address *a, uint64_t most);
void http_addresses_give(struct http_addresses *t,
                         const struct http_address *a);

#endif
