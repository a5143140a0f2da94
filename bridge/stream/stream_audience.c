/* Which audience a stream is in: its filters, which a client may change. */
#include <stdio.h>
#include <stdlib.h>

#include "base/topic.h"
#include "base/vocabulary.h"
#include "bridge/stream/stream_private.h"

/* All events of the token, whichever things are followed: a filter for each would have
 * shapes (base/filter_shape.h), which all tokens' events would share. */
static bool hold_events(struct streamer *st, struct audience *a)
{
    const struct slice token = a->token->node.name;
    char filter[sizeof(EVENTS_PREFIX) + TOKEN_MAX + sizeof("/#")];

    if (!a->format->takes_events)
        return true;
    const int len = snprintf(filter, sizeof(filter), EVENTS_PREFIX "%.*s/#",
                             (int)token.len, (const char *)token.data);
    a->events = subscriptions_hold(st->env.subscriptions,
                                   slice_of(filter, (size_t)len), st->number);
    return a->events != NULL;
}

static bool hold_subscriptions(struct streamer *st, struct audience *a)
{
    if (!hold_events(st, a))
        return false;
    for (size_t i = 0; i < a->filter_count; i++) {
        a->filters[i].subscription =
            subscriptions_hold(st->env.subscriptions, a->filters[i].filter,
                               st->number);
        if (a->filters[i].subscription == NULL)
            return false;
    }
    return true;
}

void audience_release(struct streamer *st, struct audience *a)
{
    if (a->refs == 1)
        for (size_t i = 0; i < a->filter_count; i++)
            if (a->filters[i].subscription != NULL)
                subscriptions_release(st->env.subscriptions,
                                      a->filters[i].subscription, st->number,
                                      st->now_ms * 1000);
    if (a->refs == 1 && a->events != NULL)
        subscriptions_release(st->env.subscriptions, a->events, st->number,
                              st->now_ms * 1000);
    stream_index_leave(&st->index, a);
}

/* With one reference more. NULL: out of memory. */
static struct audience *audience_enter(struct streamer *st, struct slice token,
                                       const struct slice *filters,
                                       size_t count,
                                       const struct stream_format *format)
{
    struct audience *a =
        stream_index_enter(&st->index, token, filters, count, format);

    if (a == NULL || a->refs > 1 || hold_subscriptions(st, a))
        return a;
    audience_release(st, a);
    return NULL;
}

static void audience_join(struct stream *s, struct audience *a)
{
    LIST_INSERT_HEAD(&a->streams, s, in_audience);
    s->audience = a;
    stream_check_gap(s);
}

bool stream_enter_audience(struct stream *s, struct slice token,
                           const struct slice *filters, size_t count)
{
    struct audience *a =
        audience_enter(s->streamer, token, filters, count, s->format);

    if (a == NULL)
        return false;
    audience_join(s, a);
    return true;
}

void stream_leave_audience(struct stream *s)
{
    struct audience *a = s->audience;

    if (s->state == STREAM_LIVE)
        a->live--;
    LIST_REMOVE(s, in_audience);
    s->audience = NULL;
    audience_release(s->streamer, a);
}

enum stream_follow_result stream_change_audience(struct stream *s,
                                                 const struct slice *filters,
                                                 size_t count,
                                                 uint64_t position)
{
    struct streamer *st = s->streamer;
    const struct slice token = s->audience->token->node.name;
    struct stream_shapes_hold *shapes;

    if (!stream_shapes_take(st->env.shapes, token, filters, count, &shapes))
        return STREAM_FOLLOW_TOO_VARIED;
    struct audience *a = audience_enter(st, token, filters, count, s->format);
    if (a == NULL) {
        stream_shapes_give(st->env.shapes, shapes);
        return STREAM_FOLLOW_FAILED;
    }
    stream_leave_audience(s);
    stream_shapes_give(st->env.shapes, s->shapes);
    s->shapes = shapes;
    catchup_free(s->catchup);
    s->catchup = NULL;
    s->state = STREAM_CATCHUP;
    if (position < s->position) /* what was told may be news again */
        s->gap_told = 0;
    s->gap_mark = 0;
    s->position = position;
    audience_join(s, a);
    if (output_empty(&s->output))
        stream_enqueue(s, QUEUE_RUNNABLE); /* else when it is */
    return STREAM_FOLLOWS;
}
