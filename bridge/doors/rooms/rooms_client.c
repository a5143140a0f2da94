#include "bridge/doors/rooms/rooms_client.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "bridge/doors/rooms/rooms_event.h"
#include "bridge/socketio/engine_request.h"
#include "bridge/stream/format/websocket_frame.h"

static int64_t now_ms(void)
{
    return clock_mono_us() / 1000;
}

static struct engine_session *engine_of(struct rooms_client *c)
{
    return &c->session.engine;
}

/* ---- what waits ----------------------------------------------------------- */

/* An event is a text frame of a WebSocket (rooms_format.c). */
static struct slice packet_of(struct slice frame)
{
    const unsigned char *bytes = frame.data;
    const unsigned len = bytes[1];
    const size_t head = len == 127 ? 10 : len == 126 ? 4 : 2;

    return slice_of(bytes + head, frame.len - head);
}

static void give_event(void *arg, struct slice event)
{
    struct rooms_client *c = arg;

    if (event.len > 0)
        engine_session_give(engine_of(c),
                            engine_frame_new(packet_of(event), false));
}

/* What waits in the stream goes on to the session. */
static void take_events(struct rooms_client *c)
{
    if (c->is_parked)
        stream_take_output(c->stream, give_event, c);
}

static void unpark_if_moved(struct rooms_client *c)
{
    if (!c->is_parked || engine_of(c)->socket != ENGINE_SOCKET_MAIN)
        return;
    c->is_parked = false;
    stream_unpark(c->stream);
}

/* After whatever has happened to the session. */
static void settle(struct rooms_client *c)
{
    if (!stream_is_open(c->stream))
        return;
    unpark_if_moved(c);
    if (engine_session_is_over(engine_of(c))) {
        stream_end(c->stream, STREAM_END_CLIENT);
        return;
    }
    stream_due(c->stream, socket_session_deadline(&c->session));
    stream_hold(c->stream, sizeof(*c) + socket_session_held(&c->session));
}

/* ---- hooks of the session ------------------------------------------------- */

/* Before the client is told its session id. */
static void make_known(struct rooms_client *c)
{
    if (c->is_known)
        return;
    c->is_known = true;
    rooms_sockets_enter(c->sockets, c);
}

static void put_answer(struct buffer *b, const char *status, const char *type,
                       struct slice body)
{
    buffer_printf(b,
                  "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
                  "Content-Length: %zu\r\nCache-Control: no-store\r\n"
                  "Access-Control-Allow-Origin: *\r\n"
                  "Connection: close\r\n\r\n",
                  status, type, body.len);
    buffer_put_slice(b, body);
}

static void on_answer_poll(void *arg, struct slice payload)
{
    struct rooms_client *c = arg;
    struct buffer b = BUFFER_INIT;

    make_known(c);
    put_answer(&b, "200 OK", "text/plain; charset=UTF-8", payload);
    if (buffer_ok(&b))
        stream_answer_request(c->stream, buffer_slice(&b));
    else
        engine_session_end(engine_of(c), ENGINE_END_NO_MEMORY);
    buffer_release(&b);
}

static bool on_send(void *arg, struct engine_frame *frame)
{
    struct rooms_client *c = arg;

    make_known(c);
    unpark_if_moved(c);
    stream_send(c->stream, engine_frame_websocket(frame));
    return stream_is_open(c->stream);
}

static void on_close_socket(void *arg, uint16_t code, const char *reason)
{
    struct rooms_client *c = arg;
    struct buffer b = BUFFER_INIT;

    if (code != 0)
        websocket_put_close(&b, code, reason);
    if (code != 0 && buffer_ok(&b))
        stream_send(c->stream, buffer_slice(&b));
    buffer_release(&b);
    if (c->is_parked)
        stream_detach(c->stream);
    else
        stream_end(c->stream, STREAM_END_CLIENT); /* it was told why */
}

static void on_ended(void *arg, enum engine_end why)
{
    (void)arg;
    (void)why; /* settle() sees it */
}

static void on_connect(void *arg, struct slice name, struct slice auth)
{
    struct rooms_client *c = arg;

    (void)auth;
    if (slice_eq(name, slice_str("/")))
        socket_session_accept(&c->session, name, NULL);
    else
        socket_session_refuse(&c->session, name, "Invalid namespace");
}

static void on_event(void *arg, const struct socket_event *event)
{
    rooms_event(arg, event);
}

static void on_left(void *arg, struct slice name)
{
    (void)arg;
    (void)name; /* it may connect it again */
}

static const struct socket_hooks hooks = {
    .answer_poll = on_answer_poll,
    .send = on_send,
    .close_socket = on_close_socket,
    .ended = on_ended,
    .connect = on_connect,
    .event = on_event,
    .left = on_left,
};

/* ---- the stream ----------------------------------------------------------- */

static void stream_begun(void *state, struct stream *s)
{
    struct rooms_client *c = state;
    const bool polls = c->poll_fd >= 0;

    c->stream = s;
    c->streamer = stream_streamer(s);
    c->is_parked = polls;
    const bool is_held = !polls || stream_hold_request(s, c->poll_fd);
    c->poll_fd = -1;
    if (!is_held) {
        c->stream = NULL; /* there is no session */
        stream_end(s, STREAM_END_BUSY);
        return;
    }
    socket_session_init(&c->session, &c->sockets->engine, &hooks, c,
                        polls ? ENGINE_POLLING : ENGINE_WEBSOCKET,
                        c->sockets->connect_timeout_ms, now_ms());
    settle(c);
}

static void stream_received(void *state, struct stream *s,
                            struct slice message)
{
    struct rooms_client *c = state;

    take_events(c);
    engine_session_receive(engine_of(c), message, stream_received_binary(s),
                           now_ms());
    settle(c);
}

static void stream_tick(void *state, struct stream *s, int64_t now)
{
    struct rooms_client *c = state;

    (void)s;
    if (c->stream == NULL)
        return;
    socket_session_tick(&c->session, now);
    settle(c);
}

static void stream_waiting(void *state, struct stream *s)
{
    struct rooms_client *c = state;

    (void)s;
    if (c->stream == NULL ||
        (!engine_of(c)->is_held && !engine_session_has_ended(engine_of(c))))
        return;
    take_events(c);
    engine_session_flush(engine_of(c));
    settle(c);
}

static void stream_request_lost(void *state, struct stream *s)
{
    struct rooms_client *c = state;

    (void)s;
    engine_session_poll_lost(engine_of(c));
    settle(c);
}

static enum engine_end end_of(enum stream_end why)
{
    switch (why) {
    case STREAM_END_CLIENT: return ENGINE_END_LOST;
    case STREAM_END_TOO_BIG: return ENGINE_END_TOO_BIG;
    case STREAM_END_SHUTDOWN: return ENGINE_END_SHUTDOWN;
    case STREAM_END_BUSY: return ENGINE_END_NO_MEMORY;
    case STREAM_END_IDLE:
    case STREAM_END_REVOKED:
    case STREAM_END_KEY: return ENGINE_END_SERVER;
    default: return ENGINE_END_BAD_PACKET;
    }
}

static void stream_socket_lost(void *state, struct stream *s,
                               enum stream_end why)
{
    struct rooms_client *c = state;

    (void)s;
    engine_session_socket_lost(engine_of(c), end_of(why));
    settle(c);
}

/* The client asks again, and finds no session: it connects anew. */
static void stream_closed(void *state, struct stream *s, enum stream_end why)
{
    struct rooms_client *c = state;

    (void)s;
    if (c->stream != NULL)
        engine_session_close(engine_of(c), end_of(why));
}

static void stream_ended(void *state)
{
    struct rooms_client *c = state;

    if (c->poll_fd >= 0)
        close(c->poll_fd);
    rooms_client_free(c);
}

const struct stream_door rooms_client_door = {
    .begun = stream_begun,
    .received = stream_received,
    .tick = stream_tick,
    .waiting = stream_waiting,
    .request_lost = stream_request_lost,
    .socket_lost = stream_socket_lost,
    .closed = stream_closed,
    .ended = stream_ended,
};

/* ---- life ----------------------------------------------------------------- */

struct rooms_client *rooms_client_new(struct rooms_sockets *sockets,
                                      int poll_fd)
{
    struct rooms_client *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->sockets = sockets;
    c->poll_fd = poll_fd;
    return c;
}

void rooms_client_free(struct rooms_client *c)
{
    if (c == NULL)
        return;
    if (c->is_known)
        rooms_sockets_leave(c->sockets, c);
    if (c->stream != NULL)
        socket_session_release(&c->session);
    free(c);
}

/* ---- requests -------------------------------------------------------------- */

void rooms_refuse_poll(struct streamer *st, int fd, const char *json)
{
    struct buffer b = BUFFER_INIT;

    put_answer(&b, "400 Bad Request", "application/json", slice_str(json));
    if (buffer_ok(&b))
        streamer_answer(st, fd, buffer_slice(&b));
    else
        close(fd);
    buffer_release(&b);
}

/* A second poll at the same time, or one after the upgrade, is refused; the request
 * that the stream holds is another one. */
void rooms_client_poll(struct rooms_client *c, struct streamer *st, int fd)
{
    struct engine_session *engine = engine_of(c);
    const bool is_first = c->is_parked && !engine->is_held;

    if (!is_first) {
        engine_session_poll(engine, now_ms());
        rooms_refuse_poll(st, fd, engine_refusal_json(ENGINE_REFUSAL_REQUEST));
        settle(c);
        return;
    }
    take_events(c);
    if (!stream_hold_request(c->stream, fd)) {
        engine_session_end(engine, ENGINE_END_NO_MEMORY);
    } else if (!engine_session_poll(engine, now_ms())) {
        struct buffer b = BUFFER_INIT;
        put_answer(&b, "400 Bad Request", "application/json",
                   slice_str(engine_refusal_json(ENGINE_REFUSAL_SID)));
        stream_answer_request(c->stream, buffer_slice(&b));
        buffer_release(&b);
    }
    settle(c);
}

void rooms_client_attach(struct rooms_client *c, struct streamer *st, int fd,
                         struct slice head)
{
    if (!engine_session_attach(engine_of(c), now_ms()))
        streamer_answer(st, fd, head); /* 101, and the end */
    else if (!stream_attach(c->stream, fd, head))
        engine_session_socket_lost(engine_of(c), ENGINE_END_LOST);
    settle(c);
}

bool rooms_client_post(struct rooms_client *c, struct slice body)
{
    take_events(c);
    const bool is_valid = engine_session_post_begin(engine_of(c), now_ms()) &&
                          engine_session_post(engine_of(c), body, now_ms());
    settle(c);
    return is_valid;
}

void rooms_client_post_too_big(struct rooms_client *c)
{
    engine_session_post_too_big(engine_of(c));
    settle(c);
}
