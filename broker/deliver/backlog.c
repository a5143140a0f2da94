#include "broker/deliver/backlog.h"

#include "base/clock.h"
#include "broker/client/flow.h"
#include "broker/deliver/catch_up.h"
#include "broker/deliver/delivery.h"
#include "broker/deliver/retained.h"
#include "broker/share/share_member.h"
#include "broker/worker.h"

#define TURN_US 1000

static bool has_backlog(const struct connection *c)
{
    return c->resend > 0 || c->catch_up != NULL || !TAILQ_EMPTY(&c->scans);
}

/* SUBACK goes before the retained messages it brings about. */
static bool has_scans(const struct connection *c)
{
    return !TAILQ_EMPTY(&c->scans) && c->subacks_due == 0;
}

void backlog_wake(struct connection *c)
{
    share_member_wake(c);
    if (c->feeding || c->state != CONNECTION_OPEN || !has_backlog(c))
        return;
    c->feeding = true;
    turn_feed_add(c);
}

void backlog_forget(struct connection *c)
{
    if (!c->feeding)
        return;
    c->feeding = false;
    turn_feed_remove(c);
}

/* A queue that is still draining is left alone, so that a slow reader is given
 * whole steps and not a message at a time. */
static bool can_be_fed(struct connection *c)
{
    if (c->state != CONNECTION_OPEN || c->out.blocked)
        return false;
    if (c->resend > 0)
        return flow_may_resend(c);
    return (has_scans(c) || c->catch_up != NULL) && delivery_has_room(c);
}

static bool step(struct connection *c, struct store_reader *r)
{
    if (c->resend > 0)
        return flow_resend_step(c, r);
    if (has_scans(c))
        return retained_step(c, r);
    return catch_up_step(c, r);
}

bool backlog_turn(struct worker *w)
{
    struct connection *c = turn_feed_next(w);
    bool good = true;

    if (c == NULL)
        return false;
    struct store_reader *r = store_reader_acquire(w->hub->store);
    if (r == NULL || store_reader_begin(r) != STORE_OK) {
        if (r != NULL)
            store_reader_release(r);
        worker_try_later(w);
        return false;
    }
    const int64_t deadline_us = clock_mono_us() + TURN_US;
    do {
        backlog_forget(c); /* those who wait for their client come back */
        /* Filled in this turn, and not written yet: nobody would wake it. */
        if (c->state == CONNECTION_OPEN && !c->out.blocked)
            connection_flush(c);
        if (can_be_fed(c)) {
            good = step(c, r);
            connection_flush(c);
            if (can_be_fed(c))
                backlog_wake(c);
            else
                share_member_wake(c);
        }
        c = turn_feed_next(w);
    } while (good && c != NULL && clock_mono_us() < deadline_us);
    store_reader_release(r);
    if (!good)
        worker_try_later(w);
    return good && c != NULL;
}
