#include "broker/deliver/resend.h"

#include "broker/client/acknowledge.h"
#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/deliver/delivery.h"

bool resend_has_room(const struct connection *c)
{
    return c->resend > 0 &&
           c->inflight.count - c->resend < c->inflight.window &&
           !out_queue_full(&c->out, &c->worker->pool);
}

static void resend_give_up(struct connection *c, struct inflight_entry *e)
{
    counter_add(&c->worker->counters.dropped.retention, 1);
    stored_session_forgets(c, e);
    inflight_remove(&c->inflight, e);
}

/* The client may have come back with a key that has fewer rights than the one that
 * it subscribed with. */
static bool is_allowed(const struct connection *c, const struct message *m)
{
    const struct caller caller = connection_caller(c);

    return caller_may(&caller, CALLER_SUBSCRIBE, m->topic);
}

static void resend_message(struct connection *c, const struct message *m,
                           struct inflight_entry *e)
{
    bool sent;

    if (!is_allowed(c, m))
        delivery_settle(c, e); /* as if it had been completed */
    else if (!delivery_resend(c, m, e, &sent))
        connection_close(c, CLOSE_NO_MEMORY, NULL);
    else if (!sent) /* MQTT-3.1.2-25: as if it had been completed */
        delivery_settle(c, e);
}

bool resend_step(struct connection *c, struct store_reader *r)
{
    struct record record;

    while (resend_has_room(c) && c->state == CONNECTION_OPEN) {
        struct inflight_entry *e =
            inflight_at(&c->inflight, c->inflight.count - c->resend);
        if (e->state == INFLIGHT_RELEASED) { /* MQTT-4.4.0-1 */
            c->resend--;
            acknowledge_release(c, e->packet_id);
            continue;
        }
        const enum store_err err = store_get(r, e->log_id, &record);
        if (err != STORE_OK && err != STORE_NOTFOUND && err != STORE_CORRUPT)
            return false;
        c->resend--;
        if (err != STORE_OK)
            resend_give_up(c, e);
        else
            resend_message(c, &record.m, e);
    }
    return true;
}
