#include "store/write/chunk_walk.h"

/* The chunk at the cursor, if it is one of this topic. */
static enum store_err chunk_at_cursor(struct chunk_walk *w, int rc, MDB_val k,
                                      MDB_val v)
{
    if (rc != 0)
        return store_from_mdb(rc);
    if (k.mv_size != w->prefix.len + 8 ||
        memcmp(k.mv_data, w->prefix.bytes, w->prefix.len) != 0)
        return STORE_NOTFOUND;
    return schema_get_chunk(v, &w->chunk) ? STORE_OK : STORE_CORRUPT;
}

static enum store_err first_at_or_after(struct chunk_walk *w,
                                        const struct schema_key *key)
{
    MDB_val k = schema_val(key), v;
    const int rc = mdb_cursor_get(w->cursor, &k, &v, MDB_SET_RANGE);

    return chunk_at_cursor(w, rc, k, v);
}

/* The last chunk that begins before `key`. */
static enum store_err last_before(struct chunk_walk *w,
                                  const struct schema_key *key)
{
    MDB_val k = schema_val(key), v;

    int rc = mdb_cursor_get(w->cursor, &k, &v, MDB_SET_RANGE);
    rc = mdb_cursor_get(w->cursor, &k, &v, rc == 0 ? MDB_PREV : MDB_LAST);
    return chunk_at_cursor(w, rc, k, v);
}

enum store_err chunk_walk_open(struct transaction *t, struct chunk_walk *w,
                               struct slice topic, uint64_t from)
{
    struct schema_key key;

    w->cursor = NULL;
    schema_chunk_key(topic, from, &key);
    w->prefix = key;
    w->prefix.len -= 8;
    const int rc = mdb_cursor_open(t->txn, t->e->db.chunks, &w->cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    const enum store_err err = last_before(w, &key);
    if (err == STORE_NOTFOUND ||
        (err == STORE_OK && w->chunk.ids[w->chunk.count - 1] < from))
        return first_at_or_after(w, &key);
    return err;
}

enum store_err chunk_walk_next(struct chunk_walk *w)
{
    MDB_val k, v;
    const int rc = mdb_cursor_get(w->cursor, &k, &v, MDB_NEXT);

    return chunk_at_cursor(w, rc, k, v);
}

void chunk_walk_close(struct chunk_walk *w)
{
    mdb_cursor_close(w->cursor);
    w->cursor = NULL;
}
