#include "store/read/chunk.h"

/* Whether this is the key of a chunk with the same name as `like`. */
static bool same_topic(MDB_val key, const struct schema_key *like)
{
    return key.mv_size == like->len &&
           memcmp(key.mv_data, like->bytes, like->len - sizeof(uint64_t)) == 0;
}

static uint64_t first_id_of(MDB_val key)
{
    const unsigned char *p = key.mv_data;
    uint64_t id = 0;

    for (size_t i = key.mv_size - sizeof(id); i < key.mv_size; i++)
        id = id << 8 | p[i];
    return id;
}

/* A row stored under another id than its own would mislead the bisection. */
static enum store_err decode_chunk(int rc, MDB_val key, MDB_val row,
                                   const struct schema_key *like,
                                   struct chunk_row *ret_chunk)
{
    if (rc == 0 && !same_topic(key, like))
        rc = MDB_NOTFOUND;
    if (rc != 0)
        return store_from_mdb(rc);
    if (!schema_get_chunk(row, ret_chunk) ||
        ret_chunk->ids[0] != first_id_of(key))
        return STORE_CORRUPT;
    return STORE_OK;
}

enum store_err chunk_from(struct store_reader *r, struct slice topic,
                          uint64_t id, struct chunk_row *ret_chunk)
{
    struct schema_key like;
    MDB_cursor *cursor;
    MDB_val row;

    const enum store_err err = reader_cursor(r, r->env->db.chunks, &cursor);
    if (err != STORE_OK)
        return err;
    schema_chunk_key(topic, id, &like);
    MDB_val key = schema_val(&like);
    const int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
    return decode_chunk(rc, key, row, &like, ret_chunk);
}

enum store_err chunk_below(struct store_reader *r, struct slice topic,
                           uint64_t id, struct chunk_row *ret_chunk)
{
    struct schema_key like;
    MDB_cursor *cursor;
    MDB_val row;

    const enum store_err err = reader_cursor(r, r->env->db.chunks, &cursor);
    if (err != STORE_OK)
        return err;
    schema_chunk_key(topic, id, &like);
    MDB_val key = schema_val(&like);
    int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key, &row, MDB_PREV);
    else if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(cursor, &key, &row, MDB_LAST);
    return decode_chunk(rc, key, row, &like, ret_chunk);
}

static bool begins_before(struct store_reader *r, const struct chunk_row *c,
                          const struct chunk_bound *bound)
{
    return bound->by_time
               ? reader_corrected(r, c->ids[0], c->first_at_us) < bound->at_us
               : c->first_seq < bound->seq;
}

enum store_err chunk_before(struct store_reader *r, struct slice topic,
                            const struct chunk_bound *bound,
                            struct chunk_row *ret_chunk)
{
    struct chunk_row best, c;
    uint64_t low,
        high; /* first ids: `low` begins before the bound, `high` not */

    enum store_err err = chunk_below(r, topic, UINT64_MAX, &c);
    if (err != STORE_OK)
        return err;
    if (begins_before(r, &c,
                      bound)) { /* most requests are for recent messages */
        *ret_chunk = c;
        return STORE_OK;
    }
    high = c.ids[0];
    err = chunk_from(r, topic, 0, &best);
    if (err != STORE_OK)
        return err;
    if (!begins_before(r, &best, bound))
        return STORE_NOTFOUND;
    low = best.ids[0];
    while (high - low > 1) {
        const uint64_t middle = low + (high - low) / 2;
        err = chunk_from(r, topic, middle, &c);
        if (err != STORE_OK) /* not NOTFOUND: there is a chunk up to `high` */
            return err;
        if (c.ids[0] < high && begins_before(r, &c, bound)) {
            best = c;
            low = c.ids[0];
        } else {
            high = middle;
        }
    }
    *ret_chunk = best;
    return STORE_OK;
}
