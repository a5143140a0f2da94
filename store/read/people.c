/* Reading users, rooms and members (store/people.h). */
#include <string.h>

#include "store/read/reader.h"

/* The row of tenant, NUL, id. Its key points into the map. */
static enum store_err row_of(struct store_reader *r, MDB_dbi dbi,
                             struct slice tenant, struct slice id,
                             MDB_val *ret_key, MDB_val *ret_row)
{
    struct schema_key name;
    MDB_cursor *cursor;

    if (!token_valid(tenant) || !user_id_valid(id))
        return STORE_NOTFOUND;
    const enum store_err err = reader_cursor(r, dbi, &cursor);
    if (err != STORE_OK)
        return err;
    schema_tenant_key(tenant, id, &name);
    *ret_key = schema_val(&name);
    return store_from_mdb(
        mdb_cursor_get(cursor, ret_key, ret_row, MDB_SET_KEY));
}

/* The first row behind `prefix` and `after`; empty `after`: the first with that
 * prefix. */
static enum store_err row_after(struct store_reader *r, MDB_dbi dbi,
                                struct schema_key *prefix, struct slice after,
                                MDB_val *ret_key, MDB_val *ret_row)
{
    const size_t len = prefix->len;
    MDB_cursor *cursor;

    const enum store_err err = reader_cursor(r, dbi, &cursor);
    if (err != STORE_OK)
        return err;
    if (after.len > 0)
        memcpy(prefix->bytes + len, after.data, after.len);
    prefix->len += after.len;
    *ret_key = schema_val(prefix);
    int rc = mdb_cursor_get(cursor, ret_key, ret_row, MDB_SET_RANGE);
    if (rc == 0 && after.len > 0 && ret_key->mv_size == prefix->len &&
        memcmp(ret_key->mv_data, prefix->bytes, prefix->len) == 0)
        rc = mdb_cursor_get(cursor, ret_key, ret_row, MDB_NEXT);
    if (rc == 0 && (ret_key->mv_size < len ||
                    memcmp(ret_key->mv_data, prefix->bytes, len) != 0))
        return STORE_NOTFOUND;
    return store_from_mdb(rc);
}

/* Rows of a tenant. */
static enum store_err row_after_id(struct store_reader *r, MDB_dbi dbi,
                                   struct slice tenant, struct slice after,
                                   MDB_val *ret_key, MDB_val *ret_row)
{
    struct schema_key prefix;

    if (!token_valid(tenant) || after.len > USER_ID_MAX)
        return STORE_NOTFOUND;
    schema_tenant_key(tenant, slice_of(NULL, 0), &prefix);
    return row_after(r, dbi, &prefix, after, ret_key, ret_row);
}

/* Rows of one id of a tenant. */
static enum store_err row_after_pair(struct store_reader *r, MDB_dbi dbi,
                                     struct slice tenant, struct slice one,
                                     struct slice after, MDB_val *ret_key,
                                     MDB_val *ret_row)
{
    struct schema_key prefix;

    if (!token_valid(tenant) || !user_id_valid(one) || after.len > USER_ID_MAX)
        return STORE_NOTFOUND;
    schema_pair_key(tenant, one, slice_of(NULL, 0), &prefix);
    return row_after(r, dbi, &prefix, after, ret_key, ret_row);
}

static enum store_err decoded(bool is_row)
{
    return is_row ? STORE_OK : STORE_CORRUPT;
}

/* ---- users ------------------------------------------------------------------- */

enum store_err store_user(struct store_reader *r, struct slice tenant,
                          struct slice user, struct user_row *ret_row)
{
    MDB_val key, row;
    const enum store_err err =
        row_of(r, r->env->db.users, tenant, user, &key, &row);

    return err == STORE_OK ? decoded(schema_get_user(key, row, ret_row)) : err;
}

/* A name without its user is damage. */
enum store_err store_user_by_name(struct store_reader *r, struct slice tenant,
                                  struct slice name, struct user_row *ret_row)
{
    MDB_val key, row;
    struct slice user;

    enum store_err err =
        row_of(r, r->env->db.users_by_name, tenant, name, &key, &row);
    if (err != STORE_OK)
        return err;
    if (!schema_get_user_name(row, &user))
        return STORE_CORRUPT;
    err = store_user(r, tenant, user, ret_row);
    return err == STORE_NOTFOUND ? STORE_CORRUPT : err;
}

enum store_err store_user_next(struct store_reader *r, struct slice tenant,
                               struct slice after, struct user_row *ret_row)
{
    MDB_val key, row;
    const enum store_err err =
        row_after_id(r, r->env->db.users, tenant, after, &key, &row);

    return err == STORE_OK ? decoded(schema_get_user(key, row, ret_row)) : err;
}

/* ---- rooms ------------------------------------------------------------------- */

enum store_err store_room(struct store_reader *r, struct slice tenant,
                          struct slice room, struct room_row *ret_row)
{
    MDB_val key, row;
    const enum store_err err =
        row_of(r, r->env->db.rooms, tenant, room, &key, &row);

    return err == STORE_OK ? decoded(schema_get_room(key, row, ret_row)) : err;
}

enum store_err store_room_next(struct store_reader *r, struct slice tenant,
                               struct slice after, struct room_row *ret_row)
{
    MDB_val key, row;
    const enum store_err err =
        row_after_id(r, r->env->db.rooms, tenant, after, &key, &row);

    return err == STORE_OK ? decoded(schema_get_room(key, row, ret_row)) : err;
}

/* ---- members ----------------------------------------------------------------- */

enum store_err store_member(struct store_reader *r, struct slice tenant,
                            struct slice room, struct slice user,
                            struct member_row *ret_row)
{
    struct schema_key name;
    MDB_cursor *cursor;
    MDB_val row;

    if (!token_valid(tenant) || !user_id_valid(room) || !user_id_valid(user))
        return STORE_NOTFOUND;
    const enum store_err err = reader_cursor(r, r->env->db.members, &cursor);
    if (err != STORE_OK)
        return err;
    schema_pair_key(tenant, room, user, &name);
    MDB_val key = schema_val(&name);
    const int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_KEY);
    return rc == 0 ? decoded(schema_get_member(key, row, ret_row))
                   : store_from_mdb(rc);
}

enum store_err store_member_next(struct store_reader *r, struct slice tenant,
                                 struct slice room, struct slice after,
                                 struct member_row *ret_row)
{
    MDB_val key, row;
    const enum store_err err =
        row_after_pair(r, r->env->db.members, tenant, room, after, &key, &row);

    return err == STORE_OK ? decoded(schema_get_member(key, row, ret_row))
                           : err;
}

enum store_err store_room_of_next(struct store_reader *r, struct slice tenant,
                                  struct slice user, struct slice after,
                                  struct slice *ret_room)
{
    struct slice ignored;
    MDB_val key, row;
    const enum store_err err = row_after_pair(r, r->env->db.rooms_of, tenant,
                                              user, after, &key, &row);

    return err == STORE_OK
               ? decoded(schema_split_pair(key, &ignored, ret_room))
               : err;
}

/* ---- by last activity --------------------------------------------------------- */

static enum store_err last_id_of(struct store_reader *r, struct slice tenant,
                                 struct slice room, uint64_t *ret_id)
{
    char topic[ROOM_TOPIC_MAX];
    struct thing_row thing;

    *ret_id = 0;
    const size_t len = room_topic(tenant, room, topic);
    const enum store_err err = store_thing(r, slice_of(topic, len), &thing);
    if (err == STORE_OK)
        *ret_id = thing.last_id;
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

/* Keeps the list sorted; what no longer fits falls off its end. Equal ones stay in
 * the order in which they come: by id. */
static void insert(struct recent_room *list, size_t most, size_t *count,
                   const struct recent_room *one)
{
    size_t i = *count;

    while (i > 0 && list[i - 1].last_id < one->last_id)
        i--;
    if (i == most)
        return;
    if (*count < most)
        ++*count;
    memmove(&list[i + 1], &list[i], (*count - i - 1) * sizeof(list[0]));
    list[i] = *one;
}

enum store_err store_recent_rooms(struct store_reader *r, struct slice tenant,
                                  struct slice user, struct recent_room *list,
                                  size_t most, size_t *ret_count,
                                  bool *ret_all)
{
    struct slice after = slice_of(NULL, 0);
    struct recent_room one;
    enum store_err err = STORE_OK;

    *ret_count = 0;
    *ret_all = true;
    for (unsigned walked = 0; err == STORE_OK; walked++) {
        err = store_room_of_next(r, tenant, user, after, &one.room);
        if (err != STORE_OK)
            break;
        *ret_all = walked < RECENT_ROOMS_WALK;
        if (!*ret_all)
            return STORE_OK;
        err = last_id_of(r, tenant, one.room, &one.last_id);
        insert(list, most, ret_count, &one);
        after = one.room;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}
