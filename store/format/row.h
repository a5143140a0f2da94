/* What all rows except those of `log` have in common: they are msgpack arrays
 * that begin with a version, and they contain their name only where the key is a
 * hash of it. For the files that encode and decode rows. */
#ifndef CONFAB_STORE_FORMAT_ROW_H
#define CONFAB_STORE_FORMAT_ROW_H

#include "base/msgpack/pack.h"
#include "base/msgpack/unpack.h"
#include "store/format/schema.h"

static inline void pack_name(msgpack_packer *p, struct slice name)
{
    if (name.len > SCHEMA_KEY_MAX)
        pack_str(p, name);
    else
        msgpack_pack_nil(p);
}

/* The name begins after `skip` bytes of the key. */
static inline struct slice unpack_name(struct unpack *u, MDB_val key,
                                       size_t skip)
{
    if (!unpack_nil(u))
        return unpack_str(u);
    if (key.mv_size <= skip || key.mv_size > skip + SCHEMA_KEY_MAX) {
        u->failed = true; /* a hash cannot be turned back into the name */
        return slice_of(NULL, 0);
    }
    return slice_of((const char *)key.mv_data + skip, key.mv_size - skip);
}

static inline void pack_bool(msgpack_packer *p, bool value)
{
    if (value)
        msgpack_pack_true(p);
    else
        msgpack_pack_false(p);
}

/* A text that is nil where it is empty. */
static inline void pack_optional(msgpack_packer *p, struct slice s)
{
    if (s.len > 0)
        pack_str(p, s);
    else
        msgpack_pack_nil(p);
}

static inline struct slice unpack_optional(struct unpack *u)
{
    return unpack_nil(u) ? slice_of("", 0) : unpack_str(u);
}

static inline void pack_row(msgpack_packer *p, size_t elements)
{
    msgpack_pack_array(p, elements);
    msgpack_pack_uint8(p, SCHEMA_VERSION);
}

/* *ret_elements: length of the array, the version included. */
static inline struct unpack unpack_long_row(MDB_val v, uint32_t least,
                                            uint32_t *ret_elements)
{
    struct unpack u = unpack_of(v.mv_data, v.mv_size);

    *ret_elements = unpack_array(&u);
    if (*ret_elements < least || unpack_uint(&u) != SCHEMA_VERSION)
        u.failed = true;
    return u;
}

static inline struct unpack unpack_row(MDB_val v, uint32_t elements)
{
    uint32_t all;

    return unpack_long_row(v, elements, &all);
}

#endif
