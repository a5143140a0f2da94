/* What the link's thread tells streamers: mostly a message, encoded once for
 * all of them.
 *
 * Threads: immutable and shared; reference counted, atomically. */
#ifndef CONFAB_BRIDGE_STREAM_FRAME_H
#define CONFAB_BRIDGE_STREAM_FRAME_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "bridge/link/link.h"
#include "bridge/stream/framing.h"

enum frame_kind {
    FRAME_MESSAGE, /* topic, id and the event as text */
    FRAME_GRANTED, /* name: a filter whose subscription stands from now on */
    FRAME_REVOKED  /* name: a token */
};

struct frame {
    atomic_uint refs;
    enum frame_kind kind;
    uint64_t id;
    struct slice name;  /* topic, filter or token */
    struct slice chunk; /* the event as a chunk… */
    struct slice event; /* …and the event alone, a part of it */
    char data[];
};

/* With one reference. m is a stored message, its topic that of `token` and
 * `thing`. `scratch` is the caller's, to work in. NULL: out of memory. */
struct frame *frame_of_message(struct buffer *scratch,
                               const struct link_message *m,
                               struct slice token, struct slice thing);
struct frame *frame_of_name(enum frame_kind kind, struct slice name);

void frame_ref(struct frame *f);
void frame_unref(struct frame *f);

/* The event as streams of that framing are sent it. */
static inline struct slice frame_bytes(const struct frame *f,
                                       enum framing framing)
{
    return framing == FRAMING_CHUNKED ? f->chunk : f->event;
}

/* What it costs to keep it. */
static inline size_t frame_size(const struct frame *f)
{
    return sizeof(*f) + f->name.len + f->chunk.len;
}

#endif
