#include "broker/deliver/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "broker/client/backlog.h"
#include "broker/client/client_mount.h"
#include "broker/client/stored_session.h"
#include "broker/client/topic_alias.h"
#include "broker/deliver/delivery_private.h"

/* ---- in flight ---------------------------------------------------------- */

static bool delivery_keep_identifiers(struct inflight_entry *entry,
                                      const uint32_t *identifiers,
                                      size_t count)
{
    if (count == 0)
        return true;
    entry->identifiers = malloc(count * sizeof(*identifiers));
    if (entry->identifiers == NULL)
        return false;
    memcpy(entry->identifiers, identifiers, count * sizeof(*identifiers));
    entry->identifier_count = (uint32_t)count;
    return true;
}

struct inflight_entry *delivery_enter_inflight(struct connection *c,
                                               const struct message *m,
                                               const struct grant *g)
{
    struct inflight_entry *entry = inflight_take(&c->inflight);

    if (entry == NULL)
        return NULL;
    entry->log_id = m->id;
    entry->qos = g->qos;
    entry->retain = g->retain;
    if (!delivery_keep_identifiers(entry, g->identifiers, g->identifier_count))
        return NULL;
    stored_session_sends(c, entry);
    return entry;
}

/* ---- to one client
 * --------------------------------------------------------- */

/* Uses the topic's alias if it has one; a new alias is sent with the topic. */
static void delivery_choose_alias(const struct connection *c,
                                  const struct message *m,
                                  struct image_own *own, bool *ret_new)
{
    *ret_new = false;
    if (c->alias_maximum == 0)
        return;
    own->topic_alias = topic_alias_find(c->aliases_out, m->topic);
    own->without_topic = own->topic_alias != 0;
    if (own->without_topic)
        return;
    own->topic_alias =
        topic_alias_offer(c->aliases_out, m->topic, c->alias_maximum);
    *ret_new = own->topic_alias != 0;
}

/* 0: exceeds what the client accepts, even without optional properties. */
static size_t delivery_fit(const struct connection *c, const struct message *m,
                           unsigned *shape, uint32_t left_s,
                           struct image_own *own)
{
    const size_t most = c->terms.maximum_packet_size;
    size_t size = image_size(m, *shape, left_s, own);

    if (size > most && own->topic_alias != 0 && !own->without_topic) {
        own->topic_alias = 0;
        size = image_size(m, *shape, left_s, own);
    }
    if (size > most && image_unstamp(shape))
        size = image_size(m, *shape, left_s, own);
    return size > most ? 0 : size; /* MQTT-3.1.2-25 */
}

bool delivery_give_own(struct connection *c, const struct message *m,
                       const struct grant *g, uint32_t left_s)
{
    struct worker *w = c->worker;
    struct message relative;

    if (!client_mount_take_off(c, &m, &relative))
        return true;
    unsigned shape = delivery_shape(c, m, g->qos, g->retain);
    struct image_own own = {.identifiers = g->identifiers,
                            .identifier_count = g->identifier_count};
    int64_t more;
    bool new_alias;

    delivery_choose_alias(c, m, &own, &new_alias);
    size_t size = delivery_fit(c, m, &shape, left_s, &own);
    if (size == 0) {
        counter_add(&w->counters.dropped.packet_size, 1);
        return true;
    }
    if (new_alias && own.topic_alias != 0 &&
        !topic_alias_set(&c->aliases_out, own.topic_alias, m->topic, &more))
        return false;
    if (g->qos > 0) {
        const struct inflight_entry *entry = delivery_enter_inflight(c, m, g);
        if (entry == NULL)
            return false;
        own.packet_id = entry->packet_id;
    }
    char *to = out_queue_reserve(delivery_queue(c), &w->pool, size);
    if (to == NULL)
        return false;
    image_write(m, shape, left_s, &own, to);
    delivery_count(c, m);
    connection_touch(c);
    return true;
}

bool delivery_has_room(struct connection *c)
{
    return !out_queue_full(delivery_queue(c), &c->worker->pool) &&
           !stored_session_bars(c->stored) && !delivery_window_is_full(c);
}

bool delivery_give(struct connection *c, const struct message *m,
                   const struct grant *granted)
{
    struct worker *w = c->worker;
    struct grant g = *granted;
    uint32_t left_s = 0;

    if (!image_expiry_left(m, w->real_us, &left_s)) {
        counter_add(&w->counters.dropped.expired, 1);
        return true;
    }
    if (m->qos < g.qos)
        g.qos = m->qos;
    if (c->terms.version < PACKET_V5)
        g.identifier_count = 0;
    return delivery_give_own(c, m, &g, left_s);
}

bool delivery_resend(struct connection *c, const struct message *m,
                     const struct inflight_entry *entry, bool *ret_sent)
{
    struct worker *w = c->worker;
    unsigned shape = delivery_shape(c, m, entry->qos, entry->retain);
    struct message relative;
    uint32_t left_s = 0; /* once begun in time, it is completed in any case */
    struct image_own own = {.packet_id = entry->packet_id,
                            .dup = true,
                            .identifiers = entry->identifiers,
                            .identifier_count = entry->identifier_count};

    *ret_sent = false;
    if (!client_mount_take_off(c, &m, &relative))
        return true;
    (void)image_expiry_left(m, w->real_us, &left_s);
    const size_t size = delivery_fit(c, m, &shape, left_s, &own);
    *ret_sent = size > 0;
    if (size == 0) {
        counter_add(&w->counters.dropped.packet_size, 1);
        return true;
    }
    char *to = out_queue_reserve(&c->out, &w->pool, size);
    if (to == NULL)
        return false;
    image_write(m, shape, left_s, &own, to);
    delivery_count(c, m);
    connection_touch(c);
    return true;
}

void delivery_settle(struct connection *c, struct inflight_entry *e)
{
    const unsigned at = (unsigned)(e - inflight_at(&c->inflight, 0));

    if (at + c->resend >= c->inflight.count && c->resend > 0)
        c->resend--; /* acknowledged before it was sent again */
    if (e->settled != NULL)
        e->settled(c->worker, e);
    stored_session_forgets(c, e);
    inflight_remove(&c->inflight, e);
    backlog_wake(c);
}
