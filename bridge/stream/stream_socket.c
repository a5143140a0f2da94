/* One stream's socket: sending, and keeping what it does not accept. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/hops.h"
#include "base/log.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/stream/stream_private.h"

#define LINGER_MS 2000 /* for the reader to see the end and close */

/* ---- watching ------------------------------------------------------------ */

/* Whether to read from it: it has been answered, and reads its answers. */
static bool may_read(const struct stream *s)
{
    const struct stream_client *client = s->client;

    if (s->half_closed)
        return false;
    if (client == NULL)
        return true;
    if (client->rests)
        return false;
    if (client->is_parked)
        return s->fd >= 0;
    if (s->state == STREAM_CLOSING || s->state == STREAM_LINGER)
        return true;
    return s->start == NULL && client->replies_due < STREAM_REPLIES_MAX &&
           client->reply_bytes < STREAM_REPLY_BYTES_MAX &&
           s->output.bytes < STREAM_UNREAD_MAX;
}

void stream_watch(struct stream *s)
{
    const int events =
        (may_read(s) ? EV_READ : 0) |
        (output_empty(&s->output) || stream_parked(s) ? 0 : EV_WRITE);
    const int now =
        ev_is_active(&s->io) ? s->io.events & (EV_READ | EV_WRITE) : 0;

    if (events == now)
        return;
    ev_io_stop(s->streamer->loop, &s->io);
    if (events == 0)
        return;
    ev_io_set(&s->io, s->fd, events);
    ev_io_start(s->streamer->loop, &s->io);
}

/* ---- sending ------------------------------------------------------------- */

void stream_mark(struct streamer *st, uint64_t id)
{
    if (st->mark_count == st->mark_cap) {
        const size_t cap = st->mark_cap == 0 ? 64 : st->mark_cap * 2;
        struct run_mark *wider = realloc(st->marks, cap * sizeof(*wider));
        if (wider == NULL) {
            st->scratch.failed = true; /* checked when it is sent */
            return;
        }
        st->marks = wider;
        st->mark_cap = cap;
    }
    st->marks[st->mark_count++] = (struct run_mark){id, st->scratch.len};
}

void stream_clear_scratch(struct streamer *st)
{
    buffer_clear(&st->scratch);
    st->mark_count = 0;
}

/* Returns the bytes accepted, 0 if none; -1: the connection is gone. */
static ssize_t send_now(struct stream *s, const char *bytes, size_t len,
                        int more)
{
    const ssize_t n =
        send(s->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT | more);

    if (n >= 0) {
        s->sent_at_ms = s->streamer->now_ms;
        bridge_count(COUNT_STREAM_SENT, (uint64_t)n);
    } else if (errno == EAGAIN || errno == EINTR) {
        return 0;
    }
    return n;
}

/* Something waits in its output: for its socket, or for its door. */
static void await_client(struct stream *s)
{
    stream_watch(s);
    if (stream_parked(s))
        s->client->door->waiting(s->client->state, s);
}

static bool out_of_memory(struct stream *s)
{
    log_error("stream", "out of memory: closed a stream");
    stream_drop(s);
    return false;
}

#define TELL_MOST 65536 /* waiting for a reader who is still told of events */

/* Keeps what was not sent of the scratch, from the start of the event that contains byte
 * `sent`, so that output_cut() sees where that event began. */
static bool keep_unsent(struct stream *s, size_t sent)
{
    struct streamer *st = s->streamer;
    struct run *run = run_new(&st->held);
    size_t start = 0, base = 0;
    bool ok = run != NULL;

    for (size_t i = 0; ok && i < st->mark_count; i++) {
        const struct run_mark *m = &st->marks[i];
        if (m->end <= sent) {
            base = m->end;
        } else {
            ok =
                run_append(run, m->id,
                           slice_of(st->scratch.data + start, m->end - start));
        }
        start = m->end;
    }
    ok = ok && output_push(&s->output, run, sent - base, run->len);
    run_unref(run);
    return ok;
}

static bool send_scratch(struct stream *s, int more)
{
    struct streamer *st = s->streamer;
    ssize_t sent = 0;

    if (!buffer_ok(&st->scratch))
        return out_of_memory(s);
    if (st->scratch.len == 0)
        return true;
    if (output_empty(&s->output) && !stream_parked(s))
        sent = send_now(s, st->scratch.data, st->scratch.len, more);
    if (sent < 0) {
        stream_drop(s);
        return false;
    }
    if ((size_t)sent < st->scratch.len) {
        if (!keep_unsent(s, (size_t)sent))
            return out_of_memory(s);
        await_client(s);
    }
    return s->state != STREAM_GONE;
}

bool stream_send_scratch(struct stream *s)
{
    return send_scratch(s, 0);
}

bool stream_send_last(struct stream *s)
{
    return send_scratch(s, MSG_MORE);
}

bool stream_ping(struct stream *s)
{
    struct streamer *st = s->streamer;

    stream_clear_scratch(st);
    s->format->ping(&st->scratch, stream_state_of(s));
    stream_mark(st, RUN_KEPT);
    return stream_send_scratch(s);
}

void stream_tell(struct stream *s, struct run *run)
{
    ssize_t sent = 0;

    if (s->output.bytes > TELL_MOST)
        return;
    if (output_empty(&s->output) && !stream_parked(s))
        sent = send_now(s, run->bytes, run->len, 0);
    if (sent < 0) {
        stream_drop(s);
        return;
    }
    s->event_at_ms = s->streamer->now_ms;
    if ((size_t)sent == run->len)
        return;
    if (output_push(&s->output, run, (size_t)sent, run->len))
        await_client(s);
    else if (sent > 0)
        stream_drop(s); /* in the middle of an event */
}

void stream_deliver(struct stream *s, struct run *run)
{
    const uint64_t last = run->marks[run->count - 1].id;
    size_t from = 0;
    ssize_t sent = 0;

    if (s->position >= run->marks[0].id)
        from =
            run_offset_after(run, s->position); /* it went live with these */
    if (from == run->len)
        return;
    s->event_at_ms = s->streamer->now_ms;
    s->position = last;
    if (output_empty(&s->output) && !stream_parked(s))
        sent = send_now(s, run->bytes + from, run->len - from, 0);
    if (sent > 0 && s->audience != NULL)
        hop_stream_send(s->fd, s->audience->token->node.name, last,
                        (size_t)sent);
    if (sent < 0) {
        stream_drop(s);
        return;
    }
    from += (size_t)sent;
    if (from == run->len)
        return;
    if (!output_push(&s->output, run, from, run->len)) {
        out_of_memory(s);
        return;
    }
    await_client(s);
    if (s->state == STREAM_LIVE && s->output.bytes > STREAM_PENDING_MAX)
        stream_to_catchup(s);
}

/* Everything is sent. Half-closes the socket, so that the reader can see the end. Closing it
 * while bytes of the reader are unread would reset the connection and discard what it has
 * not read yet. */
void stream_send_fin(struct stream *s)
{
    if (s->half_closed || shutdown(s->fd, SHUT_WR) != 0) {
        stream_drop(s);
        return;
    }
    s->state = STREAM_LINGER;
    s->until_ms = s->streamer->now_ms + LINGER_MS;
    stream_watch(s);
}

void stream_on_writable(struct stream *s)
{
    size_t sent;
    const enum output_result result = output_flush(&s->output, s->fd, &sent);

    if (sent > 0)
        s->sent_at_ms = s->streamer->now_ms;
    bridge_count(COUNT_STREAM_SENT, sent);
    if (result == OUTPUT_BROKEN) {
        stream_drop(s);
        return;
    }
    if (result == OUTPUT_BLOCKED)
        return;
    stream_watch(s);
    if (s->state == STREAM_CLOSING)
        stream_send_fin(s);
    else if (s->state == STREAM_CATCHUP)
        stream_enqueue(s, QUEUE_RUNNABLE);
}
