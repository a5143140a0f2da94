#include "broker/accept/make_room.h"

#include "base/clock.h"
#include "broker/client/connection_private.h"

void make_room_turn(struct worker *w)
{
    struct connection *c;

    while (atomic_load(&w->spare_owed) > 0 &&
           (c = TAILQ_FIRST(&w->spare)) != NULL) {
        atomic_fetch_sub(&w->spare_owed, 1);
        c->has_place = false; /* the slot now belongs to the new connection */
        if (c->state == CONNECTION_LINGERING)
            connection_finish(c);
        else
            connection_close(c, CLOSE_NO_PLACE, NULL);
    }
}

bool make_room_for_another(void *arg, bool any)
{
    struct hub *hub = arg;
    const int64_t before_us =
        any ? INT64_MAX : clock_mono_us() - MAKE_ROOM_SILENT_US;
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
