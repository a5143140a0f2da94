#include "broker/client/client_mount.h"

#include "base/mount.h"
#include "base/topic.h"
#include "broker/client/shard.h"

#define NO_FILTER "#/#" /* invalid, so SUBACK refuses it */

bool client_mount_begin(struct connection *c)
{
    const struct caller *caller = c->caller;
    struct buffer prefix = BUFFER_INIT;

    if (!caller->mounted)
        return true;
    if (!mount_prefix(caller->tenant, caller->mount, caller->user,
                      connection_client_id(c), &prefix)) {
        buffer_release(&prefix);
        return false;
    }
    c->mount = buffer_slice(&prefix); /* takes the buffer's memory */
    c->mounted = true;
    return true;
}

/* ---- what comes in ------------------------------------------------------------ */

/* Both may move when the buffer grows: slices are made when they are complete. */
static bool mount_both(struct connection *c, struct slice *topic,
                       struct slice *response)
{
    struct buffer *b = &c->worker->mounted;

    buffer_clear(b);
    /* What becomes too long: the prefix alone is no valid topic. */
    if (topic->len > 0 && !mount_add_to_topic(c->mount, *topic, b))
        buffer_put_slice(b, c->mount);
    const size_t topic_len = b->len;
    if (response->len > 0 && !mount_add_to_topic(c->mount, *response, b))
        return false;
    if (!buffer_ok(b))
        return false;
    if (topic->len > 0)
        *topic = slice_of(b->data, topic_len);
    if (response->len > 0)
        *response = slice_of(b->data + topic_len, b->len - topic_len);
    return true;
}

bool client_mount_publish(struct connection *c, struct packet_publish *p)
{
    return !c->mounted ||
           mount_both(c, &p->topic, &p->properties.response_topic);
}

bool client_mount_will(struct connection *c, struct packet_will *will)
{
    return !c->mounted ||
           mount_both(c, &will->topic, &will->properties.response_topic);
}

static void put_filter(struct buffer *b, struct slice prefix,
                       struct slice filter)
{
    const size_t before = b->len;

    buffer_put(b, "\0\0", 2);
    if (!mount_add_to_filter(prefix, filter, b))
        buffer_put_str(b, NO_FILTER);
    if (!buffer_ok(b))
        return;
    const size_t len = b->len - before - 2;
    b->data[before] = (char)(len >> 8);
    b->data[before + 1] = (char)len;
}

bool client_mount_filters(struct connection *c, struct packet_subscribe *s)
{
    struct buffer *b = &c->worker->mounted;
    struct packet_filter_cursor at = s->filters;
    struct packet_filter filter;

    if (!c->mounted)
        return true;
    buffer_clear(b);
    while (packet_filter_next(&at, &filter)) {
        put_filter(b, c->mount, filter.filter);
        if (at.with_options)
            buffer_put(b, at.at - 1, 1);
    }
    if (!buffer_ok(b))
        return false;
    s->filters.at = (const uint8_t *)b->data;
    s->filters.end = s->filters.at + b->len;
    return true;
}

/* ---- what goes out ------------------------------------------------------------ */

bool client_mount_covers(const struct connection *c, struct slice filter)
{
    struct slice group, inner = filter, rest;

    if (!c->mounted)
        return true;
    if (filter_is_shared(filter) && !filter_share(filter, &group, &inner))
        return false;
    return mount_take_off(c->mount, inner, &rest);
}

/* refs is other threads' and not copied. */
static struct message relative_to(struct slice prefix, const struct message *m,
                                  struct slice topic)
{
    struct slice response;

    if (m->response_topic.len == 0 ||
        !mount_take_off(prefix, m->response_topic, &response))
        response = slice_of(NULL, 0);
    return (struct message){
        .kind = m->kind,
        .payload_class = m->payload_class,
        .qos = m->qos,
        .retain = m->retain,
        .has_expiry = m->has_expiry,
        .has_payload_format = m->has_payload_format,
        .payload_format = m->payload_format,
        .expiry_s = m->expiry_s,
        .publisher = m->publisher,
        .id = m->id,
        .seq = m->seq,
        .at_us = m->at_us,
        .topic = topic,
        .payload = m->payload,
        .content_type = m->content_type,
        .response_topic = response,
        .correlation = m->correlation,
        .sender = m->sender,
        .user_properties = m->user_properties,
    };
}

bool client_mount_take_off(const struct connection *c,
                           const struct message **m, struct message *room)
{
    struct slice topic;

    if (!c->mounted)
        return true;
    if (!mount_take_off(c->mount, (*m)->topic, &topic))
        return false;
    *room = relative_to(c->mount, *m, topic);
    *m = room;
    return true;
}
