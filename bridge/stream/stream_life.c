/* How a stream begins and how it ends. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/stream/stream_private.h"

#define CLOSING_MS 1000 /* for the reader to take what it is owed */

/* ---- the beginning ------------------------------------------------------- */

/* Fails on sockets that are not TCP, which is fine. A reader that has gone
 * without a word is noticed after two minutes, whether we send or not. */
static void prepare_socket(int fd)
{
    const int on = 1, idle_s = 60, interval_s = 15, probes = 4;
    const unsigned patience_ms = 120000;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s,
               sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms,
               sizeof(patience_ms));
}

static bool hold_subscriptions(struct streamer *st, struct audience *a)
{
    for (size_t i = 0; i < a->filter_count; i++) {
        a->filters[i].subscription =
            subscriptions_hold(st->env.subscriptions, a->filters[i].filter,
                               st->number);
        if (a->filters[i].subscription == NULL)
            return false;
    }
    return true;
}

/* Gives back one reference; with the last one the subscriptions. */
static void leave_audience(struct streamer *st, struct audience *a)
{
    if (a->refs == 1)
        for (size_t i = 0; i < a->filter_count; i++)
            if (a->filters[i].subscription != NULL)
                subscriptions_release(st->env.subscriptions,
                                      a->filters[i].subscription, st->number,
                                      st->now_ms * 1000);
    stream_index_leave(&st->index, a);
}

static bool enter_audience(struct stream *s, const struct stream_start *start)
{
    struct streamer *st = s->streamer;
    struct audience *a =
        stream_index_enter(&st->index, start->token, start->filters,
                           start->filter_count, start->format);

    if (a == NULL)
        return false;
    if (a->refs == 1 && !hold_subscriptions(st, a)) {
        leave_audience(st, a);
        return false;
    }
    LIST_INSERT_HEAD(&a->streams, s, in_audience);
    s->audience = a;
    stream_check_gap(s);
    return true;
}

void stream_begin(struct streamer *st, struct stream_start *start)
{
    struct stream *s = start->stream;

    s->streamer = st;
    s->start = start;
    s->plan = start->plan;
    s->format = start->format;
    s->state = STREAM_CATCHUP;
    s->position = start->has_cursor && start->cursor <= start->head
                      ? start->cursor
                      : start->head;
    s->event_at_ms = s->sent_at_ms = st->now_ms;
    ev_io_init(&s->io, stream_on_io, s->fd, EV_READ);
    s->io.data = s;
    TAILQ_INSERT_TAIL(&st->all, s, in_all);
    st->count++;
    if (st->stop_until_ms != 0 || !enter_audience(s, start)) {
        stream_quota_give(st->env.quota, start->token);
        stream_shapes_give(st->env.shapes, s->shapes);
        atomic_fetch_sub(&st->load, 1);
        stream_drop(s);
        return;
    }
    prepare_socket(s->fd);
    stream_watch(s);
    stream_enqueue(s, QUEUE_RUNNABLE);
}

/* ---- the end ------------------------------------------------------------- */

/* Out of everything that gives it messages or counts it. */
static void leave(struct stream *s)
{
    struct streamer *st = s->streamer;
    struct audience *a = s->audience;

    if (s->state != STREAM_GONE)
        stream_enqueue(s, QUEUE_NONE);
    catchup_free(s->catchup);
    s->catchup = NULL;
    if (a == NULL)
        return;
    s->audience = NULL;
    LIST_REMOVE(s, in_audience);
    if (s->state == STREAM_LIVE)
        a->live--;
    stream_quota_give(st->env.quota, a->token->node.name);
    atomic_fetch_sub(&st->load, 1);
    leave_audience(st, a);
    /* Last, so that no index ever has more shapes than are counted. */
    stream_shapes_give(st->env.shapes, s->shapes);
    s->shapes = NULL;
}

static void reap(struct streamer *st, struct stream *s)
{
    TAILQ_REMOVE(&st->gone, s, in_queue);
    leave(s);
    close(s->fd);
    free(s->start);
    TAILQ_REMOVE(&st->all, s, in_all);
    st->count--;
    free(s);
}

void streamer_reap(struct streamer *st)
{
    struct stream *s;

    while ((s = TAILQ_FIRST(&st->gone)) != NULL)
        reap(st, s);
}

static bool say_goodbye(struct stream *s, enum stream_end why)
{
    struct streamer *st = s->streamer;

    stream_clear_scratch(st);
    s->format->bye(&st->scratch, why);
    stream_mark(st, RUN_KEPT);
    return stream_send_last(s);
}

void stream_close(struct stream *s, enum stream_end why)
{
    if (s->state != STREAM_CATCHUP && s->state != STREAM_LIVE)
        return;
    if (s->start != NULL) { /* nothing was sent, not even a status line */
        stream_drop(s);
        return;
    }
    if (!say_goodbye(s, why))
        return;
    leave(s);
    s->state = STREAM_CLOSING;
    s->until_ms = s->streamer->now_ms + CLOSING_MS;
    if (output_empty(&s->output))
        stream_send_fin(s);
}

static void close_audience(struct audience *a)
{
    struct stream *s, *next;
    uint64_t position;

    a->refs++; /* its last stream may leave */
    for (s = LIST_FIRST(&a->streams); s != NULL; s = next) {
        next = LIST_NEXT(s, in_audience);
        output_cut(&s->output, &position);
        stream_close(s, STREAM_END_REVOKED);
    }
}

void stream_close_token(struct streamer *st, struct slice token)
{
    char text[TOKEN_MAX]; /* `token` may be the entry's own */
    struct index_token *k;
    struct audience *a;

    if (token.len > sizeof(text))
        return;
    memcpy(text, token.data, token.len);
    token.data = text;
    /* The last audience takes the token's entry with it: look it up anew. */
    while ((k = stream_index_token(&st->index, token)) != NULL) {
        a = LIST_FIRST(&k->audiences);
        close_audience(a);
        streamer_reap(st);
        leave_audience(st, a);
    }
}
