/* Rows of bans (store/ban.h):
 *   bans         [version, until_us, made_us, by or nil, why or nil]
 *   bans_of      nothing
 *   bans_by_end  nothing
 * Who is banned, and from what, is in their keys alone. */
#include <string.h>

#include "base/net/address_range.h"
#include "store/format/row.h"

size_t ban_who_of_address(struct slice address, char out[BAN_ADDRESS_MAX])
{
    const size_t len = address_range(address, out + 1);

    out[0] = '@';
    return len > 0 ? len + 1 : 0;
}

bool ban_who_valid(struct slice who)
{
    char range[BAN_ADDRESS_MAX];
    const char *p = who.data;

    if (!user_id_valid(who) || p[0] != '@')
        return user_id_valid(who);
    const size_t len = ban_who_of_address(slice_of(p + 1, who.len - 1), range);
    return len > 0 && slice_eq(who, slice_of(range, len));
}

void schema_put_ban(struct buffer *b, const struct ban_row *ban)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 5);
    msgpack_pack_int64(&p, ban->until_us);
    msgpack_pack_int64(&p, ban->made_us);
    pack_optional(&p, ban->by);
    pack_optional(&p, ban->why);
}

/* Tenant, NUL, one, NUL, other; of a ban from all rooms the room is empty. */
static bool split_ban_key(MDB_val key, struct slice *ret_tenant,
                          struct slice *ret_one, struct slice *ret_other)
{
    const char *at = key.mv_data, *end = at + key.mv_size;
    const char *nul = memchr(at, '\0', key.mv_size);

    if (nul == NULL)
        return false;
    *ret_tenant = slice_of(at, (size_t)(nul - at));
    at = nul + 1;
    nul = memchr(at, '\0', (size_t)(end - at));
    if (nul == NULL || memchr(nul + 1, '\0', (size_t)(end - nul - 1)) != NULL)
        return false;
    *ret_one = slice_of(at, (size_t)(nul - at));
    *ret_other = slice_of(nul + 1, (size_t)(end - nul - 1));
    return token_valid(*ret_tenant);
}

static bool is_ban(struct slice room, struct slice who)
{
    return (room.len == 0 || room_id_valid(room)) && user_id_valid(who);
}

bool schema_split_ban(MDB_val key, struct slice *ret_tenant,
                      struct slice *ret_room, struct slice *ret_who)
{
    return split_ban_key(key, ret_tenant, ret_room, ret_who) &&
           is_ban(*ret_room, *ret_who);
}

bool schema_split_ban_of(MDB_val key, struct slice *ret_tenant,
                         struct slice *ret_room, struct slice *ret_who)
{
    return split_ban_key(key, ret_tenant, ret_who, ret_room) &&
           is_ban(*ret_room, *ret_who);
}

bool schema_get_ban(MDB_val key, MDB_val v, struct ban_row *ret_ban)
{
    struct unpack u = unpack_row(v, 5);

    *ret_ban = (struct ban_row){.until_us = 0};
    if (!schema_split_ban(key, &ret_ban->tenant, &ret_ban->room,
                          &ret_ban->who))
        return false;
    ret_ban->until_us = unpack_int(&u);
    ret_ban->made_us = unpack_int(&u);
    ret_ban->by = unpack_optional(&u);
    ret_ban->why = unpack_optional(&u);
    return !u.failed;
}
