#include "bridge/stream/format/websocket_input.h"

#include <stdlib.h>
#include <wslay/wslay.h>

#include "base/utf8.h"
#include "bridge/stream/format/deflate.h"
#include "bridge/stream/format/websocket_frame.h"

#define CONTROL_MAX 125 /* payload of a control frame */

struct websocket_input {
    wslay_frame_context_ptr frames;
    size_t message_max;
    bool deflate;
    bool allows_binary;

    struct slice raw; /* fed, not taken by wslay yet */
    size_t undecoded; /* bytes wslay took that belong to no frame it told of */
    uint64_t frame_left; /* payload of this frame that has not come yet */
    bool in_message;     /* its last fragment has not come yet */
    bool is_compressed;
    bool is_binary;
    bool in_control;        /* the frame that has begun is one */
    bool was_given;         /* `message` was handed out: it may go */
    struct buffer message;  /* as far as it has come */
    struct buffer inflated; /* the whole of it */
    char control[CONTROL_MAX];
    size_t control_len;
};

/* wslay asks for bytes of the network: those that were fed. */
static ssize_t take_raw(uint8_t *to, size_t len, int flags, void *arg)
{
    struct websocket_input *in = arg;
    const size_t n = len < in->raw.len ? len : in->raw.len;

    (void)flags;
    if (n == 0)
        return -1; /* for now */
    memcpy(to, in->raw.data, n);
    in->raw = slice_of((const char *)in->raw.data + n, in->raw.len - n);
    in->undecoded += n;
    return (ssize_t)n;
}

struct websocket_input *websocket_input_new(size_t message_max, bool deflate)
{
    static const struct wslay_frame_callbacks callbacks = {
        .recv_callback = take_raw,
    };
    struct websocket_input *in = calloc(1, sizeof(*in));

    if (in == NULL)
        return NULL;
    in->message_max = message_max;
    in->deflate = deflate;
    if (wslay_frame_context_init(&in->frames, &callbacks, in) == 0)
        return in;
    free(in);
    return NULL;
}

void websocket_input_free(struct websocket_input *in)
{
    if (in == NULL)
        return;
    wslay_frame_context_free(in->frames);
    buffer_release(&in->message);
    buffer_release(&in->inflated);
    free(in);
}

void websocket_input_allow_binary(struct websocket_input *in)
{
    in->allows_binary = true;
}

bool websocket_input_is_binary(const struct websocket_input *in)
{
    return in->is_binary;
}

void websocket_input_feed(struct websocket_input *in, struct slice bytes)
{
    in->raw = bytes;
}

bool websocket_input_is_idle(const struct websocket_input *in)
{
    return in->undecoded == 0 && in->raw.len == 0 && in->frame_left == 0 &&
           !in->in_message;
}

size_t websocket_input_held(const struct websocket_input *in)
{
    return in->message.cap + in->inflated.cap;
}

size_t websocket_input_wanted(const struct websocket_input *in)
{
    return in->in_control ? 0 : (size_t)in->frame_left;
}

/* ---- frames --------------------------------------------------------------- */

static size_t header_len(const struct wslay_frame_iocb *frame)
{
    const uint64_t len = frame->payload_length;
    const size_t mask = frame->mask ? 4 : 0;

    return 2 + mask + (len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8);
}

static bool is_control(const struct wslay_frame_iocb *frame)
{
    return (frame->opcode & 8) != 0;
}

/* May this data frame begin or go on here? It notes what it begins. */
static bool data_frame_allowed(struct websocket_input *in,
                               const struct wslay_frame_iocb *frame)
{
    const bool continues = frame->opcode == WSLAY_CONTINUATION_FRAME;
    const bool compressed = frame->rsv == WSLAY_RSV1_BIT;

    if (continues != in->in_message)
        return false;
    if (frame->rsv != WSLAY_RSV_NONE &&
        (continues || !compressed || !in->deflate))
        return false;
    if (!continues) {
        in->is_compressed = compressed;
        in->is_binary = frame->opcode == WSLAY_BINARY_FRAME;
    }
    in->in_message = !frame->fin;
    return true;
}

/* The rules wslay leaves to us, at the beginning of each frame. */
static bool frame_allowed(struct websocket_input *in,
                          const struct wslay_frame_iocb *frame)
{
    if (!frame->mask)
        return false;
    switch (frame->opcode) {
    case WSLAY_TEXT_FRAME:
    case WSLAY_BINARY_FRAME:
    case WSLAY_CONTINUATION_FRAME: return data_frame_allowed(in, frame);
    case WSLAY_PING:
    case WSLAY_PONG:
    case WSLAY_CONNECTION_CLOSE:
        in->control_len = 0;
        return frame->rsv == WSLAY_RSV_NONE;
    default: return false;
    }
}

static enum stream_input_event end_with(enum stream_end why,
                                        enum stream_end *ret_why)
{
    *ret_why = why;
    return STREAM_INPUT_END;
}

/* ---- messages ------------------------------------------------------------- */

static enum stream_input_event give_message(struct websocket_input *in,
                                            struct slice *ret_message,
                                            enum stream_end *ret_why)
{
    struct slice message = buffer_slice(&in->message);

    in->was_given = true;
    if (in->is_compressed) {
        buffer_clear(&in->inflated);
        switch (inflate_message(&in->inflated, message, in->message_max)) {
        case INFLATE_OK: break;
        case INFLATE_TOO_BIG: return end_with(STREAM_END_TOO_BIG, ret_why);
        case INFLATE_BROKEN: return end_with(STREAM_END_BAD_DATA, ret_why);
        }
        if (!buffer_ok(&in->inflated))
            return end_with(STREAM_END_BUSY, ret_why);
        message = buffer_slice(&in->inflated);
    }
    if (!in->is_binary && !utf8_valid(message.data, message.len))
        return end_with(STREAM_END_BAD_DATA, ret_why);
    *ret_message = message;
    return STREAM_INPUT_MESSAGE;
}

/* RFC 6455 §7.4: codes that may be on the wire. */
static bool close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 &&
            code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static enum stream_input_event give_close(struct websocket_input *in,
                                          struct buffer *reply,
                                          enum stream_end *ret_why)
{
    const unsigned char *p = (const unsigned char *)in->control;
    const unsigned code =
        in->control_len < 2 ? 1000 : (unsigned)p[0] << 8 | p[1];

    if (in->control_len == 1 || !close_code_valid(code) ||
        (in->control_len > 2 &&
         !utf8_valid(in->control + 2, in->control_len - 2)))
        return end_with(STREAM_END_BROKEN, ret_why);
    websocket_put_close(reply, (uint16_t)code, "");
    return end_with(STREAM_END_CLIENT, ret_why);
}

static enum stream_input_event give_control(struct websocket_input *in,
                                            uint8_t opcode,
                                            struct buffer *reply,
                                            enum stream_end *ret_why)
{
    if (opcode == WSLAY_CONNECTION_CLOSE)
        return give_close(in, reply, ret_why);
    if (opcode != WSLAY_PING) /* a pong, asked for or not: RFC 6455 §5.5.3 */
        return STREAM_INPUT_MORE;
    websocket_put_frame(reply, WEBSOCKET_PONG,
                        slice_of(in->control, in->control_len));
    return STREAM_INPUT_REPLY;
}

/* A part of a frame, which may be all of it. MORE: nothing is complete yet. */
static enum stream_input_event take_part(struct websocket_input *in,
                                         const struct wslay_frame_iocb *part,
                                         struct slice *ret_message,
                                         struct buffer *reply,
                                         enum stream_end *ret_why)
{
    if (is_control(part)) {
        if (part->data_length > 0)
            memcpy(in->control + in->control_len, part->data,
                   part->data_length);
        in->control_len += part->data_length;
        return in->frame_left > 0
                   ? STREAM_INPUT_MORE
                   : give_control(in, part->opcode, reply, ret_why);
    }
    buffer_put(&in->message, part->data, part->data_length);
    if (!buffer_ok(&in->message))
        return end_with(STREAM_END_BUSY, ret_why);
    if (in->frame_left > 0 || in->in_message)
        return STREAM_INPUT_MORE;
    return give_message(in, ret_message, ret_why);
}

/* At the beginning of a frame: may it come? */
static bool begin_frame(struct websocket_input *in,
                        const struct wslay_frame_iocb *frame,
                        enum stream_end *ret_why)
{
    *ret_why = STREAM_END_BROKEN;
    if (!frame_allowed(in, frame))
        return false;
    in->frame_left = frame->payload_length;
    in->in_control = is_control(frame);
    in->undecoded -= header_len(frame);
    if (is_control(frame))
        return true;
    if (in->is_binary && !in->allows_binary) {
        *ret_why = STREAM_END_BINARY;
        return false;
    }
    *ret_why = STREAM_END_TOO_BIG;
    return frame->payload_length <= in->message_max &&
           in->message.len + frame->payload_length <= in->message_max;
}

enum stream_input_event websocket_input_next(struct websocket_input *in,
                                             struct slice *ret_message,
                                             struct buffer *reply,
                                             enum stream_end *ret_why)
{
    enum stream_input_event event = STREAM_INPUT_MORE;

    if (in->was_given) { /* and dealt with: nothing stays for the next one */
        in->was_given = false;
        buffer_release(&in->message);
        buffer_release(&in->inflated);
    }
    while (event == STREAM_INPUT_MORE) {
        struct wslay_frame_iocb part = {0};
        const ssize_t n = wslay_frame_recv(in->frames, &part);
        if (n == WSLAY_ERR_WANT_READ)
            return STREAM_INPUT_MORE;
        if (n < 0)
            return end_with(STREAM_END_BROKEN, ret_why);
        if (in->frame_left == 0 && !begin_frame(in, &part, ret_why))
            return STREAM_INPUT_END;
        in->frame_left -= part.data_length;
        in->undecoded -= part.data_length;
        event = take_part(in, &part, ret_message, reply, ret_why);
    }
    return event;
}
