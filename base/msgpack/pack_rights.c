#include "base/msgpack/pack_rights.h"

void pack_rights(msgpack_packer *p, const struct right *rights, size_t count)
{
    msgpack_pack_array(p, count);
    for (size_t i = 0; i < count; i++) {
        msgpack_pack_array(p, 2);
        msgpack_pack_uint32(p, rights[i].action);
        pack_str(p, slice_str(rights[i].filter));
    }
}

static bool unpack_right(struct unpack *u, struct rights_draft *d)
{
    if (unpack_array(u) != 2)
        return false;
    const enum caller_action action =
        (enum caller_action)unpack_uint_max(u, CALLER_ADMIN);
    const struct slice filter = unpack_str(u);
    return !u->failed && rights_add(d, action, filter) == RIGHT_OK;
}

void unpack_rights(struct unpack *u, struct rights_draft *ret)
{
    rights_draft_clear(ret);
    for (uint32_t left = unpack_array(u); left > 0 && !u->failed; left--)
        if (!unpack_right(u, ret))
            u->failed = true;
}
