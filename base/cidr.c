#include "base/cidr.h"

#include <arpa/inet.h>
#include <string.h>

#define TEXT_MAX 64 /* longer than any address with its prefix */

/* One to three digits; false: anything else. */
static bool parse_bits(const char *text, unsigned max, uint8_t *ret_bits)
{
    unsigned bits = 0;
    const size_t len = strlen(text);

    if (len == 0 || len > 3 || strspn(text, "0123456789") != len)
        return false;
    for (size_t i = 0; i < len; i++)
        bits = bits * 10 + (unsigned)(text[i] - '0');
    if (bits > max)
        return false;
    *ret_bits = (uint8_t)bits;
    return true;
}

bool cidr_parse(struct slice text, struct cidr *ret_range)
{
    char copy[TEXT_MAX];
    struct cidr range = {0};

    if (text.len == 0 || text.len >= sizeof(copy) ||
        memchr(text.data, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    char *slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    range.is_ipv6 = strchr(copy, ':') != NULL;
    if (inet_pton(range.is_ipv6 ? AF_INET6 : AF_INET, copy, range.address) !=
        1)
        return false;
    range.bits = range.is_ipv6 ? 128 : 32;
    if (slash != NULL && !parse_bits(slash + 1, range.bits, &range.bits))
        return false;
    *ret_range = range;
    return true;
}

bool cidr_list_parse(const char *text, struct cidr_list *ret_list)
{
    static const char separators[] = ", \t";
    struct cidr_list list = {.count = 0};

    for (;;) {
        text += strspn(text, separators);
        const size_t len = strcspn(text, separators);
        if (len == 0)
            break;
        if (list.count == CIDR_LIST_MAX ||
            !cidr_parse(slice_of(text, len), &list.items[list.count]))
            return false;
        list.count++;
        text += len;
    }
    *ret_list = list;
    return true;
}

bool cidr_contains(const struct cidr *range, const uint8_t *address,
                   bool is_ipv6)
{
    const size_t bytes = range->bits / 8;
    const unsigned rest = range->bits % 8;

    if (range->is_ipv6 != is_ipv6 ||
        memcmp(range->address, address, bytes) != 0)
        return false;
    return rest == 0 ||
           ((range->address[bytes] ^ address[bytes]) >> (8 - rest)) == 0;
}

bool cidr_list_contains(const struct cidr_list *list, const uint8_t *address,
                        bool is_ipv6)
{
    for (size_t i = 0; i < list->count; i++)
        if (cidr_contains(&list->items[i], address, is_ipv6))
            return true;
    return false;
}
