#include "base/json_write.h"

#include <assert.h>
#include <string.h>

#include "base/base64.h"
#include "base/iso_time.h"
#include "base/utf8.h"

#define MILLISECONDS 3 /* digits of a time's fraction */

/* ---- structure ---------------------------------------------------------- */

/* Before every value. */
static inline void json_before(struct json_writer *w)
{
    assert(!w->whole); /* there is only one value */
    assert(json_in_object(w) ==
           w->named); /* members have names, others do not */
    if (w->named)
        w->named = false; /* the name has its comma */
    else if (w->comma)
        buffer_put_char(w->out, ',');
}

/* After every value. */
static inline void json_after(struct json_writer *w)
{
    w->comma = true;
    w->whole = w->depth == 0;
}

static void json_begin(struct json_writer *w, bool is_object)
{
    json_before(w);
    assert(w->depth < JSON_WRITE_DEPTH);
    const uint32_t bit = UINT32_C(1) << w->depth++;
    w->objects = is_object ? w->objects | bit : w->objects & ~bit;
    w->comma = false;
    buffer_put_char(w->out, is_object ? '{' : '[');
}

static void json_end(struct json_writer *w, bool is_object)
{
    assert(w->depth > 0 && json_in_object(w) == is_object && !w->named);
    w->depth--;
    buffer_put_char(w->out, is_object ? '}' : ']');
    json_after(w);
}

void json_object(struct json_writer *w)
{
    json_begin(w, true);
}

void json_object_end(struct json_writer *w)
{
    json_end(w, true);
}

void json_array(struct json_writer *w)
{
    json_begin(w, false);
}

void json_array_end(struct json_writer *w)
{
    json_end(w, false);
}

void json_name_literal(struct json_writer *w, const char *name, size_t len)
{
    assert(json_in_object(w) && !w->named);
    if (w->comma)
        buffer_put_char(w->out, ',');
    buffer_put_char(w->out, '"');
    buffer_put(w->out, name, len);
    buffer_put(w->out, "\":", 2);
    w->named = true;
}

/* ---- values ------------------------------------------------------------- */

void json_string(struct json_writer *w, struct slice s)
{
    json_before(w);
    buffer_put_json_string(w->out, s);
    json_after(w);
}

void json_text(struct json_writer *w, const char *s)
{
    json_string(w, slice_str(s));
}

void json_base64(struct json_writer *w, struct slice s)
{
    json_before(w);
    buffer_put_char(w->out, '"');
    buffer_put_base64(w->out, s);
    buffer_put_char(w->out, '"');
    json_after(w);
}

void json_time(struct json_writer *w, int64_t at_us)
{
    json_before(w);
    buffer_put_char(w->out, '"');
    buffer_put_time(w->out, at_us, MILLISECONDS);
    buffer_put_char(w->out, '"');
    json_after(w);
}

void json_u64(struct json_writer *w, uint64_t v)
{
    json_before(w);
    buffer_put_u64(w->out, v);
    json_after(w);
}

void json_i64(struct json_writer *w, int64_t v)
{
    json_before(w);
    buffer_put_i64(w->out, v);
    json_after(w);
}

static void put_word(struct json_writer *w, const char *word)
{
    json_before(w);
    buffer_put_str(w->out, word);
    json_after(w);
}

void json_bool(struct json_writer *w, bool v)
{
    put_word(w, v ? "true" : "false");
}

void json_null(struct json_writer *w)
{
    put_word(w, "null");
}

void json_raw(struct json_writer *w, struct slice json)
{
    assert(json.len > 0);
    json_before(w);
    buffer_put_slice(w->out, json);
    json_after(w);
}

void json_raw_begin(struct json_writer *w)
{
    json_before(w);
    w->raw_from = w->out->len;
}

void json_raw_end(struct json_writer *w)
{
    assert(w->out->failed || w->out->len > w->raw_from);
    json_after(w);
}

/* ---- strings ------------------------------------------------------------ */

static void put_u_escape(struct buffer *b, unsigned c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', 0, 0, 0, 0};

    for (int i = 0; i < 4; i++)
        text[2 + i] = hex[(c >> (12 - 4 * i)) & 15];
    buffer_put(b, text, sizeof(text));
}

static void put_escape(struct buffer *b, unsigned c)
{
    switch (c) {
    case '"': buffer_put(b, "\\\"", 2); return;
    case '\\': buffer_put(b, "\\\\", 2); return;
    case '\b': buffer_put(b, "\\b", 2); return;
    case '\f': buffer_put(b, "\\f", 2); return;
    case '\n': buffer_put(b, "\\n", 2); return;
    case '\r': buffer_put(b, "\\r", 2); return;
    case '\t': buffer_put(b, "\\t", 2); return;
    default: put_u_escape(b, c);
    }
}

static inline bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

#define EACH_BYTE(c) (UINT64_MAX / 0xff * (c))

/* Whether all of eight bytes are plain. It may return false wrongly, but never true
 * wrongly: the caller then looks at each byte. */
static inline bool eight_are_plain(const unsigned char *p)
{
    uint64_t eight;

    memcpy(&eight, p, sizeof(eight));
    const uint64_t quote = eight ^ EACH_BYTE((uint64_t)'"');
    const uint64_t backslash = eight ^ EACH_BYTE((uint64_t)'\\');

    /* x - 1 borrows into bit 7 where x is 0, x - 0x20 where x is below; x + 1
     * carries into it where x is 0x7f. */
    return (((quote - EACH_BYTE(UINT64_C(1))) |
             (backslash - EACH_BYTE(UINT64_C(1))) |
             (eight - EACH_BYTE(UINT64_C(0x20))) |
             (eight + EACH_BYTE(UINT64_C(1))) | eight) &
            EACH_BYTE(UINT64_C(0x80))) == 0;
}

static inline size_t skip_plain(const unsigned char *p, size_t at, size_t len)
{
    while (len - at >= 8 && eight_are_plain(p + at))
        at += 8;
    while (at < len && is_plain(p[at]))
        at++;
    return at;
}

void buffer_put_json_string(struct buffer *b, struct slice s)
{
    const unsigned char *p = s.data;
    size_t from = 0; /* start of the run that needs no escape */
    size_t at = 0;

    buffer_put_char(b, '"');
    while ((at = skip_plain(p, at, s.len)) < s.len) {
        const unsigned char c = p[at];
        size_t n = c < 0x80 ? 1 : utf8_sequence(p + at, s.len - at);
        /* U+2028 and U+2029 end lines in JavaScript source. */
        const bool separator = n == 3 && c == 0xe2 && p[at + 1] == 0x80 &&
                               (p[at + 2] == 0xa8 || p[at + 2] == 0xa9);
        if (n > 1 && !separator) {
            at += n;
            continue;
        }
        buffer_put(b, p + from, at - from);
        if (n == 0) {
            buffer_put(b, "\xef\xbf\xbd", 3); /* U+FFFD */
            n = 1;
        } else {
            put_escape(b, separator ? 0x2000U + (p[at + 2] & 0x3fU) : c);
        }
        at += n;
        from = at;
    }
    if (at > from)
        buffer_put(b, p + from, at - from);
    buffer_put_char(b, '"');
}

static uint32_t code_point(const unsigned char *p, size_t len)
{
    uint32_t c = len == 1 ? p[0] : p[0] & (0xffU >> (len + 1));

    for (size_t i = 1; i < len; i++)
        c = c << 6 | (p[i] & 0x3f);
    return c;
}

/* Characters beyond the basic plane are a pair of surrogates, RFC 8259 §7. */
static void put_code_point_escape(struct buffer *b, uint32_t c)
{
    if (c > 0xffff) {
        put_u_escape(b, 0xd800 + ((c - 0x10000) >> 10));
        c = 0xdc00 + (c & 0x3ff);
    }
    put_u_escape(b, c);
}

void json_string_plain(struct json_writer *w, struct slice s)
{
    const unsigned char *p = s.data;
    struct buffer *b = w->out;
    size_t len;

    json_before(w);
    buffer_put_char(b, '"');
    for (size_t at = 0;
         at < s.len && (len = utf8_sequence(p + at, s.len - at)) > 0;
         at += len) {
        const uint32_t c = code_point(p + at, len);
        if (c == '"' || c == '\\')
            buffer_put_char(b, '\\');
        if (utf8_disallowed(c))
            put_code_point_escape(b, c);
        else
            buffer_put(b, p + at, len);
    }
    buffer_put_char(b, '"');
    json_after(w);
}
