#include "bridge/outgoing/address_policy.h"

#include <netinet/in.h>
#include <string.h>

struct address_kind {
    struct cidr range;
    const char *text;
};

#define V4(a, b, c, d, bits, text) {{{a, b, c, d}, bits, false}, text},
/* The first two bytes are enough for most ranges of IPv6. */
#define V6(a, b, c, d, bits, text) {{{a, b, c, d}, bits, true}, text},

/* The first that contains an address says what it is. */
static const struct address_kind kinds[] = {
    /* clang-format off */
    V4(0, 0, 0, 0, 8, "an address of \"this network\" (0.0.0.0/8)")
    V4(10, 0, 0, 0, 8, "a private address")
    V4(100, 64, 0, 0, 10, "a carrier's shared address (100.64.0.0/10)")
    V4(127, 0, 0, 0, 8, "a loopback address")
    V4(169, 254, 169, 254, 32, "the metadata service of a cloud")
    V4(169, 254, 0, 0, 16, "a link-local address")
    V4(172, 16, 0, 0, 12, "a private address")
    V4(192, 0, 0, 0, 24, "a reserved address")
    V4(192, 0, 2, 0, 24, "an address for documentation")
    V4(192, 88, 99, 0, 24, "a reserved address")
    V4(192, 168, 0, 0, 16, "a private address")
    V4(198, 18, 0, 0, 15, "an address for benchmarks")
    V4(198, 51, 100, 0, 24, "an address for documentation")
    V4(203, 0, 113, 0, 24, "an address for documentation")
    V4(224, 0, 0, 0, 4, "a multicast address")
    V4(240, 0, 0, 0, 4, "a reserved address")
    V6(0x20, 0x01, 0x0d, 0xb8, 32, "an address for documentation")
    V6(0x20, 0x01, 0, 0, 23, "a reserved address") /* Teredo, ORCHID, … */
    V6(0x3f, 0xff, 0, 0, 20, "an address for documentation")
    V6(0xfc, 0, 0, 0, 7, "a private address (unique local)")
    V6(0xfe, 0x80, 0, 0, 10, "a link-local address")
    V6(0xff, 0, 0, 0, 8, "a multicast address")
    /* clang-format on */
};

/* Where IPv4 addresses are inside IPv6 addresses. ::/96 is not among them: what
 * remains of it are ::, ::1 and addresses nobody may use any more (RFC 4291
 * §2.5.5.1). 64:ff9b:1::/48 is not, either: the place of the IPv4 address depends on
 * the network's prefix (RFC 8215). */
static const struct {
    struct cidr range;
    unsigned at; /* offset of the IPv4 address */
} embeddings[] = {
    {{{[10] = 0xff, [11] = 0xff}, 96, true}, 12}, /* mapped */
    {{{[8] = 0xff, [9] = 0xff}, 96, true}, 12},   /* RFC 2765 */
    {{{0x00, 0x64, 0xff, 0x9b}, 96, true}, 12},   /* NAT64 */
    {{{0x20, 0x02}, 16, true}, 2},                /* 6to4 */
};

static const struct cidr global_unicast = {{0x20}, 3, true};
static const uint8_t ipv6_loopback[16] = {[15] = 1};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *kind_of(const uint8_t *address, bool is_ipv6)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (cidr_contains(&kinds[i].range, address, is_ipv6))
            return kinds[i].text;
    if (!is_ipv6 || cidr_contains(&global_unicast, address, true))
        return NULL;
    return memcmp(address, ipv6_loopback, sizeof(ipv6_loopback)) == 0
               ? "a loopback address"
               : "a reserved address";
}

/* The IPv4 address in an IPv6 address; NULL: there is none. */
static const uint8_t *embedded_in(const uint8_t *address)
{
    for (size_t i = 0; i < COUNT(embeddings); i++)
        if (cidr_contains(&embeddings[i].range, address, true))
            return address + embeddings[i].at;
    return NULL;
}

const char *address_refusal(const struct address_policy *policy,
                            const struct sockaddr *address)
{
    uint8_t bytes[16];

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        memcpy(bytes, &v4->sin_addr, 4);
        return cidr_list_contains(&policy->allow, bytes, false)
                   ? NULL
                   : kind_of(bytes, false);
    }
    if (address->sa_family != AF_INET6)
        return "not an Internet address";
    const struct sockaddr_in6 *v6 = (const void *)address;
    memcpy(bytes, &v6->sin6_addr, sizeof(bytes));
    if (cidr_list_contains(&policy->allow, bytes, true))
        return NULL;
    const uint8_t *v4 = embedded_in(bytes);
    if (v4 == NULL)
        return kind_of(bytes, true);
    return cidr_list_contains(&policy->allow, v4, false) ? NULL
                                                         : kind_of(v4, false);
}
