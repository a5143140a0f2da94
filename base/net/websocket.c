#include "base/net/websocket.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define CONTROL_MAX 125 /* payload of a control frame */
#define FIN 0x80

struct websocket {
    wslay_frame_context_ptr frames;

    /* in */
    const char *raw; /* input of the current websocket_decode() */
    size_t raw_len;
    uint64_t in_left; /* bytes left of the frame being received */
    bool in_message;  /* the last fragment of the message has not arrived */
    bool is_closed;   /* the client's close frame has arrived */
    uint8_t ping[CONTROL_MAX];
    size_t ping_len;
    const char *error; /* NULL: none */

    /* out */
    uint64_t out_left; /* payload announced in a header and not sent yet */
    uint8_t head[2 * (2 + CONTROL_MAX) + 10];
    size_t head_at, head_len;
    /* A pong to send between two frames; pong_len 0: none. */
    uint8_t pong[2 + CONTROL_MAX];
    size_t pong_len;
    uint16_t close_code; /* 0: none */
    bool close_queued;   /* the close frame is in `head`, or was sent */
};

/* ---- in ----------------------------------------------------------------- */

/* wslay reads network input through this: the bytes of websocket_decode(). */
static ssize_t take_raw(uint8_t *to, size_t len, int flags, void *arg)
{
    struct websocket *s = arg;
    const size_t n = len < s->raw_len ? len : s->raw_len;

    (void)flags;
    if (n == 0)
        return -1; /* no more input at the moment */
    memcpy(to, s->raw, n);
    s->raw += n;
    s->raw_len -= n;
    return (ssize_t)n;
}

struct websocket *websocket_new(void)
{
    static const struct wslay_frame_callbacks callbacks = {
        .recv_callback = take_raw,
    };
    struct websocket *s = calloc(1, sizeof(*s));

    if (s != NULL &&
        wslay_frame_context_init(&s->frames, &callbacks, s) != 0) {
        free(s);
        return NULL;
    }
    return s;
}

void websocket_free(struct websocket *s)
{
    if (s == NULL)
        return;
    wslay_frame_context_free(s->frames);
    free(s);
}

static bool websocket_fail(struct websocket *s, uint16_t code,
                           const char *text)
{
    s->error = text;
    websocket_close(s, code);
    return false;
}

/* Checks the rules that wslay does not check, at the beginning of each
 * frame. */
static bool frame_allowed(struct websocket *s,
                          const struct wslay_frame_iocb *frame)
{
    if (!frame->mask)
        return websocket_fail(s, WEBSOCKET_PROTOCOL_ERROR,
                              "frame is not masked");
    if (frame->rsv != WSLAY_RSV_NONE)
        return websocket_fail(s, WEBSOCKET_PROTOCOL_ERROR,
                              "reserved bits of a frame");
    switch (frame->opcode) {
    case WSLAY_BINARY_FRAME:
        if (s->in_message)
            return websocket_fail(s, WEBSOCKET_PROTOCOL_ERROR,
                                  "a message inside another one");
        break;
    case WSLAY_CONTINUATION_FRAME:
        if (!s->in_message)
            return websocket_fail(s, WEBSOCKET_PROTOCOL_ERROR,
                                  "continuation of no message");
        break;
    case WSLAY_TEXT_FRAME:
        return websocket_fail(s, WEBSOCKET_UNSUPPORTED_DATA,
                              "text frame: MQTT is sent in binary ones");
    case WSLAY_PING:
    case WSLAY_PONG:
    case WSLAY_CONNECTION_CLOSE: return true;
    default:
        return websocket_fail(s, WEBSOCKET_PROTOCOL_ERROR, "unknown opcode");
    }
    s->in_message = !frame->fin;
    return true;
}

static void queue_pong(struct websocket *s)
{
    s->pong[0] = FIN | WSLAY_PONG;
    s->pong[1] = (uint8_t)s->ping_len;
    memcpy(s->pong + 2, s->ping, s->ping_len);
    s->pong_len = 2 + s->ping_len;
}

/* Handles a part of a frame, or all of it. */
static void take_part(struct websocket *s, const struct wslay_frame_iocb *part,
                      char **out)
{
    switch (part->opcode) {
    case WSLAY_BINARY_FRAME:
    case WSLAY_CONTINUATION_FRAME:
        if (part->data_length > 0)
            memcpy(*out, part->data, part->data_length);
        *out += part->data_length;
        break;
    case WSLAY_PING:
        assert(s->ping_len + part->data_length <= CONTROL_MAX);
        if (part->data_length > 0)
            memcpy(s->ping + s->ping_len, part->data, part->data_length);
        s->ping_len += part->data_length;
        if (s->in_left == 0)
            queue_pong(s);
        break;
    case WSLAY_CONNECTION_CLOSE:
        if (s->in_left > 0)
            break;
        s->is_closed = true;
        websocket_close(s, WEBSOCKET_NORMAL);
        break;
    default: break; /* an unsolicited pong: RFC 6455 §5.5.3 */
    }
}

/* Works in place: payload is never longer than its frame, and wslay has
 * copied the input before it returns any payload. */
ssize_t websocket_decode(struct websocket *s, char *bytes, size_t len)
{
    struct wslay_frame_iocb part;
    char *out = bytes;

    assert(s->error == NULL);
    s->raw = bytes;
    s->raw_len = len;
    while (!s->is_closed) {
        memset(&part, 0, sizeof(part));
        const ssize_t n = wslay_frame_recv(s->frames, &part);
        if (n == WSLAY_ERR_WANT_READ)
            break;
        if (n < 0) {
            websocket_fail(s, WEBSOCKET_PROTOCOL_ERROR, "malformed frame");
            return -1;
        }
        if (s->in_left == 0) {
            if (!frame_allowed(s, &part))
                return -1;
            s->in_left = part.payload_length;
            s->ping_len = part.opcode == WSLAY_PING ? 0 : s->ping_len;
        }
        s->in_left -= part.data_length;
        take_part(s, &part, &out);
    }
    return out - bytes;
}

bool websocket_is_closed(const struct websocket *s)
{
    return s->is_closed;
}

const char *websocket_error(const struct websocket *s)
{
    return s->error;
}

/* ---- out ---------------------------------------------------------------- */

void websocket_close(struct websocket *s, uint16_t code)
{
    if (s->close_code == 0)
        s->close_code = code;
}

static void append_output(struct websocket *s, const uint8_t *bytes,
                          size_t len)
{
    assert(s->head_len + len <= sizeof(s->head));
    memcpy(s->head + s->head_len, bytes, len);
    s->head_len += len;
}

static void put_close(struct websocket *s)
{
    const uint8_t frame[] = {FIN | WSLAY_CONNECTION_CLOSE, 2,
                             (uint8_t)(s->close_code >> 8),
                             (uint8_t)s->close_code};

    append_output(s, frame, sizeof(frame));
    s->close_queued = true;
}

/* Without wslay, which would write header and payload in two system calls. */
static void put_header(struct websocket *s, uint64_t len)
{
    uint8_t header[10] = {FIN | WSLAY_BINARY_FRAME};
    size_t size = 2;

    if (len < 126) {
        header[1] = (uint8_t)len;
    } else {
        const size_t wide = len <= UINT16_MAX ? 2 : 8;
        header[1] = wide == 2 ? 126 : 127;
        for (size_t i = 0; i < wide; i++)
            header[size++] = (uint8_t)(len >> (8 * (wide - 1 - i)));
    }
    append_output(s, header, size);
    s->out_left = len;
}

static void fill_head(struct websocket *s, size_t offered)
{
    s->head_at = s->head_len = 0;
    if (s->pong_len > 0)
        append_output(s, s->pong, s->pong_len);
    s->pong_len = 0;
    if (s->close_code != 0)
        put_close(s);
    else if (offered > 0)
        put_header(s, offered);
}

size_t websocket_next(struct websocket *s, size_t offered,
                      const uint8_t **ret_head, size_t *ret_payload)
{
    if (s->head_at == s->head_len && s->out_left == 0 && !s->close_queued)
        fill_head(s, offered);
    *ret_head = s->head + s->head_at;
    *ret_payload = s->out_left < offered ? (size_t)s->out_left : offered;
    return s->head_len - s->head_at;
}

size_t websocket_sent(struct websocket *s, size_t n)
{
    const size_t waits = s->head_len - s->head_at;
    const size_t head = n < waits ? n : waits;

    s->head_at += head;
    assert(n - head <= s->out_left);
    s->out_left -= n - head;
    return n - head;
}

bool websocket_owes(const struct websocket *s)
{
    if (s->head_at < s->head_len)
        return true;
    return s->out_left == 0 && !s->close_queued &&
           (s->pong_len > 0 || s->close_code != 0);
}

bool websocket_has_closed(const struct websocket *s)
{
    return s->close_queued && s->head_at == s->head_len;
}
