/* How a stream ends. */
#include <stdlib.h>
#include <unistd.h>

#include "base/callers.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/stream/stream_private.h"

#define CLOSING_MS 1000 /* for the reader to take what is still to be sent */

/* Removes the stream from everything that sends it messages or counts it. */
static void leave_streamer(struct stream *s)
{
    struct streamer *st = s->streamer;
    struct audience *a = s->audience;

    if (s->state != STREAM_GONE)
        stream_enqueue(s, QUEUE_NONE);
    catchup_free(s->catchup);
    s->catchup = NULL;
    if (a == NULL)
        return;
    stream_quota_give(st->env.quota, a->token->node.name);
    atomic_fetch_sub(&st->load, 1);
    stream_leave_audience(s);
    /* Last, so that no index ever has more shapes than were counted. */
    stream_shapes_give(st->env.shapes, s->shapes);
    s->shapes = NULL;
}

void stream_hold_input(struct stream *s, size_t bytes)
{
    s->streamer->input_held += bytes - s->client->input_bytes;
    s->client->input_bytes = bytes;
}

void stream_drop_input(struct stream *s)
{
    if (s->client == NULL)
        return;
    stream_hold_input(s, 0);
    if (s->client->input != NULL)
        s->format->received->end(s->client->input);
    s->client->input = NULL;
}

void stream_forget(struct stream *s)
{
    struct stream_client *client = s->client;

    if (!s->is_reaped || (client != NULL && client->replies_due > 0))
        return;
    if (client != NULL) {
        s->streamer->input_held -= client->state_bytes;
        client->door->ended(client->state);
        free(client->spans);
    }
    if (s->has_key)
        caller_unref(stream_key(s)->caller);
    free(s);
}

static void reap_stream(struct streamer *st, struct stream *s)
{
    TAILQ_REMOVE(&st->gone, s, in_queue);
    leave_streamer(s);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->is_reaped = true;
    if (s->client != NULL) {
        ev_timer_stop(st->loop, &s->client->due);
        stream_drop_request(s);
    }
    stream_drop_input(s);
    free(s->start);
    TAILQ_REMOVE(&st->all, s, in_all);
    st->count--;
    bridge_uncount(COUNT_STREAMS + s->format->number, 1);
    stream_forget(s);
}

void streamer_reap(struct streamer *st)
{
    struct stream *s;

    while ((s = TAILQ_FIRST(&st->gone)) != NULL)
        reap_stream(st, s);
}

static bool say_goodbye(struct stream *s, enum stream_end why)
{
    struct streamer *st = s->streamer;

    stream_clear_scratch(st);
    s->format->bye(&st->scratch, stream_state_of(s), why);
    stream_mark(st, RUN_KEPT);
    return stream_send_last(s);
}

void stream_close(struct stream *s, enum stream_end why)
{
    if (s->state != STREAM_CATCHUP && s->state != STREAM_LIVE)
        return;
    if (s->start != NULL) { /* not even a status line was sent */
        stream_drop(s);
        return;
    }
    if (stream_parked(s)) {
        s->client->door->closed(s->client->state, s, why);
        stream_drop(s);
        return;
    }
    if (!say_goodbye(s, why))
        return;
    leave_streamer(s);
    s->state = STREAM_CLOSING;
    s->until_ms = s->streamer->now_ms + CLOSING_MS;
    if (output_empty(&s->output))
        stream_send_fin(s);
}

static void close_audience(struct audience *a)
{
    struct stream *s, *next;
    uint64_t position;

    a->refs++; /* so that it survives its last stream */
    for (s = LIST_FIRST(&a->streams); s != NULL; s = next) {
        next = LIST_NEXT(s, in_audience);
        output_cut(&s->output, &position);
        stream_close(s, STREAM_END_REVOKED);
    }
}

void stream_close_token(struct streamer *st, struct slice token)
{
    char text[TOKEN_MAX]; /* a copy: `token` may be the entry's own name */
    struct index_token *k;
    struct audience *a;

    if (token.len > sizeof(text))
        return;
    memcpy(text, token.data, token.len);
    token.data = text;
    /* The last audience frees the token's entry: so look it up each time. */
    while ((k = stream_index_token(&st->index, token)) != NULL) {
        a = LIST_FIRST(&k->audiences);
        close_audience(a);
        streamer_reap(st);
        audience_release(st, a);
    }
}
