#include "broker/client/key_end.h"

#include "broker/client/shard.h"

/* Not once for the time that is left: the wall clock may be set meanwhile. */
#define LOOK_EVERY_S 0.5
#define NEVER INT64_MAX

/* The turn does all the work; this only wakes the loop. */
static void on_key_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

void key_end_init(struct worker *w)
{
    w->key_end_us = NEVER;
    ev_timer_init(&w->key_tick, on_key_tick, LOOK_EVERY_S, LOOK_EVERY_S);
}

static int64_t end_of(const struct connection *c)
{
    const int64_t end_us = c->caller == NULL || c->caller->expires_us == 0
                               ? NEVER
                               : c->caller->expires_us;

    return c->key_end_us != 0 && c->key_end_us < end_us ? c->key_end_us
                                                        : end_us;
}

static void await(struct worker *w, int64_t end_us)
{
    if (end_us < w->key_end_us)
        w->key_end_us = end_us;
    if (w->key_end_us == NEVER)
        ev_timer_stop(w->loop, &w->key_tick);
    else if (!ev_is_active(&w->key_tick))
        ev_timer_again(w->loop, &w->key_tick);
}

void key_end_expect(struct connection *c)
{
    if (end_of(c) != NEVER)
        await(c->worker, end_of(c));
}

void key_end_by(struct connection *c, int64_t end_us)
{
    c->key_end_us = end_us;
    key_end_expect(c);
}

void key_end_turn(struct worker *w)
{
    struct connection *c, *next;
    int64_t first_us = NEVER;

    if (w->real_us < w->key_end_us)
        return;
    for (c = TAILQ_FIRST(&w->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, all); /* closing may remove it */
        if (c->state > CONNECTION_OPEN)
            continue;
        const int64_t end_us = end_of(c);
        if (end_us <= w->real_us)
            connection_close(c, CLOSE_KEY_EXPIRED, NULL);
        else if (end_us < first_us)
            first_us = end_us;
    }
    w->key_end_us = NEVER;
    await(w, first_us);
}
