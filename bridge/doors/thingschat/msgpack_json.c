#include "bridge/doors/thingschat/msgpack_json.h"

#include <errno.h>
#include <math.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/utf8.h"

/* ---- msgpack → JSON ------------------------------------------------------
 *
 * Not msgpack_unpack(): it allocates what a length field announces (five bytes could
 * make it ask for 256 GiB) and gives up at 32 levels. Walking the bytes with a cursor
 * avoids both. */

struct cursor {
    const unsigned char *p, *end;
    const char *error;
};

static bool fail(struct cursor *c, const char *text)
{
    c->error = text;
    return false;
}

/* Reads a number of `size` bytes, big-endian. */
static bool read_be_number(struct cursor *c, size_t size, uint64_t *ret)
{
    if ((size_t)(c->end - c->p) < size)
        return fail(c, "cut off");
    *ret = 0;
    for (size_t i = 0; i < size; i++)
        *ret = *ret << 8 | *c->p++;
    return true;
}

static bool read_bytes(struct cursor *c, uint64_t len, struct slice *ret)
{
    if (len > (uint64_t)(c->end - c->p))
        return fail(c, "cut off");
    *ret = slice_of(c->p, (size_t)len);
    c->p += len;
    return true;
}

enum item_type { ITEM_SCALAR, ITEM_STRING, ITEM_BINARY, ITEM_ARRAY, ITEM_MAP };

struct msgpack_item {
    enum item_type type;
    uint64_t count;     /* ARRAY, MAP: elements, pairs */
    struct slice bytes; /* STRING, BINARY */
};

static bool put_float(double v, struct buffer *out, struct cursor *c)
{
    char text[32];

    if (!isfinite(v))
        return fail(c, "JSON has no NaN and no infinity");
    /* the shortest text that reads back as the same number */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buffer_put_str(out, text);
    return true;
}

static bool convert_float(struct cursor *c, size_t size, struct buffer *out)
{
    uint64_t bits;
    double wide;
    float narrow;

    if (!read_be_number(c, size, &bits))
        return false;
    if (size == 8) {
        memcpy(&wide, &bits, sizeof(wide));
    } else {
        const uint32_t low = (uint32_t)bits;
        memcpy(&narrow, &low, sizeof(narrow));
        wide = (double)narrow;
    }
    return put_float(wide, out, c);
}

static bool convert_signed(struct cursor *c, size_t size, struct buffer *out)
{
    uint64_t bits;

    if (!read_be_number(c, size, &bits))
        return false;
    const unsigned shift = (unsigned)(64 - 8 * size);
    buffer_put_i64(out, (int64_t)(bits << shift) >> shift);
    return true;
}

static bool convert_unsigned(struct cursor *c, size_t size, struct buffer *out)
{
    uint64_t v;

    if (!read_be_number(c, size, &v))
        return false;
    buffer_put_u64(out, v);
    return true;
}

/* Reads a length of `size` bytes, and the string or binary that has this length. */
static bool read_sized(struct cursor *c, struct msgpack_item *t,
                       enum item_type type, size_t size)
{
    uint64_t n;

    t->type = type;
    if (!read_be_number(c, size, &n))
        return false;
    t->count = n;
    return type == ITEM_ARRAY || type == ITEM_MAP ||
           read_bytes(c, n, &t->bytes);
}

/* Reads one token; scalars are written to `out` at once. */
static bool read_token(struct cursor *c, struct msgpack_item *t,
                       struct buffer *out)
{
    uint64_t first;

    t->type = ITEM_SCALAR;
    if (!read_be_number(c, 1, &first))
        return false;
    if (first <= 0x7f) {
        buffer_put_u64(out, first);
        return true;
    }
    if (first >= 0xe0) {
        buffer_put_i64(out, (int64_t)first - 256);
        return true;
    }
    if (first <= 0x8f) {
        *t = (struct msgpack_item){ITEM_MAP, first & 15, {0}};
        return true;
    }
    if (first <= 0x9f) {
        *t = (struct msgpack_item){ITEM_ARRAY, first & 15, {0}};
        return true;
    }
    if (first <= 0xbf) {
        t->type = ITEM_STRING;
        return read_bytes(c, first & 31, &t->bytes);
    }
    switch (first) {
    case 0xc0: buffer_put_str(out, "null"); return true;
    case 0xc2: buffer_put_str(out, "false"); return true;
    case 0xc3: buffer_put_str(out, "true"); return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return read_sized(c, t, ITEM_BINARY, (size_t)1 << (first - 0xc4));
    case 0xca: return convert_float(c, 4, out);
    case 0xcb: return convert_float(c, 8, out);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf: return convert_unsigned(c, (size_t)1 << (first - 0xcc), out);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: return convert_signed(c, (size_t)1 << (first - 0xd0), out);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return read_sized(c, t, ITEM_STRING, (size_t)1 << (first - 0xd9));
    case 0xdc:
    case 0xdd:
        return read_sized(c, t, ITEM_ARRAY, (size_t)2 << (first - 0xdc));
    case 0xde:
    case 0xdf: return read_sized(c, t, ITEM_MAP, (size_t)2 << (first - 0xde));
    case 0xc1: return fail(c, "malformed");
    default: return fail(c, "JSON has no extension types");
    }
}

static bool put_string(struct slice s, struct buffer *out, struct cursor *c)
{
    if (!utf8_valid(s.data, s.len))
        return fail(c, "a string is not UTF-8");
    buffer_put_json_string(out, s);
    return true;
}

/* A container that is not closed yet. */
struct unfinished {
    uint64_t left; /* values still to come; MAP: keys and values together */
    bool map;
};

/* Writes what precedes the next value: a comma, or the colon after a key. */
static void put_separator(const struct unfinished *u, bool first,
                          struct buffer *out)
{
    if (u->map && u->left % 2 == 1)
        buffer_put_char(out, ':');
    else if (!first)
        buffer_put_char(out, ',');
}

static bool put_value(struct cursor *c, struct buffer *out, bool as_key,
                      struct msgpack_item *t)
{
    if (!read_token(c, t, out))
        return false;
    if (as_key && t->type != ITEM_STRING)
        return fail(c, "a map's key is not a string");
    if (t->type == ITEM_STRING)
        return put_string(t->bytes, out, c);
    if (t->type == ITEM_BINARY) {
        buffer_put_str(out, "{\"$binary\":\"");
        buffer_put_base64(out, t->bytes);
        buffer_put_str(out, "\"}");
    }
    return true;
}

static bool convert_value(struct cursor *c, struct buffer *out)
{
    struct unfinished open[JSON_DEPTH_MAX];
    unsigned depth = 0;
    bool first = true; /* of its container */
    struct msgpack_item t;

    for (;;) {
        struct unfinished *top = depth > 0 ? &open[depth - 1] : NULL;
        bool as_key = false;
        if (top != NULL && top->left == 0) {
            buffer_put_char(out, top->map ? '}' : ']');
            if (--depth == 0)
                return true;
            first = false;
            continue;
        }
        if (top != NULL) {
            put_separator(top, first, out);
            as_key = top->map && top->left % 2 == 0;
            top->left--;
        }
        if (!put_value(c, out, as_key, &t))
            return false;
        first = false;
        if (depth == 0 && t.type != ITEM_MAP)
            return fail(c, "the body must be a map");
        if (t.type != ITEM_MAP && t.type != ITEM_ARRAY)
            continue;
        if (depth == JSON_DEPTH_MAX)
            return fail(c, "nested more than 512 deep");
        open[depth].map = t.type == ITEM_MAP;
        open[depth++].left = t.type == ITEM_MAP ? 2 * t.count : t.count;
        buffer_put_char(out, t.type == ITEM_MAP ? '{' : '[');
        first = true;
    }
}

bool msgpack_to_json(struct slice in, struct buffer *out,
                     const char **ret_error)
{
    struct cursor c = {.p = in.data,
                       .end = in.len == 0
                                  ? in.data
                                  : (const unsigned char *)in.data + in.len};
    bool ok = convert_value(&c, out);

    if (ok && c.p != c.end)
        ok = fail(&c, "unexpected bytes after the value");
    if (!ok)
        *ret_error = c.error;
    return ok;
}

/* ---- JSON → msgpack ------------------------------------------------------
 *
 * In msgpack a length precedes the elements, in JSON it is known at the end. So a
 * container begins with a 32-bit count of zero, which is set when it ends. */

struct json_reader {
    const char *p, *end;
    struct buffer *out;
    struct buffer text; /* the current string without escapes */
};

struct open_container {
    size_t count_at; /* offset of the 32-bit count in out */
    uint32_t count;
    bool object;
};

static void put_u32(struct buffer *b, uint32_t v)
{
    const unsigned char bytes[4] = {(unsigned char)(v >> 24),
                                    (unsigned char)(v >> 16),
                                    (unsigned char)(v >> 8), (unsigned char)v};
    buffer_put(b, bytes, 4);
}

static int pack_to_buffer(void *arg, const char *data, size_t len)
{
    buffer_put(arg, data, len);
    return 0;
}

static unsigned read_hex4(const char *p)
{
    unsigned v = 0;

    for (int i = 0; i < 4; i++)
        v = v << 4 | (unsigned)hex_digit(p[i]);
    return v;
}

static void put_utf8(struct buffer *b, unsigned c)
{
    if (c < 0x80) {
        buffer_put_char(b, (char)c);
        return;
    }
    if (c >= 0x10000) {
        buffer_put_char(b, (char)(0xf0 | c >> 18));
        buffer_put_char(b, (char)(0x80 | (c >> 12 & 0x3f)));
    } else if (c >= 0x800) {
        buffer_put_char(b, (char)(0xe0 | c >> 12));
    } else {
        buffer_put_char(b, (char)(0xc0 | c >> 6));
    }
    if (c >= 0x800)
        buffer_put_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
    buffer_put_char(b, (char)(0x80 | (c & 0x3f)));
}

/* Reads the four digits of a \u escape, and a second escape if they are a pair. */
static void read_unicode_escape(struct json_reader *r)
{
    unsigned c = read_hex4(r->p);

    r->p += 4;
    if (c >= 0xd800 && c < 0xdc00 && r->end - r->p >= 6 && r->p[0] == '\\' &&
        r->p[1] == 'u') {
        const unsigned low = read_hex4(r->p + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            r->p += 6;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    put_utf8(&r->text, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
}

static void read_string(struct json_reader *r, msgpack_packer *pk)
{
    buffer_clear(&r->text);
    r->p++;
    while (*r->p != '"') {
        if (*r->p != '\\') {
            buffer_put_char(&r->text, *r->p++);
            continue;
        }
        r->p++;
        const char c = *r->p++;
        switch (c) {
        case 'b': buffer_put_char(&r->text, '\b'); break;
        case 'f': buffer_put_char(&r->text, '\f'); break;
        case 'n': buffer_put_char(&r->text, '\n'); break;
        case 'r': buffer_put_char(&r->text, '\r'); break;
        case 't': buffer_put_char(&r->text, '\t'); break;
        case 'u': read_unicode_escape(r); break;
        default: buffer_put_char(&r->text, c); break;
        }
    }
    r->p++;
    msgpack_pack_str(pk, r->text.len);
    msgpack_pack_str_body(pk, r->text.data, r->text.len);
    if (!buffer_ok(&r->text))
        r->out->failed = true;
}

static void read_number(struct json_reader *r, msgpack_packer *pk)
{
    const char *from = r->p;
    bool integer = true;
    char text[400];

    while (r->p < r->end && strchr("+-0123456789.eE", *r->p) != NULL) {
        if (strchr(".eE", *r->p) != NULL)
            integer = false;
        r->p++;
    }
    const size_t len = (size_t)(r->p - from);
    if (len < sizeof(text)) {
        memcpy(text, from, len);
        text[len] = '\0';
        errno = 0;
        if (integer && text[0] == '-') {
            const long long v = strtoll(text, NULL, 10);
            if (errno == 0) {
                msgpack_pack_int64(pk, v);
                return;
            }
        } else if (integer) {
            const unsigned long long v = strtoull(text, NULL, 10);
            if (errno == 0) {
                msgpack_pack_uint64(pk, v);
                return;
            }
        }
        const double d = strtod(text, NULL);
        if (isfinite(d)) {
            msgpack_pack_double(pk, d);
            return;
        }
    }
    msgpack_pack_str(pk, len);
    msgpack_pack_str_body(pk, from, len);
}

static void read_word(struct json_reader *r, msgpack_packer *pk)
{
    switch (*r->p) {
    case 't':
        msgpack_pack_true(pk);
        r->p += 4;
        break;
    case 'f':
        msgpack_pack_false(pk);
        r->p += 5;
        break;
    default: msgpack_pack_nil(pk); r->p += 4;
    }
}

void json_to_msgpack(struct slice json, struct buffer *out)
{
    struct json_reader r = {json.data, (const char *)json.data + json.len, out,
                            BUFFER_INIT};
    struct open_container open[JSON_DEPTH_MAX];
    unsigned depth = 0;
    bool is_name = false; /* the next string is a member's name */
    msgpack_packer pk;

    msgpack_packer_init(&pk, out, pack_to_buffer);
    while (r.p < r.end) {
        const char c = *r.p;
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ':') {
            r.p++;
            continue;
        }
        if (c == ',') {
            is_name = open[depth - 1].object;
            r.p++;
            continue;
        }
        if (c == '}' || c == ']') {
            const struct open_container *o = &open[--depth];
            if (buffer_ok(out)) {
                char *at = out->data + o->count_at;
                for (int i = 0; i < 4; i++)
                    at[i] = (char)(o->count >> (24 - 8 * i));
            }
            is_name = false;
            r.p++;
            continue;
        }
        if (is_name) {
            read_string(&r, &pk);
            is_name = false;
            continue;
        }
        if (depth > 0)
            open[depth - 1].count++;
        if (c == '{' || c == '[') {
            buffer_put_char(out, c == '{' ? (char)0xdf : (char)0xdd);
            open[depth++] = (struct open_container){out->len, 0, c == '{'};
            put_u32(out, 0);
            is_name = c == '{';
            r.p++;
        } else if (c == '"') {
            read_string(&r, &pk);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            read_number(&r, &pk);
        } else {
            read_word(&r, &pk);
        }
    }
    buffer_release(&r.text);
}

void put_msgpack_array(struct buffer *out, uint32_t count)
{
    msgpack_packer pk;

    msgpack_packer_init(&pk, out, pack_to_buffer);
    msgpack_pack_array(&pk, count);
}

void put_msgpack_nil(struct buffer *out)
{
    msgpack_packer pk;

    msgpack_packer_init(&pk, out, pack_to_buffer);
    msgpack_pack_nil(&pk);
}
