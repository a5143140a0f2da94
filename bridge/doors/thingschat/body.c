#include "bridge/doors/thingschat/body.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "bridge/doors/thingschat/msgpack_json.h"
#include "bridge/http/gzip.h"

#define SHOWN_MAX 40 /* bytes of a value that an error repeats */

static bool refuse_body(struct call *c, unsigned status, const char *text)
{
    answer_error(c, status, "%s", text);
    return false;
}

void body_release(struct body *b)
{
    buffer_release(&b->inflated);
    buffer_release(&b->converted);
}

/* ---- content coding ------------------------------------------------------ */

static bool is_word(struct slice s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.data, word, s.len) == 0;
}

/* RFC 9110 §8.4.1: x-gzip means gzip, identity means no coding. */
static enum coding {
    CODING_NONE,
    CODING_GZIP,
    CODING_UNKNOWN
} coding_of(const struct call *c)
{
    struct slice coding;

    if (!http_header(c->q, "Content-Encoding", &coding) || coding.len == 0 ||
        is_word(coding, "identity"))
        return CODING_NONE;
    return is_word(coding, "gzip") || is_word(coding, "x-gzip")
               ? CODING_GZIP
               : CODING_UNKNOWN;
}

size_t body_room(const struct call *c, size_t most)
{
    switch (coding_of(c)) {
    case CODING_NONE: return most;
    case CODING_GZIP: return gzip_size_max(most);
    case CODING_UNKNOWN: break;
    }
    return 0;
}

static bool refuse_too_long(struct call *c, size_t most, const struct body *b)
{
    answer_error(c, 413, "payload larger than the %zu bytes %s", most,
                 b->limit != NULL ? b->limit : "of the token's plan");
    return false;
}

static bool decode_gzip(struct call *c, size_t most, struct body *b,
                        struct slice *payload)
{
    switch (gunzip(*payload, most, &b->inflated)) {
    case GUNZIP_OK: *payload = buffer_slice(&b->inflated); return true;
    case GUNZIP_TOO_LONG: return refuse_too_long(c, most, b);
    case GUNZIP_NOMEM: return refuse_body(c, 500, "out of memory");
    case GUNZIP_DAMAGED: break;
    }
    return refuse_body(
        c, 400,
        "body is not gzip as Content-Encoding says, or is cut off or "
        "damaged");
}

/* ---- the value ----------------------------------------------------------- */

static bool is_msgpack(const struct call *c)
{
    static const char *const names[] = {"application/msgpack",
                                        "application/vnd.msgpack",
                                        "application/x-msgpack"};
    struct slice type;

    if (!http_header(c->q, "Content-Type", &type))
        return false;
    const char *p = type.data;
    size_t len = 0; /* of the type without parameters */
    while (len < type.len && strchr("; \t", p[len]) == NULL)
        len++;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (is_word(slice_of(p, len), names[i]))
            return true;
    return false;
}

static bool convert_msgpack(struct call *c, struct body *b,
                            struct slice *payload)
{
    const char *text;

    if (!msgpack_to_json(*payload, &b->converted, &text)) {
        answer_error(c, 400, "body is no MessagePack map: %s", text);
        return false;
    }
    if (!buffer_ok(&b->converted))
        return refuse_body(c, 500, "out of memory");
    *payload = buffer_slice(&b->converted);
    return true;
}

static struct slice without_space(struct slice s)
{
    const char *p = s.data;

    while (s.len > 0 && memchr(" \t\r\n", *p, 4) != NULL)
        p++, s.len--;
    while (s.len > 0 && memchr(" \t\r\n", p[s.len - 1], 4) != NULL)
        s.len--;
    return slice_of(p, s.len);
}

/* Refuses JSON that is not an object, and says what to send instead, with the value
 * itself if it is short. */
static bool refuse_value(struct call *c, struct slice payload)
{
    const struct slice value = without_space(payload);
    const bool is_shown = value.len <= SHOWN_MAX;

    answer_error(
        c, 400,
        "body must be a JSON object, but byte %zu begins another "
        "value: send {\"value\":%.*s}, or publish it over MQTT, which "
        "accepts any payload",
        (size_t)((const char *)value.data - (const char *)payload.data),
        is_shown ? (int)value.len : 3,
        is_shown ? (const char *)value.data : "…");
    return false;
}

/* Refuses what is not JSON. */
static bool refuse_text(struct call *c, struct slice payload,
                        const struct json_error *error)
{
    const char *p = payload.data;
    const struct slice text = without_space(payload);
    const char *hint = "send a JSON object, like {\"value\":21.5}";
    char wrapped[SHOWN_MAX + 64];
    struct buffer quoted = BUFFER_INIT;

    if (text.len == 0) {
        hint = "it is empty; send a JSON object, like {\"value\":21.5}";
    } else if (error->at > 0 && error->at < payload.len &&
               p[error->at] == '{' && memchr(p, '\n', error->at) != NULL) {
        hint = "send one message in each request; lines of NDJSON are several";
    } else if (strchr("{[\"", *(const char *)text.data) == NULL &&
               text.len <= SHOWN_MAX && utf8_valid(text.data, text.len)) {
        /* a word or a line of text */
        buffer_put_json_string(&quoted, text);
        snprintf(wrapped, sizeof(wrapped), "send {\"value\":%.*s}",
                 (int)quoted.len, quoted.len > 0 ? quoted.data : "\"\"");
        if (quoted.len <= SHOWN_MAX)
            hint = wrapped;
    }
    answer_error(c, 400, "body is not JSON: byte %zu: %s; %s", error->at,
                 error->text, hint);
    buffer_release(&quoted);
    return false;
}

/* RFC 8259 §8.1 lets parsers ignore it; PowerShell and .NET send it. */
static struct slice without_byte_order_mark(struct slice s)
{
    static const char mark[] = "\xef\xbb\xbf";

    return s.len >= 3 && memcmp(s.data, mark, 3) == 0
               ? slice_of((const char *)s.data + 3, s.len - 3)
               : s;
}

bool body_read(struct call *c, size_t most, struct body *b,
               struct slice *ret_payload)
{
    const enum coding coding = coding_of(c);
    struct json_error error;
    enum json_type type;
    struct slice payload;
    const bool is_whole = http_body(c->q, &payload);

    if (!is_whole)
        http_close_after(c->q);
    if (coding == CODING_UNKNOWN) {
        http_add_header(c->q, "Accept-Encoding", "gzip");
        return refuse_body(
            c, 415, "Content-Encoding: only gzip is understood, or none");
    }
    if (!is_whole)
        return refuse_too_long(c, most, b);
    if (coding == CODING_GZIP && !decode_gzip(c, most, b, &payload))
        return false;
    if (is_msgpack(c)) {
        if (!convert_msgpack(c, b, &payload))
            return false;
        *ret_payload = payload;
        return true;
    }
    payload = without_byte_order_mark(payload);
    if (!json_check(payload.data, payload.len, &type, &error))
        return refuse_text(c, payload, &error);
    if (type != JSON_OBJECT)
        return refuse_value(c, payload);
    *ret_payload = payload;
    return true;
}
