#include "store/message.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"

size_t message_size(const struct message *m)
{
    return sizeof(*m) + m->topic.len + m->payload.len + m->content_type.len +
           m->response_topic.len + m->correlation.len + m->sender.len +
           m->changed_by.len + m->user_properties.len;
}

/* Copies to *at and moves *at past the copy. NULL stays NULL, empty stays empty. */
static struct slice copy_slice(char **at, struct slice from)
{
    if (from.data == NULL)
        return slice_of(NULL, 0);
    char *to = *at;
    if (from.len > 0)
        memcpy(to, from.data, from.len);
    *at += from.len;
    return slice_of(to, from.len);
}

struct message *message_new(const struct message *from)
{
    struct message *m = malloc(message_size(from));

    if (m == NULL)
        return NULL;
    *m = (struct message){
        .kind = from->kind,
        .payload_class = from->payload_class,
        .qos = from->qos,
        .retain = from->retain,
        .has_expiry = from->has_expiry,
        .has_payload_format = from->has_payload_format,
        .payload_format = from->payload_format,
        .expiry_s = from->expiry_s,
        .publisher = from->publisher,
        .deleted = from->deleted,
        .change_id = from->change_id,
        .about = from->about,
        .changed_us = from->changed_us,
    };
    atomic_init(&m->refs, 1);
    char *at = (char *)(m + 1);
    m->topic = copy_slice(&at, from->topic);
    m->payload = copy_slice(&at, from->payload);
    m->content_type = copy_slice(&at, from->content_type);
    m->response_topic = copy_slice(&at, from->response_topic);
    m->correlation = copy_slice(&at, from->correlation);
    m->sender = copy_slice(&at, from->sender);
    m->changed_by = copy_slice(&at, from->changed_by);
    m->user_properties = copy_slice(&at, from->user_properties);
    return m;
}

struct message *message_copy(const struct message *from)
{
    struct message *m = message_new(from);

    if (m == NULL)
        return NULL;
    m->id = from->id;
    m->seq = from->seq;
    m->at_us = from->at_us;
    return m;
}

struct message *message_ref(struct message *m)
{
    /* Relaxed: the caller already holds a reference. */
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void message_unref(struct message *m)
{
    if (m == NULL)
        return;
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
        free(m);
}

enum payload_class payload_classify(struct slice payload)
{
    if (payload.len == 0)
        return PAYLOAD_TEXT;
    if (json_check(payload.data, payload.len, NULL, NULL))
        return PAYLOAD_JSON;
    if (utf8_valid_without_nul(payload.data, payload.len))
        return PAYLOAD_TEXT;
    return PAYLOAD_BINARY;
}
