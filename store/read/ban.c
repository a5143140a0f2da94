/* Reading bans (store/ban.h). */
#include <string.h>

#include "store/read/reader.h"

static bool is_room(struct slice room)
{
    return room.len == 0 || room_id_valid(room);
}

enum store_err store_ban(struct store_reader *r, struct slice tenant,
                         struct slice room, struct slice who,
                         struct ban_row *ret_row)
{
    struct schema_key name;
    MDB_cursor *cursor;
    MDB_val row;

    if (!token_valid(tenant) || !is_room(room) || !user_id_valid(who))
        return STORE_NOTFOUND;
    const enum store_err err = reader_cursor(r, r->env->db.bans, &cursor);
    if (err != STORE_OK)
        return err;
    schema_pair_key(tenant, room, who, &name);
    MDB_val key = schema_val(&name);
    const int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_KEY);
    if (rc != 0)
        return store_from_mdb(rc);
    return schema_get_ban(key, row, ret_row) ? STORE_OK : STORE_CORRUPT;
}

enum store_err store_ban_next(struct store_reader *r, struct slice tenant,
                              struct slice room, struct slice after,
                              struct ban_row *ret_row)
{
    struct schema_key prefix, from;
    MDB_cursor *cursor;
    MDB_val row;

    if (!token_valid(tenant) || !is_room(room) || after.len > USER_ID_MAX)
        return STORE_NOTFOUND;
    const enum store_err err = reader_cursor(r, r->env->db.bans, &cursor);
    if (err != STORE_OK)
        return err;
    schema_pair_key(tenant, room, slice_of(NULL, 0), &prefix);
    schema_pair_key(tenant, room, after, &from);
    MDB_val key = schema_val(&from);
    int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
    if (rc == 0 && after.len > 0 && key.mv_size == from.len &&
        memcmp(key.mv_data, from.bytes, from.len) == 0)
        rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
    if (rc != 0)
        return store_from_mdb(rc);
    if (key.mv_size < prefix.len ||
        memcmp(key.mv_data, prefix.bytes, prefix.len) != 0)
        return STORE_NOTFOUND;
    return schema_get_ban(key, row, ret_row) ? STORE_OK : STORE_CORRUPT;
}

static bool ends_later(const struct ban_row *a, const struct ban_row *b)
{
    return b->until_us != 0 && (a->until_us == 0 || a->until_us > b->until_us);
}

enum store_err store_ban_of_sender(struct store_reader *r, struct slice tenant,
                                   struct slice room, struct slice user,
                                   struct slice address, int64_t now_us,
                                   struct ban_row *ret_row)
{
    char range[BAN_ADDRESS_MAX];
    const size_t len =
        address.len > 0 ? ban_who_of_address(address, range) : 0;
    const struct slice who[] = {user, slice_of(range, len)};
    const struct slice rooms[] = {room, slice_of(NULL, 0)};
    bool is_found = false;
    struct ban_row row;

    for (size_t i = 0; i < 4; i++) {
        if (!ban_who_valid(who[i / 2]) || ((i / 2 == 0) && user.len == 0))
            continue;
        const enum store_err err =
            store_ban(r, tenant, rooms[i % 2], who[i / 2], &row);
        if (err == STORE_NOTFOUND)
            continue;
        if (err != STORE_OK)
            return err;
        if (!ban_holds(&row, now_us) ||
            (is_found && !ends_later(&row, ret_row)))
            continue;
        *ret_row = row;
        is_found = true;
    }
    return is_found ? STORE_OK : STORE_NOTFOUND;
}
