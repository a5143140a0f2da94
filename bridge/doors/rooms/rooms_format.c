/* A stream of Socket.IO, in packets that its session makes (rooms_client.c): each a text frame
 * of a WebSocket. Nobody can join a room yet, so no stream has messages to write. */
#include "bridge/stream/format/stream_format.h"
#include "bridge/stream/format/websocket_frame.h"
#include "bridge/stream/format/websocket_input.h"

static void put_message(struct buffer *b, const struct stream_message *m)
{
    (void)b, (void)m;
}

/* ---- what is not for clients of Socket.IO ---------------------------------- */

static void put_start(struct buffer *b, void *state,
                      const struct stream_greeting *g)
{
    (void)b, (void)state, (void)g;
}

static void put_gap(struct buffer *b, void *state, uint64_t from, uint64_t to,
                    uint64_t cursor_id)
{
    (void)b, (void)state, (void)from, (void)to, (void)cursor_id;
}

static void put_nothing(struct buffer *b, void *state)
{
    (void)b, (void)state;
}

static const struct {
    uint16_t code; /* 0: no close frame */
    const char *reason;
} ends[] = {
#define X(NAME, code, reason) [STREAM_END_##NAME] = {code, reason},
    STREAM_ENDS(X)
#undef X
};

static void put_bye(struct buffer *b, void *state, enum stream_end why)
{
    (void)state;
    if (ends[why].code != 0)
        websocket_put_close(b, ends[why].code, ends[why].reason);
}

/* The session's frames, as they are. */
static void put_frame(struct buffer *b, void *state, struct slice frame)
{
    (void)state;
    buffer_put_slice(b, frame);
}

/* ---- what clients send ------------------------------------------------------ */

static void *input_begin(size_t message_max)
{
    struct websocket_input *in = websocket_input_new(message_max, false);

    if (in != NULL)
        websocket_input_allow_binary(in);
    return in;
}

static void input_feed(void *in, struct slice bytes)
{
    websocket_input_feed(in, bytes);
}

static enum stream_input_event input_next(void *in, struct slice *ret_message,
                                          struct buffer *reply,
                                          enum stream_end *ret_why)
{
    return websocket_input_next(in, ret_message, reply, ret_why);
}

static bool input_is_idle(const void *in)
{
    return websocket_input_is_idle(in);
}

static size_t input_held(const void *in)
{
    return websocket_input_held(in);
}

static size_t input_wanted(const void *in)
{
    return websocket_input_wanted(in);
}

static void input_end(void *in)
{
    websocket_input_free(in);
}

static bool input_is_binary(const void *in)
{
    return websocket_input_is_binary(in);
}

static const struct stream_input input = {
    input_begin, input_feed,   input_next, input_is_idle,
    input_held,  input_wanted, input_end,  input_is_binary,
};

const struct stream_format socket_io_rooms = {
    .number = STREAM_FORMAT_SOCKET_IO_ROOMS,
    .start = put_start,
    .message = put_message,
    .gap = put_gap,
    .ping = put_nothing,
    .expired = put_nothing,
    .bye = put_bye,
    .text = put_frame,
    .received = &input,
};
