/* Sharing a streamer's time. Handling the messages that readers of one token send takes at
 * most a quarter of it, and SHARE_BURST_US at once. Otherwise one token with many
 * connections, or with small messages that inflate to large ones, would hold up all other
 * streams. A stream whose token has used its share up rests: it is not read from until the
 * share has recovered. */
#include "bridge/stream/stream_private.h"

#define SHARE_BURST_US                                                        \
    20000            /* ahead of what the share has recovered: 5 ms of work */
#define SHARE_PART 4 /* 1 us of work needs this many us to recover */
#define REST_S 0.002

static int64_t *share_of(struct stream *s)
{
    return &s->streamer->shares[s->share];
}

bool stream_may_receive(struct stream *s, int64_t now_us)
{
    struct streamer *st = s->streamer;

    if (*share_of(s) <= now_us + SHARE_BURST_US)
        return true;
    s->client->rests = true;
    TAILQ_INSERT_TAIL(&st->resting, s, client->in_resting);
    stream_watch(s);
    if (!ev_is_active(&st->rest)) {
        ev_timer_set(&st->rest, REST_S, REST_S);
        ev_timer_start(st->loop, &st->rest);
    }
    return false;
}

void stream_charge_share(struct stream *s, int64_t since_us)
{
    const int64_t now_us = clock_mono_us();
    int64_t *used_until_us = share_of(s);

    if (*used_until_us < now_us)
        *used_until_us = now_us;
    *used_until_us += SHARE_PART * (now_us - since_us);
}

void streamer_on_rest(struct ev_loop *loop, ev_timer *w, int events)
{
    struct streamer *st = w->data;
    const int64_t now_us = clock_mono_us();
    struct stream *s, *next;

    (void)events;
    for (s = TAILQ_FIRST(&st->resting); s != NULL; s = next) {
        next = TAILQ_NEXT(s, client->in_resting);
        if (*share_of(s) > now_us && stream_is_open(s))
            continue;
        /* One stream of a share at a time: the others would rest again at once. */
        *share_of(s) = now_us + 1;
        stream_end_rest(s);
        stream_watch(s);
    }
    if (TAILQ_EMPTY(&st->resting))
        ev_timer_stop(loop, w);
}
