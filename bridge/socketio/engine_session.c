#include "bridge/socketio/engine_session.h"

#include <stdlib.h>

#include "base/json_write.h"

#define NEVER INT64_MAX
#define QUEUE_FIRST 4 /* frames */
#define FAREWELL_MS 1000

static const struct {
    uint16_t code;
    const char *reason;
} ends[] = {
#define X(NAME, code, reason) [ENGINE_END_##NAME] = {code, reason},
    ENGINE_ENDS(X)
#undef X
};

uint16_t engine_end_code(enum engine_end why)
{
    return ends[why].code;
}

const char *engine_end_reason(enum engine_end why)
{
    return ends[why].reason;
}

/* ---- the queue ------------------------------------------------------------ */

static void drop_queue(struct engine_session *s)
{
    for (size_t i = 0; i < s->queue_len; i++)
        engine_frame_unref(s->queue[i]);
    free(s->queue);
    s->queue = NULL;
    s->queue_len = s->queue_cap = s->queue_bytes = 0;
}

static bool grow_queue(struct engine_session *s)
{
    const size_t cap = s->queue_cap == 0 ? QUEUE_FIRST : 2 * s->queue_cap;
    struct engine_frame **queue = realloc(s->queue, cap * sizeof(*queue));

    if (queue == NULL)
        return false;
    s->queue = queue;
    s->queue_cap = cap;
    return true;
}

static size_t frame_cost(const struct engine_frame *f)
{
    return engine_frame_size(f) + sizeof(f);
}

/* ---- the end -------------------------------------------------------------- */

static void answer_poll(struct engine_session *s, const char *packet)
{
    if (!s->is_held)
        return;
    s->is_held = false;
    s->hooks->answer_poll(s->arg, slice_str(packet));
}

static void close_socket(struct engine_session *s, uint16_t code,
                         const char *reason)
{
    if (s->socket == ENGINE_SOCKET_NONE)
        return;
    s->socket = ENGINE_SOCKET_NONE;
    s->upgrade_due = NEVER;
    s->hooks->close_socket(s->arg, code, reason);
}

void engine_session_end(struct engine_session *s, enum engine_end why)
{
    if (s->has_ended)
        return;
    s->has_ended = true;
    s->end = why;
    drop_queue(s);
    answer_poll(s, why == ENGINE_END_CLIENT ? "6" : "1");
    close_socket(s, ends[why].code, ends[why].reason);
    s->hooks->ended(s->arg, why);
}

bool engine_session_has_ended(const struct engine_session *s)
{
    return s->has_ended;
}

bool engine_session_is_over(const struct engine_session *s)
{
    return s->has_ended && s->farewell_due == NEVER;
}

size_t engine_session_held(const struct engine_session *s)
{
    return s->queue_bytes + (s->queue_cap - s->queue_len) * sizeof(*s->queue);
}

/* ---- to the client -------------------------------------------------------- */

/* What was sent before goes first: a session that waits for its UPGRADE has a queue. */
static bool is_by_socket(const struct engine_session *s)
{
    return s->socket == ENGINE_SOCKET_MAIN;
}

static void send_by_socket(struct engine_session *s, struct engine_frame *f)
{
    if (!s->hooks->send(s->arg, f))
        engine_session_end(s, ENGINE_END_QUEUE_FULL);
}

void engine_session_send(struct engine_session *s, struct engine_frame *frame)
{
    if (s->has_ended || s->is_closing)
        return;
    if (is_by_socket(s)) {
        send_by_socket(s, frame);
        return;
    }
    if (frame_cost(frame) > s->settings->queue_max - s->queue_bytes)
        engine_session_end(s, ENGINE_END_QUEUE_FULL);
    else if (s->queue_len == s->queue_cap && !grow_queue(s))
        engine_session_end(s, ENGINE_END_NO_MEMORY);
    else {
        s->queue[s->queue_len++] = engine_frame_ref(frame);
        s->queue_bytes += frame_cost(frame);
    }
}

void engine_session_give(struct engine_session *s, struct engine_frame *frame)
{
    if (frame == NULL)
        engine_session_end(s, ENGINE_END_NO_MEMORY);
    else
        engine_session_send(s, frame);
    engine_frame_unref(frame);
}

static void send_text(struct engine_session *s, const char *packet)
{
    engine_session_give(s, engine_frame_new(slice_str(packet), false));
}

void engine_session_flush(struct engine_session *s)
{
    struct buffer payload = BUFFER_INIT;

    if (!s->is_held || s->queue_len == 0)
        return;
    for (size_t i = 0; i < s->queue_len; i++)
        engine_payload_put(&payload, 0, engine_frame_packet(s->queue[i]),
                           engine_frame_is_binary(s->queue[i]));
    drop_queue(s);
    if (buffer_ok(&payload)) {
        s->is_held = false;
        s->hooks->answer_poll(s->arg, buffer_slice(&payload));
    } else {
        engine_session_end(s, ENGINE_END_NO_MEMORY);
    }
    buffer_release(&payload);
    if (s->is_closing)
        engine_session_end(s, s->end);
}

static int64_t latest_of_closing(const struct engine_session *s)
{
    /* closing is told no time: at the latest with what is due anyway */
    return s->pong_due != NEVER ? s->pong_due
                                : s->ping_at + s->settings->ping_timeout_ms;
}

void engine_session_close(struct engine_session *s, enum engine_end why)
{
    if (s->has_ended || s->is_closing)
        return;
    if (is_by_socket(s)) {
        engine_session_end(s, why);
        return;
    }
    send_text(s, "1");
    if (s->has_ended)
        return;
    s->is_closing = true;
    s->end = why;
    s->closing_due = latest_of_closing(s);
    s->ping_at = s->pong_due = NEVER;
    close_socket(s, ends[why].code, ends[why].reason);
    engine_session_flush(s);
}

/* ---- time ----------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t engine_session_deadline(const struct engine_session *s)
{
    if (s->has_ended)
        return s->farewell_due;
    return earlier(earlier(s->ping_at, s->pong_due),
                   earlier(s->upgrade_due, s->closing_due));
}

static void do_what_is_due(struct engine_session *s, int64_t now)
{
    if (now >= s->farewell_due)
        s->farewell_due = NEVER;
    if (s->has_ended)
        return;
    if (now >= s->pong_due) {
        engine_session_end(s, ENGINE_END_PING_TIMEOUT);
        return;
    }
    if (now >= s->closing_due) {
        engine_session_end(s, s->end);
        return;
    }
    if (now >= s->upgrade_due)
        close_socket(s, 1008, "the upgrade was not completed in time");
    if (now >= s->ping_at) {
        /* From when it was due: a late turn of the owner gives the client no more
         * time than it expects. Unless it was very late. */
        const int64_t due = s->ping_at + s->settings->ping_timeout_ms;
        s->ping_at = NEVER;
        s->pong_due = due > now ? due : now + s->settings->ping_timeout_ms;
        send_text(s, "2");
    }
}

void engine_session_tick(struct engine_session *s, int64_t now)
{
    do_what_is_due(s, now);
    engine_session_flush(s);
}

/* ---- life ----------------------------------------------------------------- */

static void send_open(struct engine_session *s, bool upgrades)
{
    struct buffer out = BUFFER_INIT;
    struct json_writer w = json_writer_of(&out);

    engine_packet_put(&out, ENGINE_OPEN, slice_of(NULL, 0));
    json_object(&w);
    json_member_text(&w, "sid", s->sid);
    json_member_array(&w, "upgrades");
    if (upgrades)
        json_text(&w, "websocket");
    json_array_end(&w);
    json_member_u64(&w, "pingInterval", s->settings->ping_interval_ms);
    json_member_u64(&w, "pingTimeout", s->settings->ping_timeout_ms);
    json_member_u64(&w, "maxPayload", s->settings->max_payload);
    json_object_end(&w);
    engine_session_give(s, buffer_ok(&out)
                               ? engine_frame_new(buffer_slice(&out), false)
                               : NULL);
    buffer_release(&out);
}

void engine_session_init(struct engine_session *s,
                         const struct engine_settings *settings,
                         const struct engine_hooks *hooks, void *arg,
                         enum engine_transport transport, int64_t now)
{
    const bool polls = transport == ENGINE_POLLING;

    *s = (struct engine_session){
        .settings = settings,
        .hooks = hooks,
        .arg = arg,
        .socket = polls ? ENGINE_SOCKET_NONE : ENGINE_SOCKET_MAIN,
        .is_held = polls,
        .ping_at = now + settings->ping_interval_ms,
        .pong_due = NEVER,
        .upgrade_due = NEVER,
        .closing_due = NEVER,
        .farewell_due = NEVER,
    };
    token_make(s->sid);
    send_open(s, polls);
    engine_session_flush(s);
}

void engine_session_release(struct engine_session *s)
{
    drop_queue(s);
}

/* ---- packets of the client ------------------------------------------------ */

static void handle_pong(struct engine_session *s, int64_t now)
{
    if (s->pong_due == NEVER) /* not asked for */
        return;
    s->pong_due = NEVER;
    s->ping_at = now + s->settings->ping_interval_ms;
}

static void handle_close(struct engine_session *s, int64_t now)
{
    if (!is_by_socket(s) && !s->is_held)
        s->farewell_due = now + FAREWELL_MS;
    engine_session_end(s, ENGINE_END_CLIENT);
}

static void handle_packet(struct engine_session *s,
                          const struct engine_packet *p, int64_t now)
{
    switch (p->type) {
    case ENGINE_MESSAGE:
        if (!s->is_closing)
            s->hooks->message(s->arg, p->data, p->is_binary);
        break;
    case ENGINE_PONG: handle_pong(s, now); break;
    case ENGINE_CLOSE: handle_close(s, now); break;
    case ENGINE_UPGRADE:
    case ENGINE_NOOP: break; /* harmless, and socket.io ignores them */
    default: engine_session_end(s, ENGINE_END_BAD_PACKET); break;
    }
}

/* false: it is broken, and ended the session. */
static bool handle_payload(struct engine_session *s, struct slice payload,
                           int64_t now)
{
    enum engine_payload_result result = ENGINE_PAYLOAD_PACKET;
    struct buffer room = BUFFER_INIT;
    struct engine_packet packet;
    size_t at = 0;

    while (!s->has_ended && result == ENGINE_PAYLOAD_PACKET) {
        result = engine_payload_next(payload, &at, &room, &packet);
        if (result == ENGINE_PAYLOAD_PACKET)
            handle_packet(s, &packet, now);
    }
    buffer_release(&room);
    if (result == ENGINE_PAYLOAD_BROKEN)
        engine_session_end(s, ENGINE_END_BAD_PACKET);
    if (result == ENGINE_PAYLOAD_NO_MEMORY)
        engine_session_end(s, ENGINE_END_NO_MEMORY);
    return !s->has_ended || s->end == ENGINE_END_CLIENT ||
           s->end == ENGINE_END_SERVER;
}

/* ---- polling -------------------------------------------------------------- */

static bool answer_farewell(struct engine_session *s)
{
    if (s->farewell_due == NEVER)
        return false;
    s->farewell_due = NEVER;
    s->is_held = true;
    answer_poll(s, "6");
    return true;
}

bool engine_session_poll(struct engine_session *s, int64_t now)
{
    do_what_is_due(s, now);
    if (answer_farewell(s))
        return true;
    if (s->has_ended || is_by_socket(s))
        return false;
    if (s->is_held) {
        engine_session_end(s, ENGINE_END_DUPLICATE);
        return false;
    }
    s->is_held = true;
    engine_session_flush(s);
    /* The client polls no more once this is answered, and then upgrades. */
    if (s->socket == ENGINE_SOCKET_PROBED)
        answer_poll(s, "6");
    return true;
}

void engine_session_poll_lost(struct engine_session *s)
{
    s->is_held = false;
    engine_session_end(s, ENGINE_END_LOST);
}

bool engine_session_post_begin(struct engine_session *s, int64_t now)
{
    do_what_is_due(s, now);
    engine_session_flush(s);
    if (s->has_ended || is_by_socket(s))
        return false;
    if (s->is_posting) {
        engine_session_end(s, ENGINE_END_DUPLICATE);
        return false;
    }
    s->is_posting = true;
    return true;
}

bool engine_session_post(struct engine_session *s, struct slice body,
                         int64_t now)
{
    do_what_is_due(s, now);
    s->is_posting = false;
    if (s->has_ended || is_by_socket(s))
        return false;
    if (body.len > s->settings->max_payload) {
        engine_session_end(s, ENGINE_END_TOO_BIG);
        return false;
    }
    const bool is_valid = handle_payload(s, body, now);
    engine_session_flush(s);
    return is_valid;
}

void engine_session_post_too_big(struct engine_session *s)
{
    s->is_posting = false;
    engine_session_end(s, ENGINE_END_TOO_BIG);
}

void engine_session_post_lost(struct engine_session *s)
{
    s->is_posting = false;
    engine_session_end(s, ENGINE_END_LOST);
}

/* ---- the WebSocket -------------------------------------------------------- */

bool engine_session_attach(struct engine_session *s, int64_t now)
{
    do_what_is_due(s, now);
    engine_session_flush(s);
    if (s->has_ended || s->is_closing || s->socket != ENGINE_SOCKET_NONE)
        return false;
    s->socket = ENGINE_SOCKET_NEW;
    s->upgrade_due = now + s->settings->upgrade_timeout_ms;
    return true;
}

static bool is_probe(const struct engine_packet *p)
{
    return p->type == ENGINE_PING && slice_eq(p->data, slice_str("probe"));
}

static void answer_probe(struct engine_session *s)
{
    struct engine_frame *pong = engine_frame_new(slice_str("3probe"), false);

    s->socket = ENGINE_SOCKET_PROBED;
    if (pong == NULL || !s->hooks->send(s->arg, pong))
        engine_session_end(s, pong == NULL ? ENGINE_END_NO_MEMORY
                                           : ENGINE_END_QUEUE_FULL);
    engine_frame_unref(pong);
    engine_session_flush(s);
    answer_poll(s, "6");
}

/* What waited for a poll that no longer comes goes first. */
static void complete_upgrade(struct engine_session *s)
{
    s->socket = ENGINE_SOCKET_MAIN;
    s->upgrade_due = NEVER;
    answer_poll(s, "6");
    for (size_t i = 0; i < s->queue_len && !s->has_ended; i++)
        send_by_socket(s, s->queue[i]);
    drop_queue(s);
}

/* p: NULL if the message is no packet. */
static void receive_in_upgrade(struct engine_session *s,
                               const struct engine_packet *p)
{
    if (p != NULL && s->socket == ENGINE_SOCKET_NEW && is_probe(p))
        answer_probe(s);
    else if (p != NULL && s->socket == ENGINE_SOCKET_PROBED &&
             p->type == ENGINE_UPGRADE)
        complete_upgrade(s);
    else
        close_socket(s, 1008, "expected a probe, then an upgrade");
}

void engine_session_receive(struct engine_session *s, struct slice message,
                            bool is_binary, int64_t now)
{
    struct engine_packet p = {.type = ENGINE_MESSAGE,
                              .is_binary = true,
                              .data = message};

    do_what_is_due(s, now);
    if (s->has_ended || s->socket == ENGINE_SOCKET_NONE)
        return;
    const bool is_packet = is_binary || engine_packet_read(message, &p);
    if (s->socket != ENGINE_SOCKET_MAIN)
        receive_in_upgrade(s, is_packet ? &p : NULL);
    else if (is_packet)
        handle_packet(s, &p, now);
    else
        engine_session_end(s, ENGINE_END_BAD_PACKET);
    engine_session_flush(s);
}

void engine_session_socket_lost(struct engine_session *s, enum engine_end why)
{
    const bool was_main = is_by_socket(s);

    s->socket = ENGINE_SOCKET_NONE;
    s->upgrade_due = NEVER;
    if (was_main)
        engine_session_end(s, why);
}
