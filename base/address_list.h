/* Addresses and networks of a setting: "10.0.0.0/8, 192.0.2.7, fd00::/8". IPv4
 * addresses are kept and compared as IPv6 has them (::ffff:a.b.c.d). Pure. */
#ifndef CONFAB_BASE_ADDRESS_LIST_H
#define CONFAB_BASE_ADDRESS_LIST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"

#define ADDRESS_LIST_MAX 64

struct address_list {
    size_t count;
    struct {
        struct in6_addr network;
        uint8_t bits; /* of `network` that count */
    } entries[ADDRESS_LIST_MAX];
};

/* Adds what `text` lists, separated by commas or blanks; "" is nothing. false:
 * *ret_bad is the part that is no address or network, or one too many. */
bool address_list_add(struct address_list *list, struct slice text,
                      struct slice *ret_bad);
bool address_list_has(const struct address_list *list,
                      const struct in6_addr *address);

/* One IPv4 or IPv6 address, without brackets, port, zone and blanks. */
bool address_parse(struct slice text, struct in6_addr *ret);
/* AF_INET, AF_INET6; of any other family :: */
struct in6_addr address_mapped(const struct sockaddr *at);
uint16_t address_port(const struct sockaddr *at); /* likewise 0 */
/* ::ffff:a.b.c.d becomes AF_INET. */
void address_to_sockaddr(const struct in6_addr *address, uint16_t port,
                         struct sockaddr_storage *ret);

#endif
