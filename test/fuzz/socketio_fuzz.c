/* What a client of Engine.IO sends: the first byte chooses between the body of a polling
 * request, the data of a text message of its WebSocket, and a script of what comes to a
 * session: a byte for the step, one for the length of its argument, the argument. */
#include <sodium.h>
#include <stdlib.h>

#include "base/json.h"
#include "bridge/socketio/engine_packet.h"
#include "bridge/socketio/socket_packet.h"
#include "bridge/socketio/socket_session.h"
#include "test/fuzz/fuzz.h"

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool is_inside(struct slice part, struct slice whole)
{
    return part.len == 0 ||
           ((const char *)part.data >= (const char *)whole.data &&
            (const char *)part.data + part.len <=
                (const char *)whole.data + whole.len);
}

/* A packet that was read says the same when it is written and read again. */
static void must_survive_writing(const struct socket_packet *p)
{
    struct buffer out = BUFFER_INIT;
    struct socket_packet again;

    socket_packet_put(&out, p);
    must(buffer_ok(&out));
    must(socket_packet_read(buffer_slice(&out), &again) == SOCKET_PACKET_OK);
    must(again.type == p->type && again.attachments == p->attachments &&
         again.has_ack_id == p->has_ack_id && again.ack_id == p->ack_id &&
         slice_eq(again.namespace_name, p->namespace_name) &&
         slice_eq(again.json, p->json));
    buffer_release(&out);
}

static void try_socket_packet(struct slice text)
{
    struct socket_packet p;
    uint64_t num;
    size_t at = 0;

    while (socket_next_placeholder(text, &at, &num)) /* JSON or not */
        must(at <= text.len);
    if (socket_packet_read(text, &p) != SOCKET_PACKET_OK)
        return;
    must(is_inside(p.json, text));
    must(p.namespace_name.len <= SOCKET_NAMESPACE_MAX);
    must(p.attachments <= SOCKET_ATTACHMENTS_MAX);
    must(p.ack_id <= SOCKET_ACK_MAX);
    must(p.json.len == 0 || json_check(p.json.data, p.json.len, NULL, NULL));
    must_survive_writing(&p);
}

static void try_payload(struct slice in)
{
    struct buffer room = BUFFER_INIT, out = BUFFER_INIT;
    struct engine_packet p;
    enum engine_payload_result result;
    size_t at = 0;

    while ((result = engine_payload_next(in, &at, &room, &p)) ==
           ENGINE_PAYLOAD_PACKET) {
        must(at <= in.len + 1);
        must(is_inside(p.data, p.is_binary ? buffer_slice(&room) : in));
        if (p.is_binary) {
            engine_payload_put(&out, 0, p.data, true);
        } else {
            struct buffer text = BUFFER_INIT;
            engine_packet_put(&text, p.type, p.data);
            engine_payload_put(&out, 0, buffer_slice(&text), false);
            buffer_release(&text);
        }
        if (p.type == ENGINE_MESSAGE && !p.is_binary)
            try_socket_packet(p.data);
    }
    /* Each value has one spelling. */
    must(result != ENGINE_PAYLOAD_END || slice_eq(buffer_slice(&out), in));
    buffer_release(&out);
    buffer_release(&room);
}

/* ---- sessions ------------------------------------------------------------- */

#define PAYLOAD_MAX 128
#define QUEUE_MAX 2048

static struct {
    struct socket_session session;
    bool is_held, is_posting, is_open, has_ended;
    int64_t now;
} model;

static void on_answer_poll(void *arg, struct slice payload)
{
    (void)arg;
    must(model.is_held && payload.len > 0);
    model.is_held = false;
}

static bool on_send(void *arg, struct engine_frame *frame)
{
    (void)arg;
    must(model.is_open && !model.has_ended);
    return engine_frame_packet(frame).len != 77; /* full now and then */
}

static void on_close_socket(void *arg, uint16_t code, const char *reason)
{
    (void)arg, (void)code, (void)reason;
    must(model.is_open);
    model.is_open = false;
}

static void on_ended(void *arg, enum engine_end why)
{
    (void)arg, (void)why;
    must(!model.has_ended && !model.is_held && !model.is_open);
    model.has_ended = true;
}

static void on_connect(void *arg, struct slice name, struct slice auth)
{
    (void)arg, (void)auth;
    must(!model.has_ended);
    if (name.len % 4 == 2)
        socket_session_refuse(&model.session, name, "no");
    else if (name.len % 4 != 3) /* 3: never answered */
        socket_session_accept(&model.session, name, NULL);
}

static void on_event(void *arg, const struct socket_event *event)
{
    (void)arg;
    must(!model.has_ended);
    must(socket_session_sid(&model.session, event->packet.namespace_name) !=
         NULL);
    for (size_t i = 0; i < event->packet.attachments; i++)
        must(event->attachments[i].data != NULL);
    socket_session_send(&model.session, event);
    if (event->packet.json.len % 8 == 7)
        socket_session_leave(&model.session, event->packet.namespace_name);
    if (event->packet.json.len % 16 == 9)
        engine_session_close(&model.session.engine, ENGINE_END_SERVER);
}

static void on_left(void *arg, struct slice name)
{
    (void)arg;
    must(socket_session_sid(&model.session, name) == NULL);
}

static const struct engine_settings settings = {
    .ping_interval_ms = 25000,
    .ping_timeout_ms = 20000,
    .upgrade_timeout_ms = 10000,
    .max_payload = PAYLOAD_MAX,
    .queue_max = QUEUE_MAX,
};

static const struct socket_hooks hooks = {
    .answer_poll = on_answer_poll,
    .send = on_send,
    .close_socket = on_close_socket,
    .ended = on_ended,
    .connect = on_connect,
    .event = on_event,
    .ack = on_event,
    .left = on_left,
};

static void step_polling(struct engine_session *s, unsigned step,
                         struct slice argument)
{
    if (step == 0 && !model.is_held) {
        const bool was_over = engine_session_is_over(s);
        model.is_held = true;
        if (!engine_session_poll(s, model.now))
            model.is_held = false;
        else
            must(!was_over);
    } else if (step == 0) {
        must(!engine_session_poll(s, model.now)); /* twice */
    } else if (step == 1 && model.is_held) {
        model.is_held = false;
        engine_session_poll_lost(s);
    } else if (step == 2) {
        model.is_posting = engine_session_post_begin(s, model.now);
    } else if (step == 3 && model.is_posting) {
        engine_session_post(s, argument, model.now);
        model.is_posting = false;
    }
}

static void step_socket(struct engine_session *s, unsigned step,
                        struct slice argument)
{
    if (step == 4 && !model.is_open) {
        model.is_open = engine_session_attach(s, model.now);
    } else if (step == 4) {
        must(!engine_session_attach(s, model.now));
    } else if (step <= 6 && model.is_open) {
        engine_session_receive(s, argument, step == 6, model.now);
    } else if (step == 7 && model.is_open) {
        model.is_open = false;
        engine_session_socket_lost(s, ENGINE_END_LOST);
    }
}

static void try_session(struct slice script, bool by_socket)
{
    struct engine_session *s = &model.session.engine;
    const unsigned char *p = script.data, *end = p + script.len;

    memset(&model, 0, sizeof(model));
    model.is_held = !by_socket;
    model.is_open = by_socket;
    socket_session_init(&model.session, &settings, &hooks, NULL,
                        by_socket ? ENGINE_WEBSOCKET : ENGINE_POLLING, 45000,
                        model.now);
    while (end - p >= 2) {
        const unsigned step = p[0] % 10;
        const size_t most = (size_t)(end - p) - 2;
        const struct slice argument =
            slice_of(p + 2, p[1] < most ? p[1] : most);
        if (step < 4)
            step_polling(s, step, argument);
        else if (step < 8)
            step_socket(s, step, argument);
        else if (step == 8)
            socket_session_tick(&model.session, model.now += p[1] * 100);
        else
            engine_session_close(s, ENGINE_END_SHUTDOWN);
        p += step >= 8 ? 2 : 2 + argument.len;
        must(model.has_ended == engine_session_has_ended(s));
        must(!model.has_ended || engine_session_held(s) == 0);
        must(engine_session_held(s) <= 2 * QUEUE_MAX);
        must(socket_session_held(&model.session) <=
             2 * QUEUE_MAX + 4 * PAYLOAD_MAX + 4096);
        must(model.has_ended ||
             socket_session_deadline(&model.session) != INT64_MAX);
    }
    socket_session_release(&model.session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || sodium_init() < 0)
        return 0;
    const struct slice in = slice_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0: try_payload(in); break;
    case 1: try_socket_packet(in); break;
    default: try_session(in, data[0] % 4 == 3); break;
    }
    return 0;
}
