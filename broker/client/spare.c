#include "broker/client/spare.h"

#include "broker/client/shard.h"

/* It was sent a DISCONNECT: before any that waits. */
#define LONG_AGO INT64_MIN

static void spare_publish_oldest(struct worker *w)
{
    const struct connection *c = TAILQ_FIRST(&w->spare);

    atomic_store(&w->spare_since_us,
                 c == NULL ? INT64_MAX : c->spare_since_us);
}

void spare_init(struct worker *w)
{
    TAILQ_INIT(&w->spare);
    atomic_init(&w->spare_since_us, INT64_MAX);
}

void spare_enter(struct connection *c)
{
    struct worker *w = c->worker;

    spare_leave(c);
    if (!c->has_place)
        return;
    c->is_spare = true;
    if (c->state == CONNECTION_LINGERING) {
        c->spare_since_us = LONG_AGO;
        TAILQ_INSERT_HEAD(&w->spare, c, spare);
    } else {
        c->spare_since_us = w->mono_us;
        TAILQ_INSERT_TAIL(&w->spare, c, spare);
    }
    atomic_fetch_add(&w->spare_count, 1);
    spare_publish_oldest(w);
}

void spare_leave(struct connection *c)
{
    struct worker *w = c->worker;

    if (!c->is_spare)
        return;
    c->is_spare = false;
    TAILQ_REMOVE(&w->spare, c, spare);
    atomic_fetch_sub(&w->spare_count, 1);
    spare_publish_oldest(w);
}
