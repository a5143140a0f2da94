#include "bridge/http/forwarded.h"

#include <string.h>
#include <strings.h>

/* The last elements of a list. */
struct tail {
    struct slice elements[FORWARDED_HOPS_MAX];
    size_t count; /* all there were */
};

/* Cuts off what is before the first `mark` outside of quotes. false: a quote is not
 * closed. */
static bool cut_at(struct slice *rest, char mark, struct slice *ret)
{
    const char *p = rest->data;
    bool is_quoted = false;
    size_t i = 0;

    for (; i < rest->len && (is_quoted || p[i] != mark); i++) {
        if (p[i] == '"')
            is_quoted = !is_quoted;
        else if (p[i] == '\\' && is_quoted)
            i++;
    }
    if (is_quoted || i > rest->len)
        return false;
    *ret = slice_trim(slice_of(p, i));
    *rest = i == rest->len ? slice_of(NULL, 0)
                           : slice_of(p + i + 1, rest->len - i - 1);
    return true;
}

static void tail_add(struct tail *t, struct slice element)
{
    t->elements[t->count++ % FORWARDED_HOPS_MAX] = element;
}

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "[2001:db8::1]:80", and bare IPv6
 * as X-Forwarded-For has it. */
static bool parse_node(struct slice node, struct in6_addr *ret)
{
    const char *p = node.data;

    if (node.len == 0)
        return false;
    if (p[0] == '[') {
        const char *end = memchr(p, ']', node.len);
        if (end == NULL)
            return false;
        const size_t behind = node.len - (size_t)(end - p) - 1;
        return (behind == 0 || end[1] == ':') &&
               memchr(p, ':', (size_t)(end - p)) != NULL &&
               address_parse(slice_of(p + 1, (size_t)(end - p) - 1), ret);
    }
    const char *colon = memchr(p, ':', node.len);
    if (colon != NULL && memchr(p, '.', (size_t)(colon - p)) != NULL)
        node.len = (size_t)(colon - p);
    return address_parse(node, ret);
}

/* The node of `for=` in an element of Forwarded; empty: none, or malformed. */
static struct slice for_of(struct slice element)
{
    const struct slice none = slice_of(NULL, 0);
    struct slice pair, found = none;

    while (element.len > 0) {
        if (!cut_at(&element, ';', &pair))
            return none;
        const char *p = pair.data;
        if (pair.len < 4 || strncasecmp(p, "for=", 4) != 0)
            continue;
        if (found.len > 0)
            return none; /* once an element (RFC 7239 §4) */
        found = slice_of(p + 4, pair.len - 4);
    }
    const char *p = found.data;
    if (found.len >= 2 && p[0] == '"' && p[found.len - 1] == '"')
        found = slice_of(p + 1, found.len - 2); /* addresses need no escapes */
    return found;
}

/* From the right over those that are trusted. */
static bool walk(const struct tail *t, const struct address_list *trusted,
                 struct in6_addr *ret)
{
    for (size_t n = 0; n < t->count; n++) {
        if (n == FORWARDED_HOPS_MAX)
            return false;
        const size_t i = (t->count - 1 - n) % FORWARDED_HOPS_MAX;
        if (!parse_node(t->elements[i], ret))
            return false;
        if (!address_list_has(trusted, ret))
            return true;
    }
    return t->count > 0; /* a trusted one sent it itself */
}

static bool by_forwarded(struct slice value,
                         const struct address_list *trusted,
                         struct in6_addr *ret)
{
    struct tail t = {.count = 0};
    struct slice element;

    while (value.len > 0) {
        if (!cut_at(&value, ',', &element))
            return false;
        tail_add(&t, element);
    }
    for (size_t i = 0; i < t.count && i < FORWARDED_HOPS_MAX; i++)
        t.elements[i] = for_of(t.elements[i]);
    return walk(&t, trusted, ret);
}

static bool by_x_forwarded_for(struct slice value,
                               const struct address_list *trusted,
                               struct in6_addr *ret)
{
    struct tail t = {.count = 0};

    while (value.len > 0) {
        const char *p = value.data, *comma = memchr(p, ',', value.len);
        const size_t n = comma == NULL ? value.len : (size_t)(comma - p);
        tail_add(&t, slice_trim(slice_of(p, n)));
        value = comma == NULL ? slice_of(NULL, 0)
                              : slice_of(comma + 1, value.len - n - 1);
    }
    return walk(&t, trusted, ret);
}

bool forwarded_client(struct slice forwarded, struct slice x_forwarded_for,
                      const struct address_list *trusted, struct in6_addr *ret)
{
    struct in6_addr one, other;

    if (forwarded.data == NULL && x_forwarded_for.data == NULL)
        return false;
    if (forwarded.data != NULL && !by_forwarded(forwarded, trusted, &one))
        return false;
    if (x_forwarded_for.data != NULL &&
        !by_x_forwarded_for(x_forwarded_for, trusted, &other))
        return false;
    if (forwarded.data != NULL && x_forwarded_for.data != NULL &&
        memcmp(&one, &other, sizeof(one)) != 0)
        return false;
    *ret = forwarded.data != NULL ? one : other;
    return true;
}
