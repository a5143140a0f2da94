/* Ranges of IP addresses in settings: `10.0.0.0/8`, `fd00::/8`, or a single
 * address. Pure; any thread. */
#ifndef CONFAB_BASE_CIDR_H
#define CONFAB_BASE_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"

#define CIDR_LIST_MAX 64

struct cidr {
    uint8_t address[16]; /* network byte order; IPv4 uses the first four */
    uint8_t bits;        /* length of the prefix: 0 to 32 or 128 */
    bool is_ipv6;
};

struct cidr_list {
    struct cidr items[CIDR_LIST_MAX];
    size_t count; /* 0: contains no address */
};

/* Bits behind the prefix are ignored, so 192.168.1.5/24 is 192.168.1.0/24.
 * false: not an address, or a prefix that is too long. */
bool cidr_parse(struct slice text, struct cidr *ret_range);
/* Ranges separated by blanks or commas; an empty text is an empty list. false:
 * one of them is invalid, or there are more than CIDR_LIST_MAX. */
bool cidr_list_parse(const char *text, struct cidr_list *ret_list);

/* `address` has 4 bytes (IPv4) or 16. An IPv4 range never contains an IPv6
 * address: a caller that takes ::ffff:10.0.0.1 for 10.0.0.1 must convert it. */
bool cidr_contains(const struct cidr *range, const uint8_t *address,
                   bool is_ipv6);
bool cidr_list_contains(const struct cidr_list *list, const uint8_t *address,
                        bool is_ipv6);

#endif
