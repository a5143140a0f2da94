#include "base/msgpack/map.h"

#include <assert.h>

#include "base/msgpack/pack.h"

#define FIXMAP 0x80 /* with the number of members in its lower half */

struct map_writer map_begin(struct buffer *out)
{
    const struct map_writer m = {.out = out, .head = out->len};

    buffer_put_char(out, (char)FIXMAP);
    return m;
}

static msgpack_packer begin_member(struct map_writer *m, const char *name)
{
    msgpack_packer p = packer_of(m->out);

    assert(m->count < MAP_MEMBERS);
    m->count++;
    pack_str(&p, slice_str(name));
    return p;
}

void map_str(struct map_writer *m, const char *name, struct slice value)
{
    msgpack_packer p = begin_member(m, name);

    pack_str(&p, value);
}

void map_text(struct map_writer *m, const char *name, const char *text)
{
    if (text != NULL)
        map_str(m, name, slice_str(text));
}

void map_uint(struct map_writer *m, const char *name, uint64_t value)
{
    msgpack_packer p = begin_member(m, name);

    msgpack_pack_uint64(&p, value);
}

void map_int(struct map_writer *m, const char *name, int64_t value)
{
    msgpack_packer p = begin_member(m, name);

    msgpack_pack_int64(&p, value);
}

void map_yes(struct map_writer *m, const char *name, bool yes)
{
    if (yes)
        map_uint(m, name, 1);
}

void map_end(struct map_writer *m)
{
    if (buffer_ok(m->out))
        m->out->data[m->head] = (char)(FIXMAP | m->count);
}
