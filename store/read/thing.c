/* Reading things: one row per topic, and walking rows by name. */
#include "store/read/reader.h"

enum store_err store_thing_in(struct store_env *e, MDB_txn *txn,
                              struct slice topic,
                              struct thing_state *ret_thing)
{
    struct schema_key name;
    MDB_val row;

    schema_name_key(topic, &name);
    MDB_val key = schema_val(&name);
    const int rc = mdb_get(txn, e->db.things, &key, &row);
    if (rc != 0)
        return store_from_mdb(rc);
    if (!schema_get_thing(key, row, ret_thing))
        return STORE_CORRUPT;
    ret_thing->row.topic = topic; /* decoded, it may point to the key above */
    return STORE_OK;
}

static void correct_times(struct store_reader *r, struct thing_state *t)
{
    t->row.last_at_us = reader_corrected(r, t->row.last_id, t->row.last_at_us);
    if (t->open.count > 0)
        t->open.first_at_us =
            reader_corrected(r, t->open.ids[0], t->open.first_at_us);
}

enum store_err reader_thing(struct store_reader *r, struct slice topic,
                            struct thing_state *ret_thing)
{
    const enum store_err err =
        store_thing_in(r->env, r->txn, topic, ret_thing);

    if (err == STORE_OK)
        correct_times(r, ret_thing);
    return err;
}

enum store_err store_thing(struct store_reader *r, struct slice topic,
                           struct thing_row *ret_row)
{
    struct thing_state t;
    const enum store_err err = reader_thing(r, topic, &t);

    if (err == STORE_OK)
        *ret_row = t.row;
    return err;
}

/* ---- walking by name --------------------------------------------------- */

struct slice filter_prefix(struct slice filter)
{
    const char *p = filter.data;
    size_t len = 0;

    while (len < filter.len && p[len] != '+' && p[len] != '#')
        len++;
    /* "a/b/#" matches "a/b" too (MQTT 5 §4.7.1.2) */
    if (len > 0 && len < filter.len && p[len] == '#')
        len--;
    return slice_of(filter.data, len);
}

/* The part of a prefix that keys contain. */
static struct slice visible_prefix(struct slice prefix)
{
    return prefix.len > SCHEMA_KEY_PREFIX
               ? slice_of(prefix.data, SCHEMA_KEY_PREFIX)
               : prefix;
}

static enum store_err check_prefix(int rc, struct slice prefix, MDB_val key)
{
    const struct slice p = visible_prefix(prefix);

    if (rc != 0)
        return store_from_mdb(rc);
    if (key.mv_size < p.len ||
        (p.len > 0 && memcmp(key.mv_data, p.data, p.len) != 0))
        return STORE_NOTFOUND;
    return STORE_OK;
}

enum store_err reader_next_name(MDB_cursor *cursor, struct slice prefix,
                                MDB_val *ret_key, MDB_val *ret_row)
{
    const int rc = mdb_cursor_get(cursor, ret_key, ret_row, MDB_NEXT);

    return check_prefix(rc, prefix, *ret_key);
}

enum store_err reader_seek_name(MDB_cursor *cursor, struct slice prefix,
                                struct slice after, MDB_val *ret_key,
                                MDB_val *ret_row)
{
    struct schema_key from, past;
    int rc;

    schema_name_key(visible_prefix(prefix), &from);
    schema_name_key(after, &past);
    const MDB_val first = schema_val(&from), last = schema_val(&past);
    const size_t common = from.len < past.len ? from.len : past.len;
    const int order = memcmp(first.mv_data, last.mv_data, common);
    const bool skip = order < 0 || (order == 0 && from.len <= past.len);

    *ret_key = skip ? last : first;
    if (ret_key->mv_size == 0) /* LMDB has no empty keys */
        rc = mdb_cursor_get(cursor, ret_key, ret_row, MDB_FIRST);
    else
        rc = mdb_cursor_get(cursor, ret_key, ret_row, MDB_SET_RANGE);
    if (rc == 0 && skip && ret_key->mv_size == past.len && past.len > 0 &&
        memcmp(ret_key->mv_data, past.bytes, past.len) == 0)
        rc = mdb_cursor_get(cursor, ret_key, ret_row, MDB_NEXT);
    return check_prefix(rc, prefix, *ret_key);
}

static bool starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len &&
           slice_eq(slice_of(s.data, prefix.len), prefix);
}

enum store_err store_thing_next(struct store_reader *r, struct slice prefix,
                                struct slice after, struct thing_row *ret_row)
{
    struct thing_state t;
    MDB_cursor *cursor;
    MDB_val key, row;

    enum store_err err = reader_cursor(r, r->env->db.things, &cursor);
    if (err != STORE_OK)
        return err;
    err = reader_seek_name(cursor, prefix, after, &key, &row);
    while (err == STORE_OK) {
        if (!schema_get_thing(key, row, &t))
            return STORE_CORRUPT;
        if (starts_with(t.row.topic, prefix)) {
            correct_times(r, &t);
            *ret_row = t.row;
            return STORE_OK;
        }
        err = reader_next_name(cursor, prefix, &key, &row);
    }
    return err;
}
