/* What the link's thread sends to streamers: mostly messages. The first streamer that has
 * a reader for a message encodes it for all streamers, once for each format.
 *
 * Threads: shared by all; reference counted, atomically. */
#ifndef CONFAB_BRIDGE_STREAM_FRAME_H
#define CONFAB_BRIDGE_STREAM_FRAME_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "base/event_topic.h"
#include "base/vocabulary.h"
#include "bridge/link/link.h"
#include "bridge/stream/format/stream_format.h"

#define FRAME_KEY_BETWEEN "/" EVENT_KEY_REVOKED "/"

enum frame_kind {
    FRAME_MESSAGE,    /* topic and message */
    FRAME_EVENT,      /* the same of an event; topic: <token>/<thing> */
    FRAME_GRANTED,    /* name: a filter whose subscription is now in force */
    FRAME_REVOKED,    /* name: a token */
    FRAME_KEY_REVOKED /* name: a tenant, FRAME_KEY_BETWEEN, and a key id */
};

struct frame {
    atomic_uint refs;
    enum frame_kind kind;
    struct slice name;        /* topic, filter or token */
    struct stream_message m;  /* FRAME_MESSAGE, FRAME_EVENT */
    size_t event_len;         /* about the length of m in one format */
    pthread_mutex_t encoding; /* held while m is being encoded */
    _Atomic(struct frame_event *) events[STREAM_FORMAT_COUNT];
    char data[];
};

/* Returns a frame with one reference. m is a stored message whose topic consists of
 * `token` and `thing`; copied. NULL: out of memory. */
struct frame *frame_of_message(const struct link_message *m,
                               struct slice token, struct slice thing);
/* Of a client's event; copied. */
struct frame *frame_of_event(const struct link_message *m,
                             const struct event_topic *event);
struct frame *frame_of_name(enum frame_kind kind, struct slice name);

void frame_ref(struct frame *f);
void frame_unref(struct frame *f);

/* The message in that format. The first caller encodes it, and others wait for that.
 * `scratch` is a buffer of the caller to work in. false: out of memory. */
bool frame_event(struct frame *f, const struct stream_format *format,
                 struct buffer *scratch, struct slice *ret_event);

/* Bytes of memory it takes, encoded in one format. */
static inline size_t frame_size(const struct frame *f)
{
    return sizeof(*f) + f->name.len + f->m.payload.len + f->m.sender.len +
           f->event_len;
}

#endif
