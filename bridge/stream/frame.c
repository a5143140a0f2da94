#include "bridge/stream/frame.h"

#include <stdlib.h>

#include "bridge/stream/format/sse.h"

static struct frame *frame_new(enum frame_kind kind, uint64_t id,
                               struct slice name, struct slice chunk)
{
    struct frame *f = malloc(sizeof(*f) + name.len + chunk.len);

    if (f == NULL)
        return NULL;
    atomic_init(&f->refs, 1);
    f->kind = kind;
    f->id = id;
    f->name = slice_of(f->data, name.len);
    f->chunk = slice_of(f->data + name.len, chunk.len);
    f->event = f->chunk;
    memcpy(f->data, name.data, name.len);
    if (chunk.len > 0)
        memcpy(f->data + name.len, chunk.data, chunk.len);
    return f;
}

struct frame *frame_of_message(struct buffer *scratch,
                               const struct link_message *m,
                               struct slice token, struct slice thing)
{
    buffer_clear(scratch);
    /* The link carries the payload only; its class follows from its bytes, as
     * it did in the writer. */
    sse_put_message(scratch, token, thing, m->payload,
                    payload_classify(m->payload), m->id, m->at_us);
    const size_t head_len = chunk_wrap(scratch, 0);
    if (!buffer_ok(scratch))
        return NULL;
    struct frame *f =
        frame_new(FRAME_MESSAGE, m->id, m->topic, buffer_slice(scratch));
    if (f != NULL)
        f->event = slice_of((const char *)f->chunk.data + head_len,
                            f->chunk.len - head_len - CHUNK_TAIL);
    return f;
}

struct frame *frame_of_name(enum frame_kind kind, struct slice name)
{
    return frame_new(kind, 0, name, slice_of(NULL, 0));
}

void frame_ref(struct frame *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
}

void frame_unref(struct frame *f)
{
    if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1)
        free(f);
}
