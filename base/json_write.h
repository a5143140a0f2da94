/* Writes JSON (RFC 8259) into a buffer. Only this file writes commas, quotes,
 * colons and escapes.
 *
 *     struct json_writer w = json_writer_of(&out);
 *     json_object(&w);
 *     json_member_u64(&w, "id", id);
 *     json_name(&w, "things");
 *     json_array(&w);
 *     json_string(&w, thing);
 *     json_array_end(&w);
 *     json_object_end(&w);
 *
 * Calls that cannot yield JSON are bugs and end the process: a value in an
 * object without a name, a name outside an object, an end without a beginning,
 * a second value after the first. json_is_whole() says whether the value is
 * complete.
 *
 * Names are literals in this program and are not escaped, so they must contain
 * no quotes, backslashes or control characters. Values may be any bytes. NaN
 * and infinities, which JSON lacks, cannot be written.
 *
 * Memory:   that of the buffer, which records a failed allocation
 *           (buffer_ok()).
 * Pieces:   `out` may be replaced between two calls, so that an answer can be
 *           written in pieces.
 * Threads:  a writer belongs to one thread at a time. */
#ifndef CONFAB_BASE_JSON_WRITE_H
#define CONFAB_BASE_JSON_WRITE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"

#define JSON_WRITE_DEPTH 32 /* nesting of objects and arrays */

struct json_writer {
    struct buffer *out; /* borrowed */
    /* private */
    uint32_t objects; /* a bit per level: 1 for an object */
    uint8_t depth;
    bool comma;      /* the next element or member needs a comma before it */
    bool named;      /* a name was written, but not its value */
    bool whole;      /* the outermost value is complete */
    size_t raw_from; /* where a raw value begins in out */
};

/* Starts a writer at the end of the buffer; its existing content stays. */
static inline struct json_writer json_writer_of(struct buffer *out)
{
    return (struct json_writer){.out = out};
}

/* Whether the next value is a member of an object. */
static inline bool json_in_object(const struct json_writer *w)
{
    return w->depth > 0 && (w->objects >> (w->depth - 1) & 1) != 0;
}

/* Whether one complete value was written. */
static inline bool json_is_whole(const struct json_writer *w)
{
    return w->whole;
}

void json_object(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array(struct json_writer *w);
void json_array_end(struct json_writer *w);

/* The name of the next value; `name` is a string literal. */
#define json_name(w, name)                                                    \
    json_name_inline(w, ",\"" name "\":", sizeof(name) + 3)
/* The same for a name that is known only when the program runs. */
void json_name_literal(struct json_writer *w, const char *name, size_t len);

/* ---- values */

/* Escapes `"`, `\`, control characters, U+2028 and U+2029; bytes that are not
 * UTF-8 become U+FFFD. */
void json_string(struct json_writer *w, struct slice s);
void json_text(struct json_writer *w,
               const char *s); /* the same, NUL-terminated */
/* For readers whose library rejects strings with characters that MQTT
 * discourages (MQTT 5 §1.5.4): these become \u escapes. Stops at bytes that
 * are not UTF-8. */
void json_string_plain(struct json_writer *w, struct slice s);
void json_base64(struct json_writer *w, struct slice s); /* RFC 4648 §4 */
/* "2026-11-21T06:32:17.123Z" from microseconds since 1970. */
void json_time(struct json_writer *w, int64_t at_us);
void json_u64(struct json_writer *w, uint64_t v);
void json_i64(struct json_writer *w, int64_t v);
void json_bool(struct json_writer *w, bool v);
void json_null(struct json_writer *w);

/* Writes JSON unchanged: a payload that json_check() (base/json.h) has
 * accepted, or the output of a writer. Must not be empty. */
void json_raw(struct json_writer *w, struct slice json);

/* For a value that the caller appends to w->out itself between these two
 * calls; it must append something. */
void json_raw_begin(struct json_writer *w);
void json_raw_end(struct json_writer *w);

/* ---- a name and its value */

#define json_member_string(w, name, s) (json_name(w, name), json_string(w, s))
#define json_member_text(w, name, s) (json_name(w, name), json_text(w, s))
#define json_member_time(w, name, us) (json_name(w, name), json_time(w, us))
#define json_member_u64(w, name, v) (json_name(w, name), json_u64(w, v))
#define json_member_i64(w, name, v) (json_name(w, name), json_i64(w, v))
#define json_member_bool(w, name, v) (json_name(w, name), json_bool(w, v))
#define json_member_null(w, name) (json_name(w, name), json_null(w))
#define json_member_object(w, name) (json_name(w, name), json_object(w))
#define json_member_array(w, name) (json_name(w, name), json_array(w))

/* ---- behind json_name() */

/* `text` is `,"name":`. Inline, because every message that is read has several names:
 * a length known at compile time makes each of them a few loads and stores. Without
 * the comma the colon is written twice, at the same place. */
static inline void json_name_inline(struct json_writer *w, const char *text,
                                    size_t len)
{
    const size_t skip = w->comma ? 0 : 1;
    struct buffer *b = w->out;

    assert(json_in_object(w) && !w->named);
    w->named = true;
    if (b->failed || (len > b->cap - b->len && !buffer_reserve(b, len)))
        return;
    memcpy(b->data + b->len, text + skip, len - 1);
    b->len += len - skip;
    b->data[b->len - 1] = ':';
}

/* ---- without a writer */

/* One string with its quotes, as json_string() writes it. */
void buffer_put_json_string(struct buffer *b, struct slice s);

#endif
