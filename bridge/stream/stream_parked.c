/* Streams whose client polls: what is sent waits for the door (stream_client.h). Such a
 * stream may get a socket while its client moves to a WebSocket. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/counters/bridge_counters.h"
#include "bridge/stream/stream_private.h"

/* ---- time ----------------------------------------------------------------- */

static void arm(struct stream *s)
{
    struct stream_client *client = s->client;
    struct streamer *st = s->streamer;
    const int64_t in_ms =
        client->due_ms > st->now_ms ? client->due_ms - st->now_ms : 0;

    ev_timer_stop(st->loop, &client->due);
    ev_timer_set(&client->due, (double)in_ms / 1000., 0.);
    ev_timer_start(st->loop, &client->due);
}

void stream_on_due(struct ev_loop *loop, ev_timer *w, int events)
{
    struct stream *s = w->data;
    struct stream_client *client = s->client;

    (void)loop;
    (void)events;
    streamer_clock(s->streamer);
    if (client->due_ms == INT64_MAX || !stream_is_open(s))
        return;
    if (s->streamer->now_ms < client->due_ms) {
        arm(s); /* it was put off */
        return;
    }
    client->due_ms = INT64_MAX;
    client->door->tick(client->state, s, s->streamer->now_ms);
}

/* A timer that is put off, as by each message, stays as it is, and is set again when
 * it fires. */
void stream_due(struct stream *s, int64_t at_ms)
{
    struct stream_client *client = s->client;
    const bool is_set = ev_is_active(&client->due);
    const bool is_sooner = at_ms < client->due_ms;

    client->due_ms = at_ms;
    if (at_ms != INT64_MAX && stream_is_open(s) && (!is_set || is_sooner))
        arm(s);
}

/* ---- output --------------------------------------------------------------- */

void stream_take_output(struct stream *s,
                        void (*each)(void *arg, struct slice event), void *arg)
{
    struct output taken = s->output;

    if (output_empty(&taken))
        return;
    s->output = (struct output){0}; /* `each` may end the stream */
    s->sent_at_ms = s->streamer->now_ms;
    output_each(&taken, each, arg);
    output_release(&taken);
    if (s->state == STREAM_CATCHUP && s->queue == QUEUE_NONE)
        stream_enqueue(s, QUEUE_RUNNABLE);
}

/* ---- the socket ----------------------------------------------------------- */

bool stream_send_parked(struct stream *s)
{
    const struct buffer *b = &s->streamer->scratch;
    ssize_t sent = -1;

    if (s->fd < 0)
        return false;
    if (buffer_ok(b) && b->len > 0)
        sent = send(s->fd, b->data, b->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (buffer_ok(b) && (b->len == 0 || sent == (ssize_t)b->len)) {
        bridge_count(COUNT_STREAM_SENT, b->len);
        return true;
    }
    stream_lose_socket(s, STREAM_END_CLIENT);
    return false;
}

static bool send_head(int fd, struct slice head)
{
    const int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return send(fd, head.data, head.len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           (ssize_t)head.len;
}

bool stream_attach(struct stream *s, int fd, struct slice head)
{
    if (!stream_is_open(s) || s->fd >= 0 || !send_head(fd, head)) {
        close(fd);
        return false;
    }
    s->fd = fd;
    s->client->loses = false;
    stream_watch(s);
    return true;
}

static void close_socket(struct stream *s)
{
    ev_io_stop(s->streamer->loop, &s->io);
    stream_drop_input(s);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->client->loses = false;
}

void stream_detach(struct stream *s)
{
    if (s->fd < 0)
        return;
    s->client->loses = true;
    if (!s->client->receives)
        close_socket(s);
}

void stream_lose_socket(struct stream *s, enum stream_end why)
{
    if (s->fd < 0 || s->client->loses)
        return;
    stream_detach(s);
    if (stream_is_open(s))
        s->client->door->socket_lost(s->client->state, s, why);
}

void stream_received_all(struct stream *s)
{
    if (s->client->loses)
        close_socket(s);
}

void stream_unpark(struct stream *s)
{
    s->client->is_parked = false;
    stream_watch(s);
}
