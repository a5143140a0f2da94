#include "test/socketio/echo_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_walk.h"
#include "bridge/http/http.h"
#include "bridge/socketio/engine_request.h"
#include "bridge/stream/format/websocket_frame.h"

#define OUTPUT_MAX (16U * 1024 * 1024)
#define BURST_MAX 10000

struct engine_settings echo_settings = {
    .ping_interval_ms = 300,
    .ping_timeout_ms = 200,
    .upgrade_timeout_ms = 1000,
    .max_payload = 1000000,
    .queue_max = 4000000,
};
uint32_t echo_connect_timeout_ms = 1000;

static int64_t now_ms(void)
{
    return clock_mono_us() / 1000;
}

static struct engine_session *engine_of(struct echo_client *c)
{
    return &c->session.engine;
}

/* ---- answers outside of HTTP ---------------------------------------------- */

void echo_answer(int fd, unsigned status, const char *content_type,
                 struct slice body)
{
    struct buffer out = BUFFER_INIT;

    buffer_printf(&out,
                  "HTTP/1.1 %u %s\r\nContent-Type: %s\r\n"
                  "Content-Length: %zu\r\nCache-Control: no-store\r\n"
                  "Access-Control-Allow-Origin: *\r\n"
                  "Connection: close\r\n\r\n",
                  status, http_reason(status), content_type, body.len);
    buffer_put_slice(&out, body);
    for (size_t at = 0; at < out.len;) {
        const ssize_t n = send(fd, out.data + at, out.len - at, MSG_NOSIGNAL);
        if (n > 0)
            at += (size_t)n;
        else if (errno == EAGAIN)
            usleep(1000); /* a test's answers fit, or nearly */
        else
            break;
    }
    buffer_release(&out);
    shutdown(fd, SHUT_WR);
    close(fd);
}

static void forget_fd(struct echo_client *c, ev_io *w)
{
    ev_io_stop(c->loop, w);
    w->fd = -1;
}

static void on_answer_poll(void *arg, struct slice payload)
{
    struct echo_client *c = arg;
    const int fd = c->poll.fd;

    forget_fd(c, &c->poll);
    echo_answer(fd, 200, "text/plain; charset=UTF-8", payload);
}

/* A client that has sent a whole request sends no more before its answer. */
static void on_poll_readable(struct ev_loop *loop, ev_io *w, int events)
{
    struct echo_client *c = w->data;
    char byte;

    (void)loop, (void)events;
    const ssize_t n = recv(w->fd, &byte, 1, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    const int fd = w->fd;
    forget_fd(c, w);
    close(fd);
    engine_session_poll_lost(engine_of(c));
}

/* ---- the WebSocket -------------------------------------------------------- */

static void drop_socket(struct echo_client *c)
{
    if (c->socket.fd < 0)
        return;
    const int fd = c->socket.fd;
    forget_fd(c, &c->socket);
    forget_fd(c, &c->socket_write);
    close(fd);
    websocket_input_free(c->input);
    c->input = NULL;
    buffer_clear(&c->output);
    c->ends_after_output = false;
}

static void write_output(struct echo_client *c)
{
    while (c->output.len > 0) {
        const ssize_t n =
            send(c->socket.fd, c->output.data, c->output.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            ev_io_start(c->loop, &c->socket_write);
            return;
        }
        if (n < 0)
            break; /* reading finds out */
        memmove(c->output.data, c->output.data + n, c->output.len - (size_t)n);
        c->output.len -= (size_t)n;
    }
    ev_io_stop(c->loop, &c->socket_write);
    if (c->ends_after_output)
        drop_socket(c);
}

static void on_socket_writable(struct ev_loop *loop, ev_io *w, int events)
{
    (void)loop, (void)events;
    write_output(w->data);
}

static bool on_send(void *arg, struct engine_frame *frame)
{
    struct echo_client *c = arg;

    if (c->output.len > OUTPUT_MAX)
        return false;
    buffer_put_slice(&c->output, engine_frame_websocket(frame));
    ev_io_start(c->loop, &c->socket_write); /* later, with what follows */
    return buffer_ok(&c->output);
}

static void on_close_socket(void *arg, uint16_t code, const char *reason)
{
    struct echo_client *c = arg;

    if (code != 0)
        websocket_put_close(&c->output, code, reason);
    ev_io_stop(c->loop, &c->socket);
    c->ends_after_output = true;
    ev_io_start(c->loop, &c->socket_write);
}

static void end_socket(struct echo_client *c, enum engine_end why)
{
    if (c->ends_after_output)
        return;
    if (engine_end_code(why) != 0)
        websocket_put_close(&c->output, engine_end_code(why),
                            engine_end_reason(why));
    if (c->output.len > 0) /* what fits: the client may be gone */
        (void)!send(c->socket.fd, c->output.data, c->output.len, MSG_NOSIGNAL);
    drop_socket(c);
    engine_session_socket_lost(engine_of(c), why);
}

static enum engine_end end_of(enum stream_end why)
{
    return why == STREAM_END_TOO_BIG  ? ENGINE_END_TOO_BIG
           : why == STREAM_END_CLIENT ? ENGINE_END_LOST
                                      : ENGINE_END_BAD_PACKET;
}

static void on_socket_readable(struct ev_loop *loop, ev_io *w, int events)
{
    static char bytes[64 * 1024];
    struct echo_client *c = w->data;
    enum stream_input_event event;
    enum stream_end why;
    struct slice message;

    (void)loop, (void)events;
    const ssize_t n = recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        end_socket(c, ENGINE_END_LOST);
        return;
    }
    websocket_input_feed(c->input, slice_of(bytes, (size_t)n));
    while (c->input != NULL && !c->ends_after_output) {
        event = websocket_input_next(c->input, &message, &c->output, &why);
        if (event == STREAM_INPUT_MORE)
            return;
        if (event == STREAM_INPUT_MESSAGE)
            engine_session_receive(engine_of(c), message,
                                   websocket_input_is_binary(c->input),
                                   now_ms());
        if (event == STREAM_INPUT_REPLY)
            ev_io_start(c->loop, &c->socket_write);
        if (event == STREAM_INPUT_END)
            end_socket(c, end_of(why));
    }
}

static bool begin_socket(struct echo_client *c, int fd)
{
    c->input = websocket_input_new(echo_settings.max_payload, false);
    if (c->input == NULL)
        return false;
    websocket_input_allow_binary(c->input);
    ev_io_set(&c->socket, fd, EV_READ);
    ev_io_set(&c->socket_write, fd, EV_WRITE);
    ev_io_start(c->loop, &c->socket);
    return true;
}

/* ---- the application ------------------------------------------------------ */

static void on_ended(void *arg, enum engine_end why)
{
    const struct echo_client *c = arg;

    fprintf(stderr, "%s ended: %s\n", c->session.engine.sid,
            engine_end_reason(why));
}

static void echo_message(void *arg, struct slice data, bool is_binary)
{
    struct echo_client *c = arg;
    struct buffer out = BUFFER_INIT;

    if (!is_binary)
        engine_packet_put(&out, ENGINE_MESSAGE, slice_of(NULL, 0));
    buffer_put_slice(&out, data);
    engine_session_give(engine_of(c),
                        engine_frame_new(buffer_slice(&out), is_binary));
    buffer_release(&out);
}

static void send_event(struct echo_client *c, struct slice namespace_name,
                       const char *name, struct slice arguments)
{
    struct buffer json = BUFFER_INIT;

    buffer_printf(&json, "[\"%s\",", name);
    buffer_put_slice(&json, arguments);
    buffer_put_char(&json, ']');
    const struct socket_event event = {
        .packet = {.type = SOCKET_EVENT,
                   .namespace_name = namespace_name,
                   .json = buffer_slice(&json)}};
    socket_session_send(&c->session, &event);
    buffer_release(&json);
}

static void on_connect(void *arg, struct slice name, struct slice auth)
{
    struct echo_client *c = arg;

    if (!slice_eq(name, slice_str("/")) &&
        !slice_eq(name, slice_str("/custom"))) {
        socket_session_refuse(&c->session, name, "Invalid namespace");
        return;
    }
    socket_session_accept(&c->session, name, NULL);
    send_event(c, name, "auth", auth.len > 0 ? auth : slice_str("{}"));
}

/* What stands behind the name: "]" or ",…]". */
static struct slice behind(struct slice json, struct slice name)
{
    const char *from = (const char *)name.data + name.len;

    return slice_of(from, json.len - (size_t)(from - (const char *)json.data));
}

static void send_back(struct echo_client *c, const struct socket_event *event,
                      struct slice name)
{
    struct socket_event answer = *event;
    struct buffer json = BUFFER_INIT;

    buffer_put_str(&json, "[\"message-back\"");
    buffer_put_slice(&json, behind(event->packet.json, name));
    answer.packet.json = buffer_slice(&json);
    answer.packet.has_ack_id = false;
    socket_session_send(&c->session, &answer);
    buffer_release(&json);
}

static void acknowledge(struct echo_client *c,
                        const struct socket_event *event, struct slice name)
{
    struct slice arguments = behind(event->packet.json, name);
    struct socket_event answer = *event;
    struct buffer json = BUFFER_INIT;

    if (!event->packet.has_ack_id)
        return;
    if (*(const char *)arguments.data == ',')
        arguments =
            slice_of((const char *)arguments.data + 1, arguments.len - 1);
    buffer_put_char(&json, '[');
    buffer_put_slice(&json, arguments);
    answer.packet.json = buffer_slice(&json);
    answer.packet.type =
        event->packet.type == SOCKET_EVENT ? SOCKET_ACK : SOCKET_BINARY_ACK;
    socket_session_send(&c->session, &answer);
    buffer_release(&json);
}

static void send_burst(struct echo_client *c, const struct socket_event *event,
                       size_t at)
{
    struct slice number;
    uint64_t count = 0;
    char text[24];

    if (!json_next_element(event->packet.json, &at, &number) ||
        !json_read_u64(number, &count))
        return;
    for (uint64_t i = 0; i < count && i < BURST_MAX; i++) {
        snprintf(text, sizeof(text), "%u", (unsigned)i);
        send_event(c, event->packet.namespace_name, "burst", slice_str(text));
    }
}

static void on_event(void *arg, const struct socket_event *event)
{
    struct echo_client *c = arg;
    struct slice name;
    size_t at = 0;

    json_next_element(event->packet.json, &at, &name);
    if (json_string_is(name, "leave"))
        socket_session_leave(&c->session, event->packet.namespace_name);
    else if (json_string_is(name, "close"))
        engine_session_close(engine_of(c), ENGINE_END_SERVER);
    else if (json_string_is(name, "burst"))
        send_burst(c, event, at);
    else if (slice_eq(name, slice_str("\"message\"")))
        send_back(c, event, name);
    else if (slice_eq(name, slice_str("\"message-with-ack\"")))
        acknowledge(c, event, name);
}

static void on_left(void *arg, struct slice namespace_name)
{
    (void)arg, (void)namespace_name;
}

static const struct engine_hooks engine_hooks = {
    .answer_poll = on_answer_poll,
    .send = on_send,
    .close_socket = on_close_socket,
    .message = echo_message,
    .ended = on_ended,
};

static const struct socket_hooks socket_hooks = {
    .answer_poll = on_answer_poll,
    .send = on_send,
    .close_socket = on_close_socket,
    .ended = on_ended,
    .connect = on_connect,
    .event = on_event,
    .left = on_left,
};

/* ---- life ----------------------------------------------------------------- */

/* Every few ms: precise enough, and there is no deadline to forget. */
static void on_due(struct ev_loop *loop, ev_timer *w, int events)
{
    struct echo_client *c = w->data;

    (void)events, (void)loop;
    if (c->is_engine)
        engine_session_tick(engine_of(c), now_ms());
    else
        socket_session_tick(&c->session, now_ms());
}

struct echo_client *echo_client_new(struct ev_loop *loop, bool is_engine,
                                    enum engine_transport transport, int fd)
{
    struct echo_client *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->loop = loop;
    c->is_engine = is_engine;
    ev_timer_init(&c->due, on_due, 0.005, 0.005);
    ev_io_init(&c->poll, on_poll_readable, -1, EV_READ);
    ev_io_init(&c->socket, on_socket_readable, -1, EV_READ);
    ev_io_init(&c->socket_write, on_socket_writable, -1, EV_WRITE);
    c->due.data = c->poll.data = c->socket.data = c->socket_write.data = c;
    ev_timer_start(loop, &c->due);
    if (transport == ENGINE_POLLING)
        ev_io_set(&c->poll, fd, EV_READ);
    else if (!begin_socket(c, fd)) {
        ev_timer_stop(loop, &c->due);
        free(c);
        return NULL;
    }
    if (is_engine)
        engine_session_init(engine_of(c), &echo_settings, &engine_hooks, c,
                            transport, now_ms());
    else
        socket_session_init(&c->session, &echo_settings, &socket_hooks, c,
                            transport, echo_connect_timeout_ms, now_ms());
    return c;
}

void echo_client_poll(struct echo_client *c, int fd)
{
    const int earlier = c->poll.fd;

    if (earlier < 0) {
        ev_io_set(&c->poll, fd, EV_READ);
        ev_io_start(c->loop, &c->poll);
    }
    if (engine_session_poll(engine_of(c), now_ms()))
        return;
    if (earlier < 0)
        forget_fd(c, &c->poll);
    echo_answer(fd, 400, "application/json",
                slice_str(engine_refusal_json(ENGINE_REFUSAL_REQUEST)));
}

void echo_client_attach(struct echo_client *c, int fd)
{
    if (c->socket.fd < 0 && engine_session_attach(engine_of(c), now_ms()) &&
        begin_socket(c, fd))
        return;
    close(fd);
}

bool echo_client_post(struct echo_client *c, struct slice body)
{
    return engine_session_post_begin(engine_of(c), now_ms()) &&
           engine_session_post(engine_of(c), body, now_ms());
}

void echo_client_post_too_big(struct echo_client *c)
{
    engine_session_post_too_big(engine_of(c));
}

bool echo_client_is_over(const struct echo_client *c)
{
    return engine_session_is_over(&c->session.engine) && c->socket.fd < 0;
}

void echo_client_free(struct echo_client *c)
{
    ev_timer_stop(c->loop, &c->due);
    drop_socket(c);
    if (c->poll.fd >= 0) {
        const int fd = c->poll.fd;
        forget_fd(c, &c->poll);
        close(fd);
    }
    if (c->is_engine)
        engine_session_release(engine_of(c));
    else
        socket_session_release(&c->session);
    buffer_release(&c->output);
    free(c);
}
