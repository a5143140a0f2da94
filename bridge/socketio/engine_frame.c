#include "bridge/socketio/engine_frame.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "bridge/stream/format/websocket_frame.h"

struct engine_frame {
    atomic_uint refs;
    bool is_binary;
    size_t head_len;
    size_t len;   /* of head and packet */
    char bytes[]; /* head, packet */
};

struct engine_frame *engine_frame_new(struct slice packet, bool is_binary)
{
    char head[WEBSOCKET_HEAD_MAX];
    const size_t head_len = websocket_write_head(
        head, is_binary ? WEBSOCKET_BINARY : WEBSOCKET_TEXT, packet.len);
    struct engine_frame *f = malloc(sizeof(*f) + head_len + packet.len);

    if (f == NULL)
        return NULL;
    atomic_init(&f->refs, 1);
    f->is_binary = is_binary;
    f->head_len = head_len;
    f->len = head_len + packet.len;
    memcpy(f->bytes, head, head_len);
    if (packet.len > 0)
        memcpy(f->bytes + head_len, packet.data, packet.len);
    return f;
}

struct engine_frame *engine_frame_ref(struct engine_frame *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void engine_frame_unref(struct engine_frame *f)
{
    if (f != NULL &&
        atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1)
        free(f);
}

bool engine_frame_is_binary(const struct engine_frame *f)
{
    return f->is_binary;
}

struct slice engine_frame_packet(const struct engine_frame *f)
{
    return slice_of(f->bytes + f->head_len, f->len - f->head_len);
}

struct slice engine_frame_websocket(const struct engine_frame *f)
{
    return slice_of(f->bytes, f->len);
}

size_t engine_frame_size(const struct engine_frame *f)
{
    return sizeof(*f) + f->len;
}
