#include "bridge/socketio/socket_packet.h"

#include "base/json.h"
#include "base/json_walk.h"

struct packet_cursor {
    const char *p, *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits, at least one. false: none, or more than `most`. */
static bool read_number(struct packet_cursor *r, uint64_t most, uint64_t *ret)
{
    uint64_t n = 0;

    if (r->p == r->end || !is_digit(*r->p))
        return false;
    for (; r->p < r->end && is_digit(*r->p); r->p++) {
        const unsigned digit = (unsigned)(*r->p - '0');
        if (n > (most - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}

static bool has_attachments(enum socket_packet_type type)
{
    return type == SOCKET_BINARY_EVENT || type == SOCKET_BINARY_ACK;
}

static bool read_attachments(struct packet_cursor *r, struct socket_packet *p)
{
    uint64_t count;

    if (!has_attachments(p->type))
        return true;
    if (!read_number(r, SOCKET_ATTACHMENTS_MAX, &count) || r->p == r->end ||
        *r->p != '-')
        return false;
    r->p++;
    p->attachments = (size_t)count;
    return true;
}

/* A comma ends it, or the packet does. */
static bool read_namespace(struct packet_cursor *r, struct socket_packet *p)
{
    p->namespace_name = slice_str("/");
    if (r->p == r->end || *r->p != '/')
        return true;
    const size_t left = (size_t)(r->end - r->p);
    const char *comma = memchr(r->p, ',', left);
    const size_t len = comma == NULL ? left : (size_t)(comma - r->p);
    if (len > SOCKET_NAMESPACE_MAX)
        return false;
    p->namespace_name = slice_of(r->p, len);
    r->p += comma == NULL ? len : len + 1;
    return true;
}

static bool read_ack_id(struct packet_cursor *r, struct socket_packet *p)
{
    if (r->p == r->end || !is_digit(*r->p))
        return p->type != SOCKET_ACK && p->type != SOCKET_BINARY_ACK;
    p->has_ack_id = true;
    return p->type != SOCKET_CONNECT && p->type != SOCKET_DISCONNECT &&
           p->type != SOCKET_CONNECT_ERROR &&
           read_number(r, SOCKET_ACK_MAX, &p->ack_id);
}

/* ---- the payload ---------------------------------------------------------- */

static bool is_reserved(struct slice name)
{
    static const char *const reserved[] = {
        "connect",       "connect_error", "disconnect",
        "disconnecting", "newListener",   "removeListener",
    };

    for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
        if (slice_eq(name, slice_str(reserved[i])))
            return true;
    return false;
}

/* Escapes may spell a reserved name, too. */
static bool is_reserved_string(struct slice string)
{
    const struct slice name =
        slice_of((const char *)string.data + 1, string.len - 2);
    struct buffer plain = {.limit = sizeof("removeListener") - 1};

    if (name.len == 0 || memchr(name.data, '\\', name.len) == NULL)
        return is_reserved(name);
    /* What does not fit is longer than any of them. */
    const bool reserved = json_put_unescaped(&plain, string) &&
                          buffer_ok(&plain) &&
                          is_reserved(buffer_slice(&plain));
    buffer_release(&plain);
    return reserved;
}

static enum socket_packet_error check_event(struct slice json)
{
    struct slice name;
    size_t at = 0;

    if (!json_next_element(json, &at, &name))
        return SOCKET_PACKET_SHAPE; /* an empty array */
    const char first = *(const char *)name.data;
    if (first == '-' || is_digit(first))
        return SOCKET_PACKET_OK; /* socket.io allows numbers */
    if (first != '"')
        return SOCKET_PACKET_SHAPE;
    return is_reserved_string(name) ? SOCKET_PACKET_RESERVED
                                    : SOCKET_PACKET_OK;
}

static enum socket_packet_error check_placeholders(
    const struct socket_packet *p)
{
    size_t at = 0;
    uint64_t num;

    while (has_attachments(p->type) &&
           socket_next_placeholder(p->json, &at, &num))
        if (num >= p->attachments)
            return SOCKET_PACKET_PLACEHOLDER;
    return SOCKET_PACKET_OK;
}

static enum socket_packet_error check_payload(const struct socket_packet *p)
{
    enum json_type type;
    enum socket_packet_error error = SOCKET_PACKET_OK;

    if (p->json.len == 0)
        return p->type == SOCKET_CONNECT || p->type == SOCKET_DISCONNECT
                   ? SOCKET_PACKET_OK
                   : SOCKET_PACKET_SHAPE;
    if (p->type == SOCKET_DISCONNECT)
        return SOCKET_PACKET_SHAPE;
    if (!json_check(p->json.data, p->json.len, &type, NULL))
        return SOCKET_PACKET_JSON;
    switch (p->type) {
    case SOCKET_CONNECT:
        return type == JSON_OBJECT ? SOCKET_PACKET_OK : SOCKET_PACKET_SHAPE;
    case SOCKET_CONNECT_ERROR:
        return type == JSON_OBJECT || type == JSON_STRING
                   ? SOCKET_PACKET_OK
                   : SOCKET_PACKET_SHAPE;
    default: break;
    }
    if (type != JSON_ARRAY)
        return SOCKET_PACKET_SHAPE;
    if (p->type == SOCKET_EVENT || p->type == SOCKET_BINARY_EVENT)
        error = check_event(p->json);
    return error == SOCKET_PACKET_OK ? check_placeholders(p) : error;
}

enum socket_packet_error socket_packet_read(struct slice text,
                                            struct socket_packet *ret_packet)
{
    struct packet_cursor r = {text.data, (const char *)text.data + text.len};

    *ret_packet = (struct socket_packet){0};
    if (text.len == 0 || *r.p < '0' || *r.p >= '0' + SOCKET_PACKET_TYPES)
        return SOCKET_PACKET_TYPE;
    ret_packet->type = (enum socket_packet_type)(*r.p++ - '0');
    if (!read_attachments(&r, ret_packet))
        return SOCKET_PACKET_ATTACHMENTS;
    if (!read_namespace(&r, ret_packet))
        return SOCKET_PACKET_NAMESPACE;
    if (!read_ack_id(&r, ret_packet))
        return SOCKET_PACKET_ACK_ID;
    ret_packet->json = slice_of(r.p, (size_t)(r.end - r.p));
    return check_payload(ret_packet);
}

const char *socket_packet_error_text(enum socket_packet_error error)
{
    static const char *const texts[] = {
#define X(NAME, text) text,
        SOCKET_PACKET_ERRORS(X)
#undef X
    };

    return texts[error];
}

/* ---- attachments ---------------------------------------------------------- */

static void skip_space(struct packet_cursor *r)
{
    while (r->p < r->end &&
           (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

/* Skips white space and these characters. false: others come. */
static bool skip_word(struct packet_cursor *r, const char *word)
{
    const size_t len = strlen(word);

    skip_space(r);
    if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
        return false;
    r->p += len;
    return true;
}

static bool skip_mark(struct packet_cursor *r)
{
    return skip_word(r, "\"_placeholder\"") && skip_word(r, ":") &&
           skip_word(r, "true");
}

static bool read_num(struct packet_cursor *r, uint64_t *ret_num)
{
    if (!skip_word(r, "\"num\"") || !skip_word(r, ":"))
        return false;
    skip_space(r);
    return read_number(r, UINT32_MAX, ret_num);
}

static bool read_placeholder(struct packet_cursor r, uint64_t *ret_num)
{
    struct packet_cursor turned = r;

    return (skip_mark(&r) && skip_word(&r, ",") && read_num(&r, ret_num) &&
            skip_word(&r, "}")) ||
           (read_num(&turned, ret_num) && skip_word(&turned, ",") &&
            skip_mark(&turned) && skip_word(&turned, "}"));
}

/* The end of the string whose quote is at p. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p < end ? p + 1 : end;
}

bool socket_next_placeholder(struct slice json, size_t *at, uint64_t *ret_num)
{
    struct packet_cursor r = {json.data, (const char *)json.data + json.len};

    for (r.p += *at; r.p < r.end;) {
        const char c = *r.p;
        if (c == '"') {
            r.p = skip_string(r.p, r.end);
            continue;
        }
        r.p++;
        if (c == '{' && read_placeholder(r, ret_num)) {
            *at = (size_t)(r.p - (const char *)json.data);
            return true;
        }
    }
    *at = json.len;
    return false;
}

void socket_packet_put(struct buffer *b, const struct socket_packet *packet)
{
    buffer_put_char(b, (char)('0' + packet->type));
    if (has_attachments(packet->type)) {
        buffer_put_u64(b, packet->attachments);
        buffer_put_char(b, '-');
    }
    if (!slice_eq(packet->namespace_name, slice_str("/"))) {
        buffer_put_slice(b, packet->namespace_name);
        buffer_put_char(b, ',');
    }
    if (packet->has_ack_id)
        buffer_put_u64(b, packet->ack_id);
    buffer_put_slice(b, packet->json);
}
