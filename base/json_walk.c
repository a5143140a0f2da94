#include "base/json_walk.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char at_of(struct slice s, size_t at)
{
    return at < s.len ? ((const char *)s.data)[at] : '\0';
}

static size_t skip_space(struct slice s, size_t at)
{
    while (at < s.len && is_space(at_of(s, at)))
        at++;
    return at;
}

struct slice json_trim(struct slice text)
{
    const size_t start = skip_space(text, 0);
    size_t end = text.len;

    while (end > start && is_space(at_of(text, end - 1)))
        end--;
    return slice_of((const char *)text.data + start, end - start);
}

/* at: the opening quote. Returns the position behind the closing one. */
static size_t skip_string(struct slice s, size_t at)
{
    for (at++; at < s.len; at++) {
        if (at_of(s, at) == '"')
            return at + 1;
        if (at_of(s, at) == '\\')
            at++;
    }
    return s.len;
}

static size_t skip_nested(struct slice s, size_t at)
{
    size_t depth = 0;

    while (at < s.len) {
        switch (at_of(s, at)) {
        case '"': at = skip_string(s, at); continue;
        case '{':
        case '[': depth++; break;
        case '}':
        case ']': depth--; break;
        default: break;
        }
        at++;
        if (depth == 0)
            return at;
    }
    return s.len;
}

static size_t skip_value(struct slice s, size_t at)
{
    switch (at_of(s, at)) {
    case '"': return skip_string(s, at);
    case '{':
    case '[': return skip_nested(s, at);
    default: break;
    }
    while (at < s.len && strchr(",]} \t\r\n", at_of(s, at)) == NULL)
        at++;
    return at;
}

/* Moves to the next element: behind the opening bracket, or behind the
 * comma. false: the closing bracket is there. */
static bool go_to_next(struct slice s, char open, size_t *at)
{
    size_t p = skip_space(s, *at);

    if (at_of(s, p) != (*at == 0 ? open : ','))
        return false;
    p = skip_space(s, p + 1);
    if (p >= s.len || at_of(s, p) == ']' || at_of(s, p) == '}')
        return false;
    *at = p;
    return true;
}

static struct slice subslice(struct slice s, size_t from, size_t to)
{
    return slice_of((const char *)s.data + from, to - from);
}

bool json_next_element(struct slice array, size_t *at, struct slice *ret_value)
{
    if (!go_to_next(array, '[', at))
        return false;
    const size_t from = *at;
    *at = skip_value(array, from);
    *ret_value = subslice(array, from, *at);
    return true;
}

bool json_next_member(struct slice object, size_t *at, struct slice *ret_name,
                      struct slice *ret_value)
{
    if (!go_to_next(object, '{', at) || at_of(object, *at) != '"')
        return false;
    size_t p = skip_string(object, *at);
    *ret_name = subslice(object, *at, p);
    p = skip_space(object, p);
    if (at_of(object, p) != ':')
        return false;
    p = skip_space(object, p + 1);
    *at = skip_value(object, p);
    *ret_value = subslice(object, p, *at);
    return true;
}

bool json_string_is(struct slice string, const char *word)
{
    const size_t len = strlen(word);

    return string.len == len + 2 && at_of(string, 0) == '"' &&
           memcmp((const char *)string.data + 1, word, len) == 0;
}

/* ---- what a string says -------------------------------------------------- */

/* The value of the four hexadecimal digits of a \u. -1: invalid. */
static int32_t read_hex(struct slice s, size_t at)
{
    int32_t value = 0;

    for (size_t i = at; i < at + 4; i++) {
        const char c = at_of(s, i);
        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            value = value * 16 + (c - 'A' + 10);
        else
            return -1;
    }
    return value;
}

static void put_utf8(struct buffer *b, int32_t c)
{
    if (c < 0x80) {
        buffer_put_char(b, (char)c);
    } else if (c < 0x800) {
        buffer_put_char(b, (char)(0xc0 | c >> 6));
        buffer_put_char(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buffer_put_char(b, (char)(0xe0 | c >> 12));
        buffer_put_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buffer_put_char(b, (char)(0x80 | (c & 0x3f)));
    } else {
        buffer_put_char(b, (char)(0xf0 | c >> 18));
        buffer_put_char(b, (char)(0x80 | (c >> 12 & 0x3f)));
        buffer_put_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buffer_put_char(b, (char)(0x80 | (c & 0x3f)));
    }
}

/* at: behind `\u`. Returns the position behind the character, which may be a
 * surrogate pair; 0: half a pair. */
static size_t put_escaped_unit(struct buffer *b, struct slice s, size_t at)
{
    const int32_t first = read_hex(s, at);

    if (first < 0 || (first >= 0xdc00 && first <= 0xdfff))
        return 0;
    at += 4;
    if (first < 0xd800 || first > 0xdbff) {
        put_utf8(b, first);
        return at;
    }
    if (at_of(s, at) != '\\' || at_of(s, at + 1) != 'u')
        return 0;
    const int32_t second = read_hex(s, at + 2);
    if (second < 0xdc00 || second > 0xdfff)
        return 0;
    put_utf8(b, 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
    return at + 6;
}

/* at: behind the backslash. Returns as above. */
static size_t put_escape(struct buffer *b, struct slice s, size_t at)
{
    static const char letters[] = "bfnrt", means[] = "\b\f\n\r\t";
    const char c = at_of(s, at);
    const char *letter = c == '\0' ? NULL : strchr(letters, c);

    if (c == 'u')
        return put_escaped_unit(b, s, at + 1);
    buffer_put_char(b, letter == NULL ? c : means[letter - letters]);
    return at + 1;
}

bool json_put_unescaped(struct buffer *b, struct slice string)
{
    if (string.len < 2 || at_of(string, 0) != '"')
        return false;
    const struct slice s = subslice(string, 1, string.len - 1);
    size_t at = 0;

    while (at < s.len) {
        const char *p = (const char *)s.data + at;
        const char *escape = memchr(p, '\\', s.len - at);
        const size_t plain =
            escape == NULL ? s.len - at : (size_t)(escape - p);
        buffer_put(b, p, plain);
        at += plain;
        if (at == s.len)
            break;
        at = put_escape(b, s, at + 1);
        if (at == 0)
            return false;
    }
    return true;
}

bool json_read_u64(struct slice value, uint64_t *ret)
{
    uint64_t n = 0;

    if (value.len == 0)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        const char c = at_of(value, i);
        if (c < '0' || c > '9' || n > (UINT64_MAX - (uint64_t)(c - '0')) / 10)
            return false;
        n = n * 10 + (uint64_t)(c - '0');
    }
    *ret = n;
    return true;
}
