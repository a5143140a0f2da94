/* Counts the connections of each client address, for
 * limits.connections_per_address. An IPv6 client owns a /64 (RFC 6177), so
 * connections are counted per /64. HTTP requests have one such table, MQTT
 * connections without a CONNECT another. Any thread. */
#ifndef CONFAB_BASE_NET_CLIENT_ADDRESSES_H
#define CONFAB_BASE_NET_CLIENT_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct client_addresses;

/* The address that connections are counted for. */
struct client_address {
    uint8_t bytes[9]; /* family, then IPv4 address or the first half of IPv6 */
};

/* IPv4 in IPv6 (::ffff:0:0/96) is IPv4. */
struct client_address client_address_of(const struct sockaddr *at);
bool client_address_is_loopback(const struct client_address *a);

/* How many connections the address may have if limits.connections_per_address
 * is `configured` and limits.connections is `all`; 0: no limit. No single
 * address may use all connections, except a proxy on this machine, which
 * connects for everybody. */
uint64_t client_address_most(const struct client_address *a,
                             uint64_t configured, uint64_t all);

/* NULL: out of memory. */
struct client_addresses *client_addresses_new(void);
void client_addresses_free(struct client_addresses *t); /* NULL is fine */

/* Counts one more. false: the address already has `most` (0: no limit), or out
 * of memory. */
bool client_addresses_take(struct client_addresses *t,
                           const struct client_address *a, uint64_t most);
void client_addresses_give(struct client_addresses *t,
                           const struct client_address *a);

#endif
