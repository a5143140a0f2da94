#include "bridge/socketio/socket_session.h"

#include <stdlib.h>

#include "base/json_walk.h"
#include "base/json_write.h"

#define NEVER INT64_MAX

struct socket_namespace {
    char name[SOCKET_NAMESPACE_MAX];
    size_t name_len;
    char sid[TOKEN_MADE + 1]; /* "": the door has not answered yet */
};

/* A binary event or acknowledgement as far as it has come. */
struct socket_assembly {
    struct buffer text, bytes;           /* the packet; all attachments */
    size_t ends[SOCKET_ATTACHMENTS_MAX]; /* in bytes */
    size_t wanted, count;
};

/* ---- packets to the client ------------------------------------------------ */

struct engine_frame *socket_frame_new(const struct socket_packet *packet)
{
    struct buffer out = BUFFER_INIT;
    struct engine_frame *frame = NULL;

    engine_packet_put(&out, ENGINE_MESSAGE, slice_of(NULL, 0));
    socket_packet_put(&out, packet);
    if (buffer_ok(&out))
        frame = engine_frame_new(buffer_slice(&out), false);
    buffer_release(&out);
    return frame;
}

static void send_packet(struct socket_session *s, enum socket_packet_type type,
                        struct slice namespace_name, struct slice json)
{
    const struct socket_packet packet = {.type = type,
                                         .namespace_name = namespace_name,
                                         .json = json};

    engine_session_give(&s->engine, socket_frame_new(&packet));
}

void socket_session_send(struct socket_session *s,
                         const struct socket_event *event)
{
    engine_session_give(&s->engine, socket_frame_new(&event->packet));
    for (size_t i = 0; i < event->packet.attachments; i++)
        engine_session_give(&s->engine,
                            engine_frame_new(event->attachments[i], true));
}

/* ---- namespaces ----------------------------------------------------------- */

static struct slice name_of(const struct socket_namespace *n)
{
    return slice_of(n->name, n->name_len);
}

static struct socket_namespace *find_namespace(const struct socket_session *s,
                                               struct slice name)
{
    for (size_t i = 0; i < s->namespace_count; i++)
        if (slice_eq(name_of(&s->namespaces[i]), name))
            return &s->namespaces[i];
    return NULL;
}

static bool is_connected(const struct socket_namespace *n)
{
    return n != NULL && n->sid[0] != '\0';
}

/* NULL: out of memory. */
static struct socket_namespace *add_namespace(struct socket_session *s,
                                              struct slice name)
{
    struct socket_namespace *all =
        realloc(s->namespaces, (s->namespace_count + 1) * sizeof(*all));

    if (all == NULL)
        return NULL;
    s->namespaces = all;
    struct socket_namespace *n = &all[s->namespace_count++];
    memcpy(n->name, name.data, name.len);
    n->name_len = name.len;
    n->sid[0] = '\0';
    return n;
}

static void remove_namespace(struct socket_session *s,
                             struct socket_namespace *n)
{
    *n = s->namespaces[--s->namespace_count];
}

const char *socket_session_sid(const struct socket_session *s,
                               struct slice namespace_name)
{
    const struct socket_namespace *n = find_namespace(s, namespace_name);

    return is_connected(n) ? n->sid : NULL;
}

static void put_connect_answer(struct buffer *b, const char *sid,
                               const char *pid)
{
    struct json_writer w = json_writer_of(b);

    json_object(&w);
    json_member_text(&w, "sid", sid);
    if (pid != NULL)
        json_member_text(&w, "pid", pid);
    json_object_end(&w);
}

void socket_session_accept(struct socket_session *s,
                           struct slice namespace_name,
                           const struct socket_accept *how)
{
    static const struct socket_accept fresh = {0};
    struct socket_namespace *n = find_namespace(s, namespace_name);
    struct buffer json = BUFFER_INIT;

    if (n == NULL || is_connected(n))
        return;
    if (how == NULL)
        how = &fresh;
    if (how->sid != NULL && strlen(how->sid) == TOKEN_MADE)
        memcpy(n->sid, how->sid, sizeof(n->sid));
    else
        token_make(n->sid);
    s->connect_due = NEVER;
    put_connect_answer(&json, n->sid, how->pid);
    if (buffer_ok(&json))
        send_packet(s, SOCKET_CONNECT, name_of(n), buffer_slice(&json));
    else
        engine_session_end(&s->engine, ENGINE_END_NO_MEMORY);
    buffer_release(&json);
}

static void send_connect_error(struct socket_session *s, struct slice name,
                               const char *message)
{
    struct buffer json = BUFFER_INIT;
    struct json_writer w = json_writer_of(&json);

    json_object(&w);
    json_member_text(&w, "message", message);
    json_object_end(&w);
    if (buffer_ok(&json))
        send_packet(s, SOCKET_CONNECT_ERROR, name, buffer_slice(&json));
    else
        engine_session_end(&s->engine, ENGINE_END_NO_MEMORY);
    buffer_release(&json);
}

void socket_session_refuse(struct socket_session *s,
                           struct slice namespace_name, const char *message)
{
    struct socket_namespace *n = find_namespace(s, namespace_name);

    if (n == NULL || is_connected(n))
        return;
    send_connect_error(s, name_of(n), message);
    remove_namespace(s, n);
}

void socket_session_leave(struct socket_session *s,
                          struct slice namespace_name)
{
    struct socket_namespace *n = find_namespace(s, namespace_name);

    if (!is_connected(n))
        return;
    send_packet(s, SOCKET_DISCONNECT, name_of(n), slice_of(NULL, 0));
    remove_namespace(s, n);
}

/* ---- packets of the client ------------------------------------------------ */

static void break_off(struct socket_session *s)
{
    engine_session_end(&s->engine, ENGINE_END_BAD_PACKET);
}

static void handle_connect(struct socket_session *s,
                           const struct socket_packet *p)
{
    if (find_namespace(s, p->namespace_name) != NULL)
        break_off(s); /* once is enough */
    else if (s->namespace_count == SOCKET_NAMESPACES_MAX)
        send_connect_error(s, p->namespace_name, "Too many namespaces");
    else if (add_namespace(s, p->namespace_name) == NULL)
        engine_session_end(&s->engine, ENGINE_END_NO_MEMORY);
    else
        s->hooks->connect(s->arg, p->namespace_name, p->json);
}

static void handle_disconnect(struct socket_session *s,
                              const struct socket_packet *p)
{
    remove_namespace(s, find_namespace(s, p->namespace_name));
    s->hooks->left(s->arg, p->namespace_name);
}

static bool is_ack(enum socket_packet_type type)
{
    return type == SOCKET_ACK || type == SOCKET_BINARY_ACK;
}

static void handle_event(struct socket_session *s,
                         const struct socket_event *event)
{
    if (!is_ack(event->packet.type))
        s->hooks->event(s->arg, event);
    else if (s->hooks->ack != NULL)
        s->hooks->ack(s->arg, event);
}

static void handle_packet(struct socket_session *s,
                          const struct socket_packet *p)
{
    const struct socket_event event = {.packet = *p};

    if (p->type == SOCKET_CONNECT)
        handle_connect(s, p);
    else if (p->type == SOCKET_CONNECT_ERROR ||
             !is_connected(find_namespace(s, p->namespace_name)))
        break_off(s);
    else if (p->type == SOCKET_DISCONNECT)
        handle_disconnect(s, p);
    else
        handle_event(s, &event);
}

/* ---- attachments ---------------------------------------------------------- */

static void drop_assembly(struct socket_session *s)
{
    if (s->assembly == NULL)
        return;
    buffer_release(&s->assembly->text);
    buffer_release(&s->assembly->bytes);
    free(s->assembly);
    s->assembly = NULL;
}

static void begin_assembly(struct socket_session *s, struct slice text,
                           size_t wanted)
{
    struct socket_assembly *a = calloc(1, sizeof(*a));

    s->assembly = a;
    if (a != NULL) {
        a->wanted = wanted;
        buffer_put_slice(&a->text, text);
    }
    if (a == NULL || !buffer_ok(&a->text))
        engine_session_end(&s->engine, ENGINE_END_NO_MEMORY);
}

static void finish_assembly(struct socket_session *s)
{
    struct socket_assembly *a = s->assembly;
    struct socket_event event = {0};

    s->assembly = NULL; /* the event's hook may end the session */
    socket_packet_read(buffer_slice(&a->text), &event.packet);
    for (size_t i = 0; i < a->count; i++) {
        const size_t start = i == 0 ? 0 : a->ends[i - 1];
        event.attachments[i] =
            slice_of(a->bytes.data + start, a->ends[i] - start);
    }
    if (is_connected(find_namespace(s, event.packet.namespace_name)))
        handle_event(s, &event);
    buffer_release(&a->text);
    buffer_release(&a->bytes);
    free(a);
}

static void handle_attachment(struct socket_session *s, struct slice data)
{
    struct socket_assembly *a = s->assembly;

    if (a == NULL) {
        break_off(s);
        return;
    }
    if (a->text.len + a->bytes.len + data.len >
        s->engine.settings->max_payload) {
        engine_session_end(&s->engine, ENGINE_END_TOO_BIG);
        return;
    }
    if (!buffer_reserve(&a->bytes, data.len + 1)) { /* data is never NULL */
        engine_session_end(&s->engine, ENGINE_END_NO_MEMORY);
        return;
    }
    buffer_put_slice(&a->bytes, data);
    a->ends[a->count++] = a->bytes.len;
    if (a->count == a->wanted)
        finish_assembly(s);
}

static void handle_text(struct socket_session *s, struct slice text)
{
    struct socket_packet p;

    if (s->assembly != NULL || /* attachments must come first */
        socket_packet_read(text, &p) != SOCKET_PACKET_OK)
        break_off(s);
    else if (p.attachments == 0)
        handle_packet(s, &p);
    else if (is_connected(find_namespace(s, p.namespace_name)))
        begin_assembly(s, text, p.attachments);
    else
        break_off(s);
}

/* ---- hooks of Engine.IO --------------------------------------------------- */

static void on_answer_poll(void *arg, struct slice payload)
{
    const struct socket_session *s = arg;

    s->hooks->answer_poll(s->arg, payload);
}

static bool on_send(void *arg, struct engine_frame *frame)
{
    const struct socket_session *s = arg;

    return s->hooks->send(s->arg, frame);
}

static void on_close_socket(void *arg, uint16_t code, const char *reason)
{
    const struct socket_session *s = arg;

    s->hooks->close_socket(s->arg, code, reason);
}

static void on_message(void *arg, struct slice data, bool is_binary)
{
    struct socket_session *s = arg;

    if (is_binary)
        handle_attachment(s, data);
    else
        handle_text(s, data);
}

static void on_ended(void *arg, enum engine_end why)
{
    struct socket_session *s = arg;

    s->connect_due = NEVER;
    s->hooks->ended(s->arg, why);
}

static const struct engine_hooks engine_hooks = {
    .answer_poll = on_answer_poll,
    .send = on_send,
    .close_socket = on_close_socket,
    .message = on_message,
    .ended = on_ended,
};

/* ---- life ----------------------------------------------------------------- */

void socket_session_init(struct socket_session *s,
                         const struct engine_settings *settings,
                         const struct socket_hooks *hooks, void *arg,
                         enum engine_transport transport,
                         uint32_t connect_timeout_ms, int64_t now)
{
    *s = (struct socket_session){
        .hooks = hooks,
        .arg = arg,
        .connect_due = now + connect_timeout_ms,
    };
    engine_session_init(&s->engine, settings, &engine_hooks, s, transport,
                        now);
}

void socket_session_release(struct socket_session *s)
{
    engine_session_release(&s->engine);
    drop_assembly(s);
    free(s->namespaces);
    s->namespaces = NULL;
    s->namespace_count = 0;
}

void socket_session_tick(struct socket_session *s, int64_t now)
{
    if (now >= s->connect_due) {
        s->connect_due = NEVER;
        engine_session_close(&s->engine, ENGINE_END_CONNECT_TIMEOUT);
    }
    engine_session_tick(&s->engine, now);
}

int64_t socket_session_deadline(const struct socket_session *s)
{
    const int64_t engine = engine_session_deadline(&s->engine);

    return s->connect_due < engine ? s->connect_due : engine;
}

size_t socket_session_held(const struct socket_session *s)
{
    const struct socket_assembly *a = s->assembly;

    return engine_session_held(&s->engine) +
           s->namespace_count * sizeof(*s->namespaces) +
           (a == NULL ? 0 : sizeof(*a) + a->text.cap + a->bytes.cap);
}

/* ---- recovery ------------------------------------------------------------- */

bool socket_recovery_read(struct slice auth, struct buffer *ret,
                          size_t *ret_pid_len)
{
    struct slice name, value, pid = {0}, offset = {0};
    size_t at = 0;

    while (auth.len > 0 && json_next_member(auth, &at, &name, &value)) {
        if (json_string_is(name, "pid"))
            pid = value;
        else if (json_string_is(name, "offset"))
            offset = value;
    }
    const size_t start = ret->len;
    if (!json_put_unescaped(ret, pid))
        return false;
    *ret_pid_len = ret->len - start;
    return json_put_unescaped(ret, offset) && buffer_ok(ret);
}
