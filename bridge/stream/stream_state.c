/* What a stream waits for, and what happens instead: it falls back to reading the log, or it
 * is dropped. Calls none of the other files. */
#include "bridge/counters/bridge_counters.h"
#include "bridge/stream/stream_private.h"

/* ---- queues -------------------------------------------------------------- */

static struct stream_list *list_of(struct streamer *st, uint8_t queue)
{
    return queue == QUEUE_RUNNABLE ? &st->runnable : &st->waiting;
}

void streamer_catchup_soon(struct streamer *st)
{
    if (TAILQ_EMPTY(&st->runnable) || ev_is_active(&st->catchup))
        return;
    ev_timer_set(&st->catchup, 0., 0.);
    ev_timer_start(st->loop, &st->catchup);
}

void stream_enqueue(struct stream *s, enum stream_queue queue)
{
    struct streamer *st = s->streamer;

    if (s->queue != QUEUE_NONE)
        TAILQ_REMOVE(list_of(st, s->queue), s, in_queue);
    s->queue = (uint8_t)queue;
    if (queue == QUEUE_NONE)
        return;
    TAILQ_INSERT_TAIL(list_of(st, s->queue), s, in_queue);
    streamer_catchup_soon(st);
}

void stream_check_gap(struct stream *s)
{
    s->gap_walk = s->audience->walks_begun + 1;
}

static void leave_live(struct stream *s)
{
    s->audience->live--;
    s->state = STREAM_CATCHUP;
    bridge_count(COUNT_STREAM_CATCHUPS, 1);
    stream_check_gap(s);
    if (output_empty(&s->output))
        stream_enqueue(s, QUEUE_RUNNABLE); /* else when the output is empty */
}

void stream_to_catchup(struct stream *s)
{
    uint64_t position;

    if (output_cut(&s->output, &position))
        s->position = position;
    leave_live(s);
}

/* All live streams have been sent every message up to the last one seen. */
void streamer_lose_all(struct streamer *st)
{
    struct stream *s;

    TAILQ_FOREACH (s, &st->all, in_all) {
        if (s->state != STREAM_LIVE)
            continue;
        if (s->position < st->last_id)
            s->position = st->last_id;
        leave_live(s);
    }
}

/* ---- the end --------------------------------------------------------------- */

bool stream_is_open(const struct stream *s)
{
    return s->state == STREAM_CATCHUP || s->state == STREAM_LIVE;
}

void stream_end_rest(struct stream *s)
{
    if (s->client == NULL || !s->client->rests)
        return;
    s->client->rests = false;
    TAILQ_REMOVE(&s->streamer->resting, s, client->in_resting);
}

void stream_drop(struct stream *s)
{
    struct streamer *st = s->streamer;

    if (s->state == STREAM_GONE)
        return;
    stream_enqueue(s, QUEUE_NONE);
    stream_end_rest(s);
    if (s->state == STREAM_LIVE)
        s->audience->live--;
    s->state = STREAM_GONE;
    ev_io_stop(st->loop, &s->io);
    output_release(&s->output);
    TAILQ_INSERT_TAIL(&st->gone, s, in_queue);
}

/* ---- memory -------------------------------------------------------------- */

static struct stream *longest_blocked(struct streamer *st)
{
    struct stream *s, *found = NULL;

    TAILQ_FOREACH (s, &st->all, in_all)
        if (!output_empty(&s->output) &&
            (found == NULL || s->sent_at_ms < found->sent_at_ms))
            found = s;
    return found;
}

void streamer_relieve(struct streamer *st)
{
    struct stream *s;

    if (st->held <= STREAMER_HELD_MAX)
        return;
    TAILQ_FOREACH (s, &st->all, in_all)
        if (s->state == STREAM_LIVE && !output_empty(&s->output))
            stream_to_catchup(s);
    while (st->held > STREAMER_HELD_MAX && (s = longest_blocked(st)) != NULL) {
        stream_drop(s);
        st->dropped++;
    }
}
