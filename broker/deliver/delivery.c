#include "broker/deliver/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "base/topic.h"
#include "base/vocabulary.h"
#include "broker/client/topic_alias.h"
#include "broker/deliver/catch_up.h"
#include "broker/session/stored_session.h"
#include "broker/session/subscribe.h"
#include "broker/share/share_group.h"
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
    unsigned shape = IMAGE_V3;

    if (c->terms.version == PACKET_V5)
        shape = c->bare                    ? IMAGE_BARE
                : c->stamped && m->id != 0 ? IMAGE_STAMPED
                                           : IMAGE_V5;
    if (retain)
        shape |= IMAGE_RETAIN;
    if (qos > 0)
        shape |= qos == 2 ? IMAGE_QOS2 : IMAGE_QOS1;
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

static uint8_t shape_qos(unsigned shape)
{
    return shape & IMAGE_QOS2 ? 2 : shape & IMAGE_QOS1 ? 1 : 0;
}

static bool keep_identifiers(struct inflight_entry *entry,
                             const uint32_t *identifiers, size_t count)
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

/* NULL: out of memory. */
static struct inflight_entry *enter_inflight(struct connection *c,
                                             const struct message *m,
                                             const struct grant *g)
{
    struct inflight_entry *entry = inflight_take(&c->inflight);

    if (entry == NULL)
        return NULL;
    entry->log_id = m->id;
    entry->qos = g->qos;
    entry->retain = g->retain;
    if (!keep_identifiers(entry, g->identifiers, g->identifier_count))
        return NULL;
    stored_session_sends(c, entry);
    return entry;
}

/* The pattern with this receiver's packet id in it. */
static bool give_with_id(struct connection *c, const struct message *m,
                         const struct grant *g, const struct image *image)
{
    const struct inflight_entry *entry = enter_inflight(c, m, g);
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

static void count_delivery(struct worker *w, const struct message *m)
{
    counter_add(&w->counters.delivered, 1);
    counter_add(&w->counters.payload_delivered, m->payload.len);
}

static void give_image(struct connection *c, struct images *set,
                       unsigned shape)
{
    const struct grant g = {.qos = shape_qos(shape),
                            .retain = shape & IMAGE_RETAIN};
    struct worker *w = c->worker;
    const struct image *image = image_for(w, set, shape);

    /* The stamp is a courtesy: without it rather than not at all. */
    if (image != NULL && image->range.len > c->terms.maximum_packet_size &&
        image_unstamp(&shape))
        image = image_for(w, set, shape);
    if (image == NULL) {
        counter_add(&w->counters.dropped.memory, 1);
        return;
    }
    if (image->range.len > c->terms.maximum_packet_size) { /* MQTT-3.1.2-25 */
        counter_add(&w->counters.dropped.packet_size, 1);
        return;
    }
    if (shape & IMAGE_WITH_ID
            ? !give_with_id(c, set->message, &g, image)
            : !out_queue_share(delivery_queue(c), &w->pool, &image->range)) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    count_delivery(w, set->message);
    connection_touch(c);
}

/* ---- to one alone -------------------------------------------------------- */

/* The topic's alias, once it has one; a new one goes with the topic. */
static void choose_alias(const struct connection *c, const struct message *m,
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

/* 0: not even without the courtesies does it fit in what the client takes. */
static size_t fit(const struct connection *c, const struct message *m,
                  unsigned *shape, uint32_t left_s, struct image_own *own)
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

/* false: out of memory. */
static bool give_own(struct connection *c, const struct message *m,
                     const struct grant *g, uint32_t left_s)
{
    struct worker *w = c->worker;
    unsigned shape = shape_for(c, m, g->qos, g->retain);
    struct image_own own = {.identifiers = g->identifiers,
                            .identifier_count = g->identifier_count};
    int64_t more;
    bool new_alias;

    choose_alias(c, m, &own, &new_alias);
    size_t size = fit(c, m, &shape, left_s, &own);
    if (size == 0) {
        counter_add(&w->counters.dropped.packet_size, 1);
        return true;
    }
    if (new_alias && own.topic_alias != 0 &&
        !topic_alias_set(&c->aliases_out, own.topic_alias, m->topic, &more))
        return false;
    if (g->qos > 0) {
        const struct inflight_entry *entry = enter_inflight(c, m, g);
        if (entry == NULL)
            return false;
        own.packet_id = entry->packet_id;
    }
    char *to = out_queue_reserve(delivery_queue(c), &w->pool, size);
    if (to == NULL)
        return false;
    image_write(m, shape, left_s, &own, to);
    count_delivery(w, m);
    connection_touch(c);
    return true;
}

static void give_alone(struct connection *c, const struct message *m,
                       uint8_t qos, uint32_t left_s)
{
    struct matched matched = {0};
    struct grant g = {.qos = qos,
                      .retain = m->retain && c->hit_retain,
                      .identifiers = &c->hit_identifier,
                      .identifier_count = c->hit_identifier != 0};

    /* Several are rare enough to be collected by matching once more. */
    if (c->hit_identifiers && subscribe_match(c, m, &matched)) {
        g.identifiers = matched.identifiers;
        g.identifier_count = matched.identifier_count;
    }
    if (!give_own(c, m, &g, left_s))
        connection_close(c, CLOSE_NO_MEMORY, NULL);
}

static bool is_window_full(const struct connection *c)
{
    return inflight_full(&c->inflight) || stored_session_is_full(c->stored);
}

static bool may_give_live(struct connection *c, uint8_t qos)
{
    return c->catch_up == NULL &&
           !out_queue_full(delivery_queue(c), &c->worker->pool) &&
           !stored_session_bars(c->stored) && !(qos > 0 && is_window_full(c));
}

static void give_live(struct connection *c, const struct message *m,
                      struct images *set)
{
    struct worker *w = c->worker;
    const uint8_t qos = m->qos < c->hit_qos ? m->qos : c->hit_qos;

    if (c->state != CONNECTION_OPEN)
        return;
    if (may_give_live(c, qos)) {
        if (c->hit_identifier != 0 || c->alias_maximum > 0)
            give_alone(c, m, qos, set->expiry_left_s);
        else
            give_image(c, set,
                       shape_for(c, m, qos, m->retain && c->hit_retain));
        return;
    }
    /* Events are not in the log: who cannot take one now has missed it. */
    if (m->id == 0)
        counter_add(&w->counters.dropped.event_slow, 1);
    else if (c->catch_up == NULL && !(c->stored != NULL && c->stored->ended))
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
            w->fanning_out = m->id != 0;
            for (size_t i = 0; i < w->hit_count; i++)
                give_live(w->hits[i], m, &set);
            w->fanning_out = false;
            images_end(&set, &w->pool);
        } else {
            counter_add(&w->counters.dropped.expired, w->hit_count);
        }
    }
    share_group_offer(w, m);
    if (m->kind == MESSAGE_EVENT)
        heed_event(w, m);
}

bool delivery_has_room(struct connection *c)
{
    return !out_queue_full(delivery_queue(c), &c->worker->pool) &&
           !stored_session_bars(c->stored) && !is_window_full(c);
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
    return give_own(c, m, &g, left_s);
}

bool delivery_resend(struct connection *c, const struct message *m,
                     const struct inflight_entry *entry, bool *ret_sent)
{
    struct worker *w = c->worker;
    unsigned shape = shape_for(c, m, entry->qos, entry->retain);
    uint32_t left_s = 0; /* begun in time, it is completed all the same */
    struct image_own own = {.packet_id = entry->packet_id,
                            .dup = true,
                            .identifiers = entry->identifiers,
                            .identifier_count = entry->identifier_count};

    (void)image_expiry_left(m, w->real_us, &left_s);
    const size_t size = fit(c, m, &shape, left_s, &own);
    *ret_sent = size > 0;
    if (size == 0) {
        counter_add(&w->counters.dropped.packet_size, 1);
        return true;
    }
    char *to = out_queue_reserve(&c->out, &w->pool, size);
    if (to == NULL)
        return false;
    image_write(m, shape, left_s, &own, to);
    count_delivery(w, m);
    connection_touch(c);
    return true;
}
