#include "broker/deliver/delivery_live.h"

#include <string.h>

#include "broker/client/session_filter.h"
#include "broker/deliver/client_catchup.h"
#include "broker/deliver/delivery_private.h"

/* Smaller payloads are copied with their QoS 1 header, which is cheaper than
 * a run of their own in the queue. */
#define PAYLOAD_BY_REFERENCE 1024

/* ---- receivers ---------------------------------------------------------- */

static void live_hit(struct worker *w, const struct subscriber *s)
{
    struct connection *c = s->who;

    if (c->stamp != w->stamp) {
        c->stamp = w->stamp;
        c->hit_qos = s->qos;
        c->hit_retain = s->retain_as_published;
        c->hit_identifier = s->identifier;
        c->hit_identifiers = false;
        w->hits[w->hit_count++] = c;
        return;
    }
    if (s->qos > c->hit_qos)
        c->hit_qos = s->qos;
    c->hit_retain |= s->retain_as_published;
    if (s->identifier == 0)
        return;
    c->hit_identifiers |= c->hit_identifier != 0;
    c->hit_identifier = s->identifier;
}

static void live_collect(struct worker *w, const struct message *m)
{
    const struct index_match *matches;
    const size_t count =
        subscription_index_match(w->index, m->topic, &matches);

    w->stamp++;
    w->hit_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct subscriber *s = matches[i].subscribers;
        const struct subscriber *end = s + matches[i].count;
        for (; s < end; s++) {
            if (m->id != 0 && m->id <= s->since_id)
                continue; /* older than the subscription */
            if (s->no_local && m->publisher != 0 &&
                ((struct connection *)s->who)->publisher == m->publisher)
                continue;
            live_hit(w, s);
        }
    }
}

/* ---- shapes ------------------------------------------------------------- */

static const struct image *live_image(struct worker *w, struct images *set,
                                      unsigned shape)
{
    const bool made = image_is_tried(set, shape);
    const struct image *image =
        images_get(set, shape, &w->arenas[shape], &w->pool);

    if (!made && image != NULL)
        w->encoded += image->range.len;
    return image;
}

static uint8_t live_qos(unsigned shape)
{
    return shape & IMAGE_QOS2 ? 2 : shape & IMAGE_QOS1 ? 1 : 0;
}

/* The template with this receiver's packet id. */
static bool live_give_with_id(struct connection *c, const struct message *m,
                              const struct grant *g, const struct image *image)
{
    const struct inflight_entry *entry = delivery_enter_inflight(c, m, g);
    struct block_pool *pool = &c->worker->pool;
    const struct block_range *all = &image->range;
    const uint32_t payload_len = all->len - image->payload_at;
    const bool by_reference = payload_len >= PAYLOAD_BY_REFERENCE;
    const uint32_t len = by_reference ? image->payload_at : all->len;
    char *to =
        entry == NULL ? NULL : out_queue_reserve(delivery_queue(c), pool, len);

    if (to == NULL)
        return false;
    memcpy(to, all->block->data + all->offset, len);
    const uint16_t id = entry->packet_id;
    to[image->packet_id_at] = (char)(id >> 8);
    to[image->packet_id_at + 1] = (char)id;
    if (!by_reference)
        return true;
    const struct block_range payload = {all->block,
                                        all->offset + image->payload_at,
                                        payload_len};
    return out_queue_share(delivery_queue(c), pool, &payload);
}

static void live_give_image(struct connection *c, struct images *set,
                            unsigned shape)
{
    const struct grant g = {.qos = live_qos(shape),
                            .retain = shape & IMAGE_RETAIN};
    struct worker *w = c->worker;
    const struct image *image = live_image(w, set, shape);

    /* The stamp is optional: better without it than not at all. */
    if (image != NULL && image->range.len > c->terms.maximum_packet_size &&
        image_unstamp(&shape))
        image = live_image(w, set, shape);
    if (image == NULL) {
        counter_add(&w->counters.dropped.memory, 1);
        return;
    }
    if (image->range.len > c->terms.maximum_packet_size) { /* MQTT-3.1.2-25 */
        counter_add(&w->counters.dropped.packet_size, 1);
        return;
    }
    if (shape & IMAGE_WITH_ID
            ? !live_give_with_id(c, set->message, &g, image)
            : !out_queue_share(delivery_queue(c), &w->pool, &image->range)) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    delivery_count(c, set->message);
    connection_touch(c);
}

/* ---- to each of them ---------------------------------------------------- */

static void live_give_own(struct connection *c, const struct message *m,
                          uint8_t qos, uint32_t left_s)
{
    struct matched matched = {0};
    struct grant g = {.qos = qos,
                      .retain = m->retain && c->hit_retain,
                      .identifiers = &c->hit_identifier,
                      .identifier_count = c->hit_identifier != 0};

    /* Several are so rare that they are collected by matching again. */
    if (c->hit_identifiers && session_filter_match(c, m, &matched)) {
        g.identifiers = matched.identifiers;
        g.identifier_count = matched.identifier_count;
    }
    if (!delivery_give_own(c, m, &g, left_s))
        connection_close(c, CLOSE_NO_MEMORY, NULL);
}

static bool live_may_give(struct connection *c, uint8_t qos)
{
    return c->catchup == NULL &&
           !out_queue_full(delivery_queue(c), &c->worker->pool) &&
           !stored_session_bars(c->stored) &&
           !(qos > 0 && delivery_window_is_full(c));
}

static void live_give(struct connection *c, const struct message *m,
                      struct images *set)
{
    struct worker *w = c->worker;
    const uint8_t qos = m->qos < c->hit_qos ? m->qos : c->hit_qos;

    if (c->state != CONNECTION_OPEN)
        return;
    if (live_may_give(c, qos)) {
        if (c->hit_identifier != 0 || c->alias_maximum > 0 || c->mounted)
            live_give_own(c, m, qos, set->expiry_left_s);
        else
            live_give_image(
                c, set, delivery_shape(c, m, qos, m->retain && c->hit_retain));
        return;
    }
    /* Events are not in the log: a client that has no room now misses it. */
    if (m->id == 0)
        counter_add(&w->counters.dropped.event_slow, 1);
    else if (c->catchup == NULL && !(c->stored != NULL && c->stored->ended))
        client_catchup_begin(c, m->id - 1);
}

/* To all that live_collect() found. */
static void live_send(struct worker *w, struct message *m)
{
    struct images set;
    uint32_t expiry_left_s = 0;

    if (w->hit_count == 0)
        return;
    if (!image_expiry_left(m, w->real_us, &expiry_left_s)) {
        counter_add(&w->counters.dropped.expired, w->hit_count);
        return;
    }
    images_begin(&set, m, expiry_left_s);
    w->fanning_out = m->id != 0;
    for (size_t i = 0; i < w->hit_count; i++)
        live_give(w->hits[i], m, &set);
    w->fanning_out = false;
    images_end(&set, &w->pool);
}

bool delivery_fan_out(struct worker *w, struct message *m)
{
    if (m->id != 0) {
        if (m->id <= w->head)
            return false;
        w->head = m->id;
    }
    /* One that was deleted meanwhile is read from the log only. */
    if ((m->kind != MESSAGE_MESSAGE && m->kind != MESSAGE_EVENT) || m->deleted)
        return false; /* clients learn of edits and the like from events */
    live_collect(w, m);
    live_send(w, m);
    return true;
}

void delivery_fan_out_change(struct worker *w, struct message *m)
{
    size_t kept = 0;

    live_collect(w, m);
    for (size_t i = 0; i < w->hit_count; i++)
        if (((struct connection *)w->hits[i])->changes)
            w->hits[kept++] = w->hits[i];
    w->hit_count = kept;
    live_send(w, m);
}

bool delivery_is_wanted(struct worker *w, struct slice topic)
{
    const struct index_match *matches;

    return subscription_index_match(w->index, topic, &matches) > 0;
}
