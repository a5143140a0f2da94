#include "broker/accept/spare.h"

#include "base/clock.h"
#include "broker/client/connection_private.h"
#include "broker/worker.h"

/* Goodbye was said: older than any that waits. */
#define LONG_AGO INT64_MIN

static void tell_oldest(struct worker *w)
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
    tell_oldest(w);
}

void spare_leave(struct connection *c)
{
    struct worker *w = c->worker;

    if (!c->is_spare)
        return;
    c->is_spare = false;
    TAILQ_REMOVE(&w->spare, c, spare);
    atomic_fetch_sub(&w->spare_count, 1);
    tell_oldest(w);
}

void spare_turn(struct worker *w)
{
    struct connection *c;

    while (atomic_load(&w->spare_owed) > 0 &&
           (c = TAILQ_FIRST(&w->spare)) != NULL) {
        atomic_fetch_sub(&w->spare_owed, 1);
        c->has_place = false; /* it is the newcomer's */
        if (c->state == CONNECTION_LINGERING)
            connection_finish(c);
        else
            connection_close(c, CLOSE_NO_PLACE, NULL);
    }
}

bool spare_make_room(void *arg, bool any)
{
    struct hub *hub = arg;
    const int64_t before_us =
        any ? INT64_MAX : clock_mono_us() - SPARE_SILENT_US;
    struct worker *found = NULL;
    int64_t oldest_us = before_us;

    for (unsigned i = 0; i < hub->count; i++) {
        struct worker *w = hub->workers[i];
        const int64_t since_us = atomic_load(&w->spare_since_us);
        if (since_us < oldest_us &&
            atomic_load(&w->spare_owed) < atomic_load(&w->spare_count)) {
            oldest_us = since_us;
            found = w;
        }
    }
    if (found == NULL)
        return false;
    atomic_fetch_add(&found->spare_owed, 1);
    worker_wake(found);
    return true;
}
