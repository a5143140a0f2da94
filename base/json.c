#include "base/json.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* A pushdown automaton: `nesting` has one bit per open value, 1 for an object.
 *
 * Each scan_* function takes a pointer to the next byte and returns a pointer
 * to the byte after what it has read, or scan_fail(): NULL, with `error` and the
 * offending byte recorded. The pointer is passed along instead of kept in the
 * struct, so that it stays in a register: every message of every device is
 * checked here. */
struct scan {
    const unsigned char *end;
    const unsigned char *stopped;
    const char *error;
    unsigned depth;
    uint64_t nesting[JSON_DEPTH_MAX / 64];
};

static const unsigned char *scan_fail(struct scan *s, const unsigned char *p,
                                      const char *text)
{
    s->stopped = p;
    s->error = text;
    return NULL;
}

static inline int scan_peek(const struct scan *s, const unsigned char *p)
{
    return p < s->end ? *p : -1;
}

static inline const unsigned char *skip_space(const struct scan *s,
                                              const unsigned char *p)
{
    while (p < s->end && *p <= ' ' &&
           (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static inline bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- strings ------------------------------------------------------------ */

#define EACH_BYTE(c) (UINT64_MAX / 0xff * (c))

/* Whether one of eight bytes ends a plain run: a quote, a backslash, a control
 * character, or a byte outside ASCII. It may return true wrongly, but never
 * false wrongly: the caller then looks at each byte. */
static inline bool has_special(uint64_t eight)
{
    const uint64_t high = EACH_BYTE(UINT64_C(0x80));
    const uint64_t quote = eight ^ EACH_BYTE((uint64_t)'"');
    const uint64_t backslash = eight ^ EACH_BYTE((uint64_t)'\\');

    /* x - 1 borrows into bit 7 where x is 0, x - 0x20 where x is below. */
    return (((quote - EACH_BYTE(UINT64_C(1))) |
             (backslash - EACH_BYTE(UINT64_C(1))) |
             (eight - EACH_BYTE(UINT64_C(0x20))) | eight) &
            high) != 0;
}

/* 1 for bytes that stand for themselves within a string. */
static const bool plain[256] =
    {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* not '"' */
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, /* nor '\\' */
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};

/* Long runs go eight bytes at a time; names are usually shorter. */
static inline const unsigned char *skip_plain(const struct scan *s,
                                              const unsigned char *p)
{
    uint64_t eight;

    while (s->end - p >= (ptrdiff_t)sizeof(eight)) {
        memcpy(&eight, p, sizeof(eight));
        if (has_special(eight))
            break;
        p += sizeof(eight);
    }
    while (p < s->end && plain[*p])
        p++;
    return p;
}

/* p: at the backslash. */
static const unsigned char *scan_escape(struct scan *s, const unsigned char *p)
{
    p++;
    switch (scan_peek(s, p)) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return p + 1;
    case 'u':
        p++;
        for (int i = 0; i < 4; i++, p++)
            if (!is_hex(scan_peek(s, p)))
                return scan_fail(s, p,
                                 "expected four hexadecimal digits after \\u");
        return p;
    default: return scan_fail(s, p, "unknown escape in a string");
    }
}

/* p: at a byte that is not plain. */
static const unsigned char *scan_special(struct scan *s,
                                         const unsigned char *p)
{
    if (*p == '\\')
        return scan_escape(s, p);
    if (*p < 0x20)
        return scan_fail(s, p, "control character in a string");
    const size_t n = utf8_sequence(p, (size_t)(s->end - p));
    return n == 0 ? scan_fail(s, p, "invalid UTF-8") : p + n;
}

/* p: at the opening quote. */
static const unsigned char *scan_string(struct scan *s, const unsigned char *p)
{
    p = skip_plain(s, p + 1);
    while (p < s->end && *p != '"') {
        p = scan_special(s, p);
        if (p == NULL)
            return NULL;
        p = skip_plain(s, p);
    }
    return p < s->end ? p + 1 : scan_fail(s, p, "unterminated string");
}

/* ---- other scalars ------------------------------------------------------ */

/* All eight bytes are '0' (0x30) to '9' (0x39). */
static inline bool are_digits(uint64_t eight)
{
    const uint64_t high = EACH_BYTE(UINT64_C(0xf0));

    return (eight & high) == EACH_BYTE(UINT64_C(0x30)) &&
           ((eight + EACH_BYTE(UINT64_C(6))) & high) ==
               EACH_BYTE(UINT64_C(0x30));
}

/* Times in microseconds have sixteen digits. */
static inline const unsigned char *scan_digits(struct scan *s,
                                               const unsigned char *p)
{
    uint64_t eight;

    if (!is_digit(scan_peek(s, p)))
        return scan_fail(s, p, "expected a digit");
    while (s->end - p >= (ptrdiff_t)sizeof(eight)) {
        memcpy(&eight, p, sizeof(eight));
        if (!are_digits(eight))
            break;
        p += sizeof(eight);
    }
    while (p < s->end && is_digit(*p))
        p++;
    return p;
}

/* p: after the digits of the integer part. */
static const unsigned char *scan_fraction_and_exponent(struct scan *s,
                                                       const unsigned char *p)
{
    if (scan_peek(s, p) == '.') {
        p = scan_digits(s, p + 1);
        if (p == NULL)
            return NULL;
    }
    if (scan_peek(s, p) == 'e' || scan_peek(s, p) == 'E') {
        p++;
        if (scan_peek(s, p) == '+' || scan_peek(s, p) == '-')
            p++;
        return scan_digits(s, p);
    }
    return p;
}

static const unsigned char *scan_number(struct scan *s, const unsigned char *p)
{
    if (scan_peek(s, p) == '-')
        p++;
    if (scan_peek(s, p) == '0')
        p++; /* no further digit may follow: RFC 8259 §6 */
    else
        p = scan_digits(s, p);
    return p == NULL ? NULL : scan_fraction_and_exponent(s, p);
}

static const unsigned char *scan_word(struct scan *s, const unsigned char *p,
                                      const char *word)
{
    for (; *word != '\0'; word++, p++)
        if (scan_peek(s, p) != (unsigned char)*word)
            return scan_fail(s, p, "expected a value");
    return p;
}

/* ---- containers --------------------------------------------------------- */

static bool in_object(const struct scan *s)
{
    const unsigned top = s->depth - 1;

    return (s->nesting[top / 64] >> (top % 64) & 1) != 0;
}

/* p: at the bracket. */
static const unsigned char *scan_push(struct scan *s, const unsigned char *p,
                                      bool object)
{
    if (s->depth == JSON_DEPTH_MAX)
        return scan_fail(s, p, "nested more than 512 deep");
    const uint64_t bit = UINT64_C(1) << (s->depth % 64);
    uint64_t *word = &s->nesting[s->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    s->depth++;
    return p + 1;
}

/* A name, its colon, and the white space before the value. */
static const unsigned char *scan_name(struct scan *s, const unsigned char *p)
{
    if (scan_peek(s, p) != '"')
        return scan_fail(s, p, "expected a name in double quotes");
    p = scan_string(s, p);
    if (p == NULL)
        return NULL;
    p = skip_space(s, p);
    if (scan_peek(s, p) != ':')
        return scan_fail(s, p, "expected ':' after a name");
    return skip_space(s, p + 1);
}

/* *ret_opened: the container is not empty, so a value must follow in it. */
static const unsigned char *scan_opening(struct scan *s,
                                         const unsigned char *p,
                                         bool *ret_opened)
{
    const bool object = *p == '{';

    p = scan_push(s, p, object);
    if (p == NULL)
        return NULL;
    p = skip_space(s, p);
    if (scan_peek(s, p) == (object ? '}' : ']')) {
        s->depth--;
        return p + 1;
    }
    *ret_opened = true;
    return object ? scan_name(s, p) : p;
}

/* A scalar, or the opening of a container. */
static const unsigned char *scan_value(struct scan *s, const unsigned char *p,
                                       bool *ret_opened)
{
    const int c = scan_peek(s, p);

    *ret_opened = false;
    switch (c) {
    case '"': return scan_string(s, p);
    case 't': return scan_word(s, p, "true");
    case 'f': return scan_word(s, p, "false");
    case 'n': return scan_word(s, p, "null");
    case '{':
    case '[': return scan_opening(s, p, ret_opened);
    case -1: return scan_fail(s, p, "unexpected end");
    default:
        if (c == '-' || is_digit(c))
            return scan_number(s, p);
        return scan_fail(s, p, "expected a value");
    }
}

/* After a value inside containers: closes those that end here. *ret_more: a
 * comma was read and the next value follows. */
static const unsigned char *scan_after_value(struct scan *s,
                                             const unsigned char *p,
                                             bool *ret_more)
{
    *ret_more = false;
    while (s->depth > 0) {
        const bool object = in_object(s);
        p = skip_space(s, p);
        const int c = scan_peek(s, p);
        if (c == ',') {
            *ret_more = true;
            p = skip_space(s, p + 1);
            return object ? scan_name(s, p) : p;
        }
        if (c != (object ? '}' : ']'))
            return scan_fail(s, p,
                             c == -1  ? "unexpected end"
                             : object ? "expected ',' or '}'"
                                      : "expected ',' or ']'");
        p++;
        s->depth--;
    }
    return p;
}

static enum json_type type_of(int c)
{
    switch (c) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't': return JSON_TRUE;
    case 'f': return JSON_FALSE;
    case 'n': return JSON_NULL;
    default: return JSON_NUMBER;
    }
}

static bool scan_document(struct scan *s, const unsigned char *p)
{
    bool value_follows = true;

    while (value_follows) {
        p = scan_value(s, p, &value_follows);
        if (p != NULL && !value_follows)
            p = scan_after_value(s, p, &value_follows);
        if (p == NULL)
            return false;
    }
    p = skip_space(s, p);
    return p == s->end ||
           scan_fail(s, p, "unexpected bytes after the value") != NULL;
}

bool json_check(const void *data, size_t len, enum json_type *ret_type,
                struct json_error *ret_error)
{
    struct scan s; /* nesting is written before it is read */
    const unsigned char *p = len == 0 ? (const unsigned char *)"" : data;

    s.end = p + len;
    s.depth = 0;
    p = skip_space(&s, p);
    const enum json_type type = type_of(scan_peek(&s, p));
    if (scan_document(&s, p)) {
        if (ret_type != NULL)
            *ret_type = type;
        return true;
    }
    if (ret_error != NULL)
        *ret_error =
            (struct json_error){(size_t)(s.stopped - (s.end - len)), s.error};
    return false;
}
