#include "base/address_list.h"

#include <arpa/inet.h>
#include <string.h>

#define V4_PREFIX 96 /* bits of ::ffff:0:0/96 */

static struct in6_addr of_v4(const void *four)
{
    struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    memcpy(a.s6_addr + 12, four, 4);
    return a;
}

bool address_parse(struct slice text, struct in6_addr *ret)
{
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;

    if (text.len == 0 || text.len >= sizeof(copy) ||
        memchr(text.data, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        *ret = of_v4(&v4);
        return true;
    }
    return inet_pton(AF_INET6, copy, ret) == 1;
}

struct in6_addr address_mapped(const struct sockaddr *at)
{
    const void *p = at;

    if (at->sa_family == AF_INET)
        return of_v4(&((const struct sockaddr_in *)p)->sin_addr);
    if (at->sa_family == AF_INET6)
        return ((const struct sockaddr_in6 *)p)->sin6_addr;
    return (struct in6_addr){0};
}

uint16_t address_port(const struct sockaddr *at)
{
    const void *p = at;

    if (at->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)p)->sin_port);
    if (at->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)p)->sin6_port);
    return 0;
}

void address_to_sockaddr(const struct in6_addr *address, uint16_t port,
                         struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, address->s6_addr + 12, 4);
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        v6->sin6_addr = *address;
    }
}

/* "24" of "10.0.0.0/24"; `most` without a slash. */
static bool parse_bits(struct slice text, unsigned most, unsigned *ret)
{
    const char *p = text.data;
    unsigned bits = 0;

    if (text.len == 0 || text.len > 3)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        bits = bits * 10 + (unsigned)(p[i] - '0');
    }
    *ret = bits;
    return bits <= most;
}

static bool add_one(struct address_list *list, struct slice text)
{
    const char *p = text.data, *slash = memchr(p, '/', text.len);
    const size_t len = slash == NULL ? text.len : (size_t)(slash - p);
    struct in6_addr address;
    unsigned bits = 128;

    if (list->count == ADDRESS_LIST_MAX ||
        !address_parse(slice_of(p, len), &address))
        return false;
    const bool is_v4 = memchr(p, ':', len) == NULL;
    if (slash != NULL && !parse_bits(slice_of(slash + 1, text.len - len - 1),
                                     is_v4 ? 32 : 128, &bits))
        return false;
    if (slash != NULL && is_v4)
        bits += V4_PREFIX;
    list->entries[list->count].network = address;
    list->entries[list->count].bits = (uint8_t)bits;
    list->count++;
    return true;
}

bool address_list_add(struct address_list *list, struct slice text,
                      struct slice *ret_bad)
{
    const char *p = text.data;
    size_t at = 0;

    while (at < text.len) {
        size_t end = at;
        while (end < text.len && strchr(", \t", p[end]) == NULL)
            end++;
        if (end > at && !add_one(list, slice_of(p + at, end - at))) {
            *ret_bad = slice_of(p + at, end - at);
            return false;
        }
        at = end + 1;
    }
    return true;
}

static bool in_network(const struct in6_addr *a, const struct in6_addr *net,
                       unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a->s6_addr, net->s6_addr, whole) != 0)
        return false;
    return rest == 0 ||
           (a->s6_addr[whole] ^ net->s6_addr[whole]) >> (8 - rest) == 0;
}

bool address_list_has(const struct address_list *list,
                      const struct in6_addr *address)
{
    for (size_t i = 0; i < list->count; i++)
        if (in_network(address, &list->entries[i].network,
                       list->entries[i].bits))
            return true;
    return false;
}
