#include "broker/deliver/backlog_turn.h"

#include "base/clock.h"
#include "broker/client/backlog.h"
#include "broker/client/shard.h"
#include "broker/deliver/client_catchup.h"
#include "broker/deliver/delivery.h"
#include "broker/deliver/resend.h"
#include "broker/deliver/retained.h"

#define TURN_US 1000

/* SUBACK must be sent before the retained messages of its subscriptions. */
static bool has_scans(const struct connection *c)
{
    return !TAILQ_EMPTY(&c->scans) && c->subacks_due == 0;
}

/* Leaves a queue alone while it drains, so that a slow reader gets whole
 * steps and not one message at a time. */
static bool backlog_has_room(struct connection *c)
{
    if (c->state != CONNECTION_OPEN || c->out.blocked)
        return false;
    if (c->resend > 0)
        return resend_has_room(c);
    return (has_scans(c) || c->catchup != NULL) && delivery_has_room(c);
}

static bool backlog_step(struct connection *c, struct store_reader *r)
{
    if (c->resend > 0)
        return resend_step(c, r);
    if (has_scans(c))
        return retained_step(c, r);
    return client_catchup_step(c, r);
}

bool backlog_turn(struct worker *w)
{
    struct connection *c = turn_backlog_next(w);
    bool good = true;

    if (c == NULL)
        return false;
    struct store_reader *r;
    if (store_snapshot(w->hub->store, &r) != STORE_OK) {
        worker_try_later(w);
        return false;
    }
    const int64_t deadline_us = clock_mono_us() + TURN_US;
    do {
        /* Those that wait for their client are queued again later. */
        backlog_forget(c);
        /* Filled in this turn and not written yet, so nothing else would
         * wake it. */
        if (c->state == CONNECTION_OPEN && !c->out.blocked)
            connection_flush(c);
        if (backlog_has_room(c)) {
            good = backlog_step(c, r);
            connection_flush(c);
            if (backlog_has_room(c))
                backlog_wake(c);
            else
                backlog_wake_groups(c);
        }
        c = turn_backlog_next(w);
    } while (good && c != NULL && clock_mono_us() < deadline_us);
    store_reader_release(r);
    if (!good)
        worker_try_later(w);
    return good && c != NULL;
}
