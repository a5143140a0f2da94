/* Writes rows with msgpack-c into a struct buffer. Only files that encode
 * include this. */
#ifndef CONFAB_BASE_MSGPACK_PACK_H
#define CONFAB_BASE_MSGPACK_PACK_H

#include <msgpack.h>

#include "base/buffer.h"

/* The buffer records a failed allocation (buffer_ok()). */
static inline int pack_into_buffer(void *buffer, const char *data, size_t len)
{
    buffer_put(buffer, data, len);
    return 0;
}

static inline msgpack_packer packer_of(struct buffer *b)
{
    msgpack_packer p;

    msgpack_packer_init(&p, b, pack_into_buffer);
    return p;
}

static inline void pack_str(msgpack_packer *p, struct slice s)
{
    msgpack_pack_str(p, s.len);
    msgpack_pack_str_body(p, s.data, s.len);
}

static inline void pack_bin(msgpack_packer *p, struct slice s)
{
    msgpack_pack_bin(p, s.len);
    msgpack_pack_bin_body(p, s.data, s.len);
}

#endif
