/* What happens because time passes: idle streams end, quiet ones get a comment, and closing
 * streams run out of time. One timer walks all streams; it is exact to half a second, which
 * suffices here. Also the end of all streams when the server stops. */
#include <poll.h>

#include "base/log.h"
#include "bridge/stream/stream_private.h"

#define TEND_SWEEPS 2      /* sweeps of half a second per second */
#define TOKEN_PARTS 10     /* so that all were checked after 10 s */
#define PROBE_MS 15000     /* between two probes of a half-closed reader */
#define BYTES_PER_S 256    /* of a message that has begun, at least */
#define STOP_MS 1400       /* for all streams together … */
#define REPLIES_MS 400     /* … of which replies may take this long */
#define STOP_WAVES 16      /* one wave ends per timer turn … */
#define STOP_WAVE_LEAST 64 /* … and has at least so many streams */

static void expire_stream(struct stream *s)
{
    struct streamer *st = s->streamer;

    if (s->start != NULL) {
        stream_drop(s);
        return;
    }
    stream_clear_scratch(st);
    s->format->expired(&st->scratch, stream_state_of(s));
    stream_mark(st, RUN_KEPT);
    if (stream_send_scratch(s))
        stream_close(s, STREAM_END_IDLE);
}

/* If a reader that sent FIN is really gone, it has answered the last byte with a reset by
 * now. */
static bool is_gone(const struct stream *s)
{
    struct pollfd p = {.fd = s->fd};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

static bool is_past(int64_t now_ms, int64_t since_ms, uint64_t seconds)
{
    return seconds != 0 && seconds < INT64_MAX / 2000 &&
           now_ms - since_ms >= (int64_t)seconds * 1000;
}

/* A message that has begun comes too slowly: it has the time of a request's body
 * (http_deadlines.c), which does not run while we do not read. */
static bool is_late(struct stream *s)
{
    const struct streamer *st = s->streamer;
    const int64_t patience_ms =
        (int64_t)st->env.config->http_body_timeout * 1000;
    struct stream_client *client = s->client;

    if (client == NULL || client->input == NULL)
        return false;
    if (!ev_is_active(&s->io) || (s->io.events & EV_READ) == 0) {
        client->begun_ms = client->heard_ms = st->now_ms;
        return false;
    }
    return st->now_ms - client->heard_ms > patience_ms ||
           st->now_ms - client->begun_ms >
               patience_ms +
                   (int64_t)(client->heard_bytes / BYTES_PER_S) * 1000;
}

static void tick_client(struct stream *s)
{
    if (s->start == NULL) /* else it was sent nothing yet */
        s->client->door->tick(s->client->state, s, s->streamer->now_ms);
}

static void sweep_open(struct stream *s)
{
    const int64_t now_ms = s->streamer->now_ms;
    const bool quiet = output_empty(&s->output) && s->start == NULL;

    if (s->half_closed && is_gone(s))
        stream_drop(s);
    else if (stream_key_has_expired(s))
        stream_close_by_key(s);
    else if (is_late(s) && stream_parked(s))
        stream_lose_socket(s, STREAM_END_SLOW);
    else if (is_late(s))
        stream_close(s, STREAM_END_SLOW);
    else if (is_past(now_ms, s->event_at_ms, s->idle_timeout))
        expire_stream(s);
    else if (s->client != NULL && s->client->door->tick != NULL)
        tick_client(s);
    else if (quiet && (is_past(now_ms, s->sent_at_ms, s->keepalive) ||
                       (s->half_closed && now_ms - s->sent_at_ms >= PROBE_MS)))
        stream_ping(s);
}

static void sweep_stream(struct stream *s)
{
    switch ((enum stream_state)s->state) {
    case STREAM_CATCHUP:
    case STREAM_LIVE: sweep_open(s); break;
    case STREAM_CLOSING:
    case STREAM_LINGER:
        if (s->streamer->now_ms >= s->until_ms)
            stream_drop(s);
        break;
    case STREAM_GONE: break;
    }
}

/* One line for all: a line per slow reader would fill the disk. */
static void log_dropped(struct streamer *st)
{
    if (st->dropped > 0)
        log_warn("stream",
                 "closed %zu readers that were too slow: more than %lu MiB "
                 "waited for them",
                 st->dropped, STREAMER_HELD_MAX >> 20);
    st->dropped = 0;
}

void streamer_on_sweep(struct ev_loop *loop, ev_timer *w, int events)
{
    struct streamer *st = w->data;
    struct stream *s, *next;

    (void)events;
    streamer_clock(st);
    for (s = TAILQ_FIRST(&st->all); s != NULL; s = next) {
        next = TAILQ_NEXT(s, in_all);
        sweep_stream(s);
    }
    streamer_sweep_requests(st);
    streamer_relieve_input(st);
    if (++st->sweeps % TEND_SWEEPS != 0)
        return;
    if (atomic_load(&st->flags) != 0)
        ev_async_send(loop, &st->wake); /* what could not be done then */
    streamer_poll_head(st);
    /* Revocations come over the link, and are checked after it was down. But events
     * are not stored, so an overloaded broker may lose one. */
    streamer_check_some_tokens(st, TOKEN_PARTS);
    log_dropped(st);
    if (st->number == 0)
        subscriptions_tend(st->env.subscriptions, st->now_ms * 1000);
}

/* ---- the end of all ------------------------------------------------------ */

/* Ends streams in waves, because readers that are cut off come back at once. They are cut
 * off between two events, but without the last chunk: after that, r3labs/sse and
 * @microsoft/fetch-event-source would not come back at all. */
static void end_wave(struct streamer *st)
{
    size_t most = st->count / STOP_WAVES;
    struct stream *s, *next;
    uint64_t position;

    if (most < STOP_WAVE_LEAST)
        most = STOP_WAVE_LEAST;
    for (s = TAILQ_FIRST(&st->all); s != NULL && most > 0; s = next) {
        next = TAILQ_NEXT(s, in_all);
        if (s->state != STREAM_CATCHUP && s->state != STREAM_LIVE)
            continue;
        if (s->client != NULL && s->client->replies_due > 0 &&
            st->now_ms < st->stop_until_ms - REPLIES_MS)
            continue;
        output_cut(&s->output, &position);
        stream_close(s, STREAM_END_SHUTDOWN);
        most--;
    }
}

void streamer_begin_stop(struct streamer *st)
{
    if (st->stop_until_ms != 0)
        return;
    st->stop_until_ms = st->now_ms + STOP_MS;
    ev_timer_again(st->loop, &st->stop);
    end_wave(st);
    streamer_reap(st);
    if (st->count == 0)
        ev_break(st->loop, EVBREAK_ALL);
}

void streamer_on_stop(struct ev_loop *loop, ev_timer *w, int events)
{
    struct streamer *st = w->data;
    struct stream *s;

    (void)events;
    streamer_clock(st);
    end_wave(st);
    if (st->now_ms >= st->stop_until_ms)
        TAILQ_FOREACH (s, &st->all, in_all)
            stream_drop(s);
    streamer_reap(st);
    if (st->count == 0)
        ev_break(loop, EVBREAK_ALL);
}
