#include "bridge/stream/frame.h"

#include <stdlib.h>

#include "base/topic.h"
#include "bridge/counters/bridge_counters.h"

#define EVENT_ROOM 160 /* of an event, besides names and payload */

struct frame_event {
    size_t len;
    char bytes[];
};

/* `more` bytes of data are left to the caller, behind the payload. */
static struct frame *frame_new(enum frame_kind kind, struct slice name,
                               struct slice payload, size_t more)
{
    struct frame *f = calloc(1, sizeof(*f) + name.len + payload.len + more);

    if (f == NULL)
        return NULL;
    atomic_init(&f->refs, 1);
    pthread_mutex_init(&f->encoding, NULL);
    f->kind = kind;
    f->name = slice_of(f->data, name.len);
    memcpy(f->data, name.data, name.len);
    f->m.payload = slice_of(f->data + name.len, payload.len);
    if (payload.len > 0)
        memcpy(f->data + name.len, payload.data, payload.len);
    return f;
}

/* `part` of the topic, in the frame's own copy of it. */
static struct slice part_of(const struct frame *f, struct slice topic,
                            struct slice part)
{
    const ptrdiff_t at = (const char *)part.data - (const char *)topic.data;

    return slice_of((const char *)f->name.data + at, part.len);
}

static void fill_message(struct frame *f, const struct link_message *m)
{
    f->m.payload_class = m->is_classified
                             ? (enum payload_class)m->payload_class
                             : payload_classify(m->payload);
    f->m.kind = m->kind;
    f->m.id = m->id;
    f->m.at_us = m->at_us;
    f->event_len = EVENT_ROOM + m->topic.len + m->payload.len + m->sender.len;
    if (f->m.payload_class == PAYLOAD_BINARY) /* base64 */
        f->event_len += m->payload.len / 3;
}

struct frame *frame_of_message(const struct link_message *m,
                               struct slice token, struct slice thing)
{
    struct frame *f =
        frame_new(FRAME_MESSAGE, m->topic, m->payload, m->sender.len);

    if (f == NULL)
        return NULL;
    char *sender = f->data + m->topic.len + m->payload.len;
    if (m->sender.len > 0)
        memcpy(sender, m->sender.data, m->sender.len);
    f->m.sender = slice_of(sender, m->sender.len);
    f->m.token = part_of(f, m->topic, token);
    f->m.thing = part_of(f, m->topic, thing);
    fill_message(f, m);
    return f;
}

/* Its name is where a message of the thing would be, so that those who follow the thing
 * are found. */
struct frame *frame_of_event(const struct link_message *m,
                             const struct event_topic *event)
{
    char topic[TOKEN_MAX + 1 + THING_MAX];
    const size_t token_len = event->tenant.len;

    if (event->thing.len > THING_MAX)
        return NULL;
    memcpy(topic, event->tenant.data, token_len);
    topic[token_len] = '/';
    memcpy(topic + token_len + 1, event->thing.data, event->thing.len);
    const struct slice name =
        slice_of(topic, token_len + 1 + event->thing.len);
    struct frame *f =
        frame_new(FRAME_EVENT, name, m->payload, event->kind.len);
    if (f == NULL)
        return NULL;
    char *kind = f->data + name.len + m->payload.len;
    memcpy(kind, event->kind.data, event->kind.len);
    f->m.event = slice_of(kind, event->kind.len);
    f->m.token = slice_of(f->name.data, token_len);
    f->m.thing =
        slice_of((const char *)f->name.data + token_len + 1, event->thing.len);
    fill_message(f, m);
    return f;
}

struct frame *frame_of_name(enum frame_kind kind, struct slice name)
{
    return frame_new(kind, name, slice_of(NULL, 0), 0);
}

static struct frame_event *frame_encode(const struct frame *f,
                                        const struct stream_format *format,
                                        struct buffer *scratch)
{
    buffer_clear(scratch);
    format->message(scratch, &f->m);
    if (!buffer_ok(scratch))
        return NULL;
    struct frame_event *e = malloc(sizeof(*e) + scratch->len);
    if (e == NULL)
        return NULL;
    e->len = scratch->len;
    bridge_count(COUNT_STREAMS_ENCODED + format->number, 1);
    memcpy(e->bytes, scratch->data, scratch->len);
    return e;
}

/* Streamers get a frame at the same time: one encodes it, and the others need as
 * long for waiting as for doing it again. */
static struct frame_event *encode_once(struct frame *f,
                                       const struct stream_format *format,
                                       struct buffer *scratch)
{
    struct frame_event *e;

    pthread_mutex_lock(&f->encoding);
    e = atomic_load_explicit(&f->events[format->number], memory_order_relaxed);
    if (e == NULL) {
        e = frame_encode(f, format, scratch);
        atomic_store_explicit(&f->events[format->number], e,
                              memory_order_release);
    }
    pthread_mutex_unlock(&f->encoding);
    return e;
}

bool frame_event(struct frame *f, const struct stream_format *format,
                 struct buffer *scratch, struct slice *ret_event)
{
    struct frame_event *e =
        atomic_load_explicit(&f->events[format->number], memory_order_acquire);

    if (e == NULL)
        e = encode_once(f, format, scratch);
    if (e == NULL)
        return false;
    *ret_event = slice_of(e->bytes, e->len);
    return true;
}

void frame_ref(struct frame *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
}

void frame_unref(struct frame *f)
{
    if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < STREAM_FORMAT_COUNT; i++)
        free(atomic_load_explicit(&f->events[i], memory_order_relaxed));
    pthread_mutex_destroy(&f->encoding);
    free(f);
}
