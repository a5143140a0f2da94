#include "base/net/address_range.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/address_list.h"

/* The address without port, brackets and length of the range. */
static struct slice bare(struct slice text)
{
    const char *p = text.data;
    const char *colon = text.len > 0 ? memchr(p, ':', text.len) : NULL;

    if (text.len > 0 && p[0] == '[') {
        const char *end = memchr(p, ']', text.len);
        return end != NULL ? slice_of(p + 1, (size_t)(end - p - 1)) : text;
    }
    if (text.len > 3 && memcmp(p + text.len - 3, "/64", 3) == 0)
        return slice_of(p, text.len - 3);
    if (colon != NULL &&
        memchr(colon + 1, ':', (size_t)(p + text.len - colon - 1)) == NULL)
        return slice_of(p, (size_t)(colon - p)); /* IPv4 and a port */
    return text;
}

size_t address_range_of(const void *bytes, char out[ADDRESS_RANGE_MAX])
{
    char name[INET6_ADDRSTRLEN];
    struct in6_addr address;
    int len;

    memcpy(&address, bytes, sizeof(address));
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
        inet_ntop(AF_INET, address.s6_addr + 12, name, sizeof(name));
        len = snprintf(out, ADDRESS_RANGE_MAX, "%s", name);
    } else {
        memset(address.s6_addr + 8, 0, 8);
        inet_ntop(AF_INET6, &address, name, sizeof(name));
        len = snprintf(out, ADDRESS_RANGE_MAX, "%s/64", name);
    }
    return (size_t)len;
}

size_t address_range(struct slice text, char out[ADDRESS_RANGE_MAX])
{
    struct in6_addr address;

    return address_parse(bare(text), &address)
               ? address_range_of(&address, out)
               : 0;
}
