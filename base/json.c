#include "base/json.h"

#include <stdint.h>

#include "base/utf8.h"

/* A pushdown automaton: `nesting` has one bit per open value, 1 for an object.
 * Each step_* function consumes one token at *at and leaves *at behind it, or
 * at the offending byte with `error` set. */
struct scan {
    const unsigned char *p;
    size_t len;
    size_t at;
    const char *error;
    unsigned depth;
    uint64_t nesting[JSON_DEPTH_MAX / 64];
};

static int peek(const struct scan *s)
{
    return s->at < s->len ? s->p[s->at] : -1;
}

static bool fail(struct scan *s, const char *text)
{
    s->error = text;
    return false;
}

static void skip_space(struct scan *s)
{
    while (s->at < s->len) {
        const unsigned char c = s->p[s->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            break;
        s->at++;
    }
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool scan_escape(struct scan *s)
{
    s->at++; /* the backslash */
    switch (peek(s)) {
    case '"': case '\\': case '/': case 'b':
    case 'f': case 'n': case 'r': case 't':
        s->at++;
        return true;
    case 'u':
        s->at++;
        for (int i = 0; i < 4; i++, s->at++)
            if (!is_hex(peek(s)))
                return fail(s, "expected four hexadecimal digits after \\u");
        return true;
    default:
        return fail(s, "unknown escape in a string");
    }
}

static bool scan_string(struct scan *s)
{
    s->at++; /* the opening quote */
    while (s->at < s->len) {
        const unsigned char c = s->p[s->at];
        if (c == '"') {
            s->at++;
            return true;
        }
        if (c == '\\') {
            if (!scan_escape(s))
                return false;
        } else if (c < 0x20) {
            return fail(s, "control character in a string");
        } else if (c < 0x80) {
            s->at++;
        } else {
            const size_t n = utf8_sequence(s->p + s->at, s->len - s->at);
            if (n == 0)
                return fail(s, "invalid UTF-8");
            s->at += n;
        }
    }
    return fail(s, "unterminated string");
}

static bool scan_digits(struct scan *s)
{
    if (!is_digit(peek(s)))
        return fail(s, "expected a digit");
    while (is_digit(peek(s)))
        s->at++;
    return true;
}

static bool scan_number(struct scan *s)
{
    if (peek(s) == '-')
        s->at++;
    if (peek(s) == '0')
        s->at++; /* no further digit may follow: RFC 8259 §6 */
    else if (!scan_digits(s))
        return false;
    if (peek(s) == '.') {
        s->at++;
        if (!scan_digits(s))
            return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        if (!scan_digits(s))
            return false;
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    for (; *word != '\0'; word++, s->at++)
        if (peek(s) != (unsigned char)*word)
            return fail(s, "expected a value");
    return true;
}

static bool in_object(const struct scan *s)
{
    const unsigned top = s->depth - 1;

    return (s->nesting[top / 64] >> (top % 64) & 1) != 0;
}

static bool push(struct scan *s, bool object)
{
    if (s->depth == JSON_DEPTH_MAX)
        return fail(s, "nested more than 512 deep");
    const uint64_t bit = UINT64_C(1) << (s->depth % 64);
    uint64_t *word = &s->nesting[s->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    s->depth++;
    s->at++; /* the bracket */
    return true;
}

/* A name, its colon, and the white space before the value. */
static bool scan_name(struct scan *s)
{
    if (peek(s) != '"')
        return fail(s, "expected a name in double quotes");
    if (!scan_string(s))
        return false;
    skip_space(s);
    if (peek(s) != ':')
        return fail(s, "expected ':' after a name");
    s->at++;
    skip_space(s);
    return true;
}

/* A scalar, or the opening of a container. *ret_opened: a value must follow
 * inside it (it is not empty). */
static bool scan_value(struct scan *s, bool *ret_opened)
{
    const int c = peek(s);

    *ret_opened = false;
    switch (c) {
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    case '{':
    case '[':
        if (!push(s, c == '{'))
            return false;
        skip_space(s);
        if (peek(s) == (c == '{' ? '}' : ']')) {
            s->at++;
            s->depth--;
            return true;
        }
        *ret_opened = true;
        return c == '[' || scan_name(s);
    case -1:
        return fail(s, "unexpected end");
    default:
        if (c == '-' || is_digit(c))
            return scan_number(s);
        return fail(s, "expected a value");
    }
}

/* After a value inside containers: closes what ends here. *ret_more: a comma
 * was read and the next value follows. */
static bool scan_after_value(struct scan *s, bool *ret_more)
{
    *ret_more = false;
    while (s->depth > 0) {
        const bool object = in_object(s);
        skip_space(s);
        const int c = peek(s);
        if (c == ',') {
            s->at++;
            skip_space(s);
            *ret_more = true;
            return !object || scan_name(s);
        }
        if (c != (object ? '}' : ']'))
            return fail(s, c == -1  ? "unexpected end"
                           : object ? "expected ',' or '}'"
                                    : "expected ',' or ']'");
        s->at++;
        s->depth--;
    }
    return true;
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

static bool scan_document(struct scan *s)
{
    bool value_follows = true;

    while (value_follows) {
        if (!scan_value(s, &value_follows))
            return false;
        if (!value_follows && !scan_after_value(s, &value_follows))
            return false;
    }
    skip_space(s);
    return s->at == s->len || fail(s, "unexpected bytes after the value");
}

bool json_check(const void *data, size_t len, enum json_type *ret_type,
                struct json_error *ret_error)
{
    struct scan s = {.p = data, .len = len};

    skip_space(&s);
    const enum json_type type = type_of(peek(&s));
    if (scan_document(&s)) {
        if (ret_type != NULL)
            *ret_type = type;
        return true;
    }
    if (ret_error != NULL)
        *ret_error = (struct json_error){s.at, s.error};
    return false;
}
