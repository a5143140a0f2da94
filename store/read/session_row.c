/* Reading stored sessions (store/session.h). session_schema.c has their rows. */
#include "store/read/reader.h"

enum store_err store_session(struct store_reader *r, struct slice identity,
                             struct session_row *ret_row)
{
    struct schema_key key;
    MDB_val row;

    schema_name_key(identity, &key);
    const enum store_err err =
        reader_row(r, r->env->db.sessions, schema_val(&key), &row);
    if (err != STORE_OK)
        return err;
    if (!schema_get_session(schema_val(&key), row, ret_row))
        return STORE_CORRUPT;
    ret_row->identity = identity;
    return STORE_OK;
}

enum store_err store_group(struct store_reader *r, struct slice name,
                           struct group_row *ret_row)
{
    struct schema_key key;
    MDB_val row;

    schema_name_key(name, &key);
    const enum store_err err =
        reader_row(r, r->env->db.groups, schema_val(&key), &row);
    if (err != STORE_OK)
        return err;
    if (!schema_get_group(schema_val(&key), row, ret_row))
        return STORE_CORRUPT;
    ret_row->name = name;
    return STORE_OK;
}

enum store_err store_session_will(struct store_reader *r, uint64_t number,
                                  struct record *ret_will)
{
    struct schema_key key;
    MDB_val row;

    schema_part_key(number, &key);
    const enum store_err err =
        reader_row(r, r->env->db.wills, schema_val(&key), &row);
    if (err != STORE_OK)
        return err;
    return schema_get_record(row, 0, ret_will) ? STORE_OK : STORE_CORRUPT;
}

/* The next row of the walk. A new walk starts at the first row whose key begins with
 * `first`, the bytes that all its keys share. */
static enum store_err walk_next(struct store_reader *r, MDB_dbi dbi,
                                const struct schema_key *first,
                                struct session_walk *walk, MDB_val *ret_key,
                                MDB_val *ret_row)
{
    MDB_cursor *cursor;
    const bool begins = walk->len == 0;
    MDB_val k = begins ? schema_val(first) : (MDB_val){walk->len, walk->bytes};
    enum store_err err = reader_cursor(r, dbi, &cursor);

    if (err != STORE_OK)
        return err;
    int rc = mdb_cursor_get(cursor, &k, ret_row,
                            k.mv_size == 0 ? MDB_FIRST : MDB_SET_RANGE);
    if (rc == 0 && !begins && k.mv_size == walk->len &&
        memcmp(k.mv_data, walk->bytes, walk->len) == 0)
        rc = mdb_cursor_get(cursor, &k, ret_row, MDB_NEXT);
    if (rc != 0)
        return store_from_mdb(rc);
    if (k.mv_size < first->len || k.mv_size > sizeof(walk->bytes) ||
        memcmp(k.mv_data, first->bytes, first->len) != 0)
        return STORE_NOTFOUND;
    walk->len = k.mv_size;
    memcpy(walk->bytes, k.mv_data, k.mv_size);
    *ret_key = k;
    return STORE_OK;
}

enum store_err store_session_next(struct store_reader *r,
                                  struct session_walk *walk,
                                  struct session_row *ret_row)
{
    const struct schema_key all = {.len = 0};
    MDB_val key, row;
    enum store_err err;

    do /* a row that cannot be read must not hide the others */
        err = walk_next(r, r->env->db.sessions, &all, walk, &key, &row);
    while (err == STORE_OK && !schema_get_session(key, row, ret_row));
    return err;
}

enum store_err store_subscription_next(struct store_reader *r, uint64_t number,
                                       struct session_walk *walk,
                                       struct session_subscription *ret_row)
{
    struct schema_key first;
    MDB_val key, row;
    enum store_err err;

    schema_part_key(number, &first);
    do
        err = walk_next(r, r->env->db.subscriptions, &first, walk, &key, &row);
    while (err == STORE_OK && !schema_get_subscription(key, row, ret_row));
    return err;
}

enum store_err store_given_next(struct store_reader *r, struct slice group,
                                struct session_walk *walk, uint64_t *ret_id)
{
    struct schema_key first;
    MDB_val key, row;
    enum store_err err;

    schema_given_prefix(group, &first);
    do
        err = walk_next(r, r->env->db.given, &first, walk, &key, &row);
    while (err == STORE_OK && !schema_given_id(&first, key, ret_id));
    return err;
}

enum store_err store_inflight_next(struct store_reader *r, uint64_t number,
                                   struct session_walk *walk,
                                   struct session_inflight *ret_row)
{
    struct schema_key first;
    MDB_val key, row;
    enum store_err err;

    schema_part_key(number, &first);
    do
        err = walk_next(r, r->env->db.inflight, &first, walk, &key, &row);
    while (err == STORE_OK && !schema_get_inflight(key, row, ret_row));
    return err;
}
