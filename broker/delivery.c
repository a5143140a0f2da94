#include "broker/delivery.h"

#include <string.h>

#include "base/topic.h"
#include "base/vocabulary.h"
#include "broker/catch_up.h"
#include "broker/share_group.h"
#include "broker/worker.h"

/* Smaller payloads are copied with their QoS 1 header: cheaper than a run of
 * their own in the queue. */
#define PAYLOAD_BY_REFERENCE 1024

/* ---- who gets it -------------------------------------------------------- */

static void hit(struct worker *w, const struct subscriber *s)
{
    struct connection *c = s->who;

    if (c->stamp != w->stamp) {
        c->stamp = w->stamp;
        c->hit_qos = s->qos;
        c->hit_retain = s->retain_as_published;
        w->hits[w->hit_count++] = c;
        return;
    }
    if (s->qos > c->hit_qos)
        c->hit_qos = s->qos;
    c->hit_retain |= s->retain_as_published;
}

static void collect(struct worker *w, const struct message *m)
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
            hit(w, s);
        }
    }
}

/* ---- how it looks to whom ----------------------------------------------- */

static unsigned shape_for(const struct connection *c, const struct message *m,
                          uint8_t qos, bool retain)
{
    unsigned shape = 0;

    if (c->terms.version == PACKET_V5)
        shape |= IMAGE_V5;
    if (c->stamped && m->id != 0)
        shape |= IMAGE_STAMPED;
    if (retain)
        shape |= IMAGE_RETAIN;
    if (qos > 0)
        shape |= IMAGE_QOS1;
    return shape;
}

static const struct image *image_for(struct worker *w, struct images *set,
                                     unsigned shape)
{
    const bool made = set->shapes[shape].tried;
    const struct image *image =
        images_get(set, shape, &w->arenas[shape], &w->pool);

    if (!made && image != NULL)
        w->encoded += image->range.len;
    return image;
}

/* The pattern with this receiver's packet id in it. */
static bool give_with_id(struct connection *c, const struct message *m,
                         uint8_t qos, bool retain, const struct image *image)
{
    struct block_pool *pool = &c->worker->pool;
    const struct block_range *all = &image->range;
    const uint32_t payload_len = all->len - image->payload_at;
    const bool by_reference = payload_len >= PAYLOAD_BY_REFERENCE;
    const uint32_t len = by_reference ? image->payload_at : all->len;
    char *to = out_queue_reserve(&c->out, pool, len);

    if (to == NULL)
        return false;
    memcpy(to, all->block->data + all->offset, len);
    struct inflight_entry *entry = inflight_take(&c->inflight);
    if (entry == NULL)
        return false;
    entry->log_id = m->id;
    entry->qos = qos;
    entry->retain = retain;
    const uint16_t id = entry->packet_id;
    to[image->packet_id_at] = (char)(id >> 8);
    to[image->packet_id_at + 1] = (char)id;
    if (!by_reference)
        return true;
    const struct block_range payload = {all->block,
                                        all->offset + image->payload_at,
                                        payload_len};
    return out_queue_share(&c->out, pool, &payload);
}

static void give_image(struct connection *c, struct images *set,
                       unsigned shape)
{
    struct worker *w = c->worker;
    const struct image *image = image_for(w, set, shape);

    /* The stamp is a courtesy: without it rather than not at all. */
    if (image != NULL && image->range.len > c->terms.maximum_packet_size &&
        shape & IMAGE_STAMPED)
        image = image_for(w, set, shape &= ~(unsigned)IMAGE_STAMPED);
    if (image == NULL) {
        counter_add(&w->counters.dropped.memory, 1);
        return;
    }
    if (image->range.len > c->terms.maximum_packet_size) { /* MQTT-3.1.2-25 */
        counter_add(&w->counters.dropped.packet_size, 1);
        return;
    }
    if (shape & IMAGE_QOS1
            ? !give_with_id(c, set->message, 1, shape & IMAGE_RETAIN, image)
            : !out_queue_share(&c->out, &w->pool, &image->range)) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    counter_add(&w->counters.delivered, 1);
    connection_touch(c);
}

static void give_live(struct connection *c, const struct message *m,
                      struct images *set)
{
    struct worker *w = c->worker;
    const uint8_t qos = m->qos < c->hit_qos ? m->qos : c->hit_qos;

    if (c->catch_up == NULL && !out_queue_full(&c->out, &w->pool) &&
        !(qos > 0 && inflight_full(&c->inflight))) {
        give_image(c, set, shape_for(c, m, qos, m->retain && c->hit_retain));
        return;
    }
    /* Events are not in the log: who cannot take one now has missed it. */
    if (m->id == 0)
        counter_add(&w->counters.dropped.event_slow, 1);
    else if (c->catch_up == NULL)
        catch_up_begin(c, m->id - 1);
}

/* ---- revocation --------------------------------------------------------- */

/* `$events/<token>/revoked/` from the writer: that token's clients go, before
 * anything that was committed later reaches them. */
static void heed_event(struct worker *w, const struct message *m)
{
    const size_t prefix = strlen(EVENTS_PREFIX);
    struct connection *c, *next;

    if (m->topic.len <= prefix ||
        memcmp(m->topic.data, EVENTS_PREFIX, prefix) != 0)
        return;
    const struct slice rest =
        slice_of((const char *)m->topic.data + prefix, m->topic.len - prefix);
    const struct slice token = topic_first_level(rest);
    if (rest.len <= token.len + 1)
        return;
    const struct slice kind =
        topic_first_level(slice_of((const char *)rest.data + token.len + 1,
                                   rest.len - token.len - 1));
    if (!slice_eq(kind, slice_str(EVENT_REVOKED)))
        return;
    for (c = TAILQ_FIRST(&w->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, all); /* closing may take it out */
        if (c->token_len > 0 && slice_eq(connection_token(c), token))
            connection_close(c, CLOSE_REVOKED, NULL);
    }
}

/* ---- the two ways out --------------------------------------------------- */

void delivery_fan_out(struct worker *w, struct message *m)
{
    struct images set;
    uint32_t expiry_left_s = 0;

    if (m->id != 0) {
        if (m->id <= w->head)
            return;
        w->head = m->id;
    }
    if (m->kind != MESSAGE_MESSAGE && m->kind != MESSAGE_EVENT)
        return; /* edits and the like are told as events */
    collect(w, m);
    if (w->hit_count > 0) {
        if (image_expiry_left(m, w->real_us, &expiry_left_s)) {
            images_begin(&set, m, expiry_left_s);
            for (size_t i = 0; i < w->hit_count; i++)
                give_live(w->hits[i], m, &set);
            images_end(&set, &w->pool);
        } else {
            counter_add(&w->counters.dropped.expired, w->hit_count);
        }
    }
    share_group_offer(w, m);
    if (m->kind == MESSAGE_EVENT)
        heed_event(w, m);
}

bool delivery_has_room(const struct connection *c)
{
    return !out_queue_full(&c->out, &c->worker->pool) &&
           !inflight_full(&c->inflight);
}

bool delivery_give(struct connection *c, const struct message *m,
                   uint8_t granted_qos, bool retain)
{
    struct worker *w = c->worker;
    const uint8_t qos = m->qos < granted_qos ? m->qos : granted_qos;
    unsigned shape = shape_for(c, m, qos, retain);
    uint32_t left_s = 0;

    if (!image_expiry_left(m, w->real_us, &left_s)) {
        counter_add(&w->counters.dropped.expired, 1);
        return true;
    }
    size_t size = image_size(m, shape, left_s);
    if (size > c->terms.maximum_packet_size && shape & IMAGE_STAMPED) {
        shape &= ~(unsigned)IMAGE_STAMPED;
        size = image_size(m, shape, left_s);
    }
    if (size == 0 || size > c->terms.maximum_packet_size) {
        counter_add(&w->counters.dropped.packet_size, 1);
        return true;
    }
    char *to = out_queue_reserve(&c->out, &w->pool, size);
    if (to == NULL)
        return false;
    uint16_t packet_id = 0;
    if (qos > 0) {
        struct inflight_entry *entry = inflight_take(&c->inflight);
        if (entry == NULL)
            return false;
        entry->log_id = m->id;
        entry->qos = qos;
        entry->retain = retain;
        packet_id = entry->packet_id;
    }
    image_write(m, shape, left_s, packet_id, to);
    counter_add(&w->counters.delivered, 1);
    connection_touch(c);
    return true;
}
