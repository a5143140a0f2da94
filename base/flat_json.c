#include "base/flat_json.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* The position after the string that begins at `at`; the end of the text if it
 * is unterminated. */
static size_t skip_string(struct slice s, size_t at)
{
    const char *p = s.data;

    for (at++; at < s.len && p[at] != '"'; at++)
        at += p[at] == '\\';
    return at < s.len ? at + 1 : s.len;
}

/* The position after the value that begins at `at`: of the comma or bracket
 * that ends it. */
static size_t skip_value(struct slice s, size_t at)
{
    const char *p = s.data;
    unsigned depth = 0;

    while (at < s.len) {
        const char c = p[at];
        if (c == '"') {
            at = skip_string(s, at);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}'))
            return at;
        depth += c == '[' || c == '{';
        depth -= c == ']' || c == '}';
        at++;
    }
    return at;
}

static struct slice subslice(struct slice s, size_t from, size_t to)
{
    return slice_of((const char *)s.data + from, to - from);
}

bool flat_json_next(struct slice array, size_t *at, struct slice *ret_value)
{
    const char *p = array.data;

    if (*at == 0 && (array.len < 2 || p[0] != '['))
        return false;
    const size_t from = *at + 1; /* after the bracket or a comma */
    if (from >= array.len || p[from] == ']')
        return false;
    const size_t to = skip_value(array, from);
    if (to >= array.len || to == from)
        return false;
    *ret_value = subslice(array, from, to);
    *at = p[to] == ',' ? to : array.len;
    return true;
}

bool flat_json_member(struct slice object, const char *name,
                      struct slice *ret_value)
{
    const char *p = object.data;
    size_t at = 1;

    if (object.len < 2 || p[0] != '{')
        return false;
    while (at < object.len && p[at] == '"') {
        const size_t end = skip_string(object, at);
        if (end >= object.len || p[end] != ':')
            return false;
        const size_t to = skip_value(object, end + 1);
        if (to >= object.len)
            return false;
        if (slice_eq(subslice(object, at + 1, end - 1), slice_str(name))) {
            *ret_value = subslice(object, end + 1, to);
            return true;
        }
        at = to + 1;
    }
    return false;
}

/* ---- for people --------------------------------------------------------- */

static uint32_t code_point(const unsigned char *p, size_t len)
{
    uint32_t c = len == 1 ? p[0] : p[0] & (0xffU >> (len + 1));

    for (size_t i = 1; i < len; i++)
        c = c << 6 | (p[i] & 0x3f);
    return c;
}

static bool is_dangerous(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0x61c || c == 0xfeff ||
           (c >= 0xfff0 && c <= 0xfffb) || c >= 0xe0000;
}

static void show_character(struct buffer *b, const unsigned char *p,
                           size_t len)
{
    const uint32_t c = code_point(p, len);

    if (is_dangerous(c))
        buffer_printf(b, c > 0xffff ? "\\u{%x}" : "\\u%04x", c);
    else
        buffer_put(b, p, len);
}

void flat_json_show(struct buffer *b, struct slice value)
{
    const unsigned char *p = value.data;
    size_t at = 0, end = value.len;

    if (end >= 2 && p[0] == '"') {
        at = 1;
        end--;
    }
    while (at < end) {
        size_t len = utf8_sequence(p + at, end - at);
        if (p[at] == '\\' && at + 1 < end && p[at + 1] == '"') {
            at++; /* harmless */
            len = 1;
        }
        if (len > 0)
            show_character(b, p + at, len);
        else
            buffer_put_char(b, '?');
        at += len > 0 ? len : 1;
    }
}
