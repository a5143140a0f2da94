#include "store/repeat.h"

#include <sodium.h>

#define ANSWER_FIELDS 5

struct kind {
    MDB_dbi rows, by_time;
    int64_t keep_us;
    uint64_t most;
};

static struct kind kind_of(const struct store_env *e, enum repeat_kind kind)
{
    switch (kind) {
#define X(name, database, seconds, most)                                      \
    case REPEAT_##name:                                                       \
        return (struct kind){e->db.database, e->db.database##_by_time,        \
                             INT64_C(1000000) * (seconds), most};
        REPEAT_KINDS(X)
#undef X
    case REPEAT_KIND_COUNT: break;
    }
    return (struct kind){0};
}

void idempotency_hash(struct slice topic, struct slice key,
                      unsigned char ret_hash[IDEMPOTENCY_HASH])
{
    crypto_generichash_state state;
    const uint64_t topic_len = topic.len;

    crypto_generichash_init(&state, NULL, 0, IDEMPOTENCY_HASH);
    /* The length first: topic "a", key "bc" is not topic "ab", key "c". */
    crypto_generichash_update(&state, (const void *)&topic_len,
                              sizeof(topic_len));
    crypto_generichash_update(&state, topic.data, topic.len);
    crypto_generichash_update(&state, key.data, key.len);
    crypto_generichash_final(&state, ret_hash, IDEMPOTENCY_HASH);
}

static void put_u64(unsigned char *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (unsigned char)v;
}

static uint64_t get_u64(const unsigned char *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* A msgpack array like every row: version, then the fields, always as
 * `uint 64`, so that a row has one size and needs no parser. */
#define ROW_SIZE (2 + 9 * ANSWER_FIELDS)

static void encode(unsigned char row[ROW_SIZE], const struct answer *a)
{
    const uint64_t fields[ANSWER_FIELDS] = {(uint64_t)a->when_us, a->id,
                                            a->seq, (uint64_t)a->at_us,
                                            a->removed};
    row[0] = 0x90 | (ANSWER_FIELDS + 1); /* fixarray */
    row[1] = SCHEMA_VERSION;
    for (size_t i = 0; i < ANSWER_FIELDS; i++) {
        row[2 + 9 * i] = 0xcf; /* uint 64 */
        put_u64(row + 3 + 9 * i, fields[i]);
    }
}

static bool decode(MDB_val v, struct answer *ret_answer)
{
    const unsigned char *row = v.mv_data;
    uint64_t fields[ANSWER_FIELDS];

    if (v.mv_size < ROW_SIZE || (row[0] & 0xf0) != 0x90 ||
        (row[0] & 0x0f) < ANSWER_FIELDS + 1)
        return false;
    for (size_t i = 0; i < ANSWER_FIELDS; i++) {
        if (row[2 + 9 * i] != 0xcf)
            return false;
        fields[i] = get_u64(row + 3 + 9 * i);
    }
    *ret_answer = (struct answer){(int64_t)fields[0], fields[1], fields[2],
                                  (int64_t)fields[3], fields[4]};
    return true;
}

enum store_err repeat_find(struct store_env *e, MDB_txn *txn,
                           enum repeat_kind kind, struct slice key,
                           int64_t now_us, struct answer *ret_answer)
{
    const struct kind of = kind_of(e, kind);
    struct answer answer;
    MDB_val k = {key.len, (void *)key.data}, v;
    const int rc = mdb_get(txn, of.rows, &k, &v);

    if (rc != 0)
        return store_from_mdb(rc);
    if (!decode(v, &answer))
        return STORE_CORRUPT;
    if (kind == REPEAT_IDEMPOTENCY && answer.when_us <= now_us - of.keep_us)
        return STORE_NOTFOUND;
    *ret_answer = answer;
    return STORE_OK;
}

/* by_time: big-endian time, then the key itself; no value. */
struct time_key {
    unsigned char bytes[8 + OPERATION_MAX];
};

static MDB_val time_key(struct time_key *k, int64_t when_us, struct slice key)
{
    put_u64(k->bytes, (uint64_t)when_us);
    memcpy(k->bytes + 8, key.data, key.len);
    return (MDB_val){8 + key.len, k->bytes};
}

enum store_err repeat_remember(struct store_env *e, MDB_txn *txn,
                               enum repeat_kind kind, struct slice key,
                               const struct answer *answer)
{
    const struct kind of = kind_of(e, kind);
    unsigned char row[ROW_SIZE];
    struct time_key time;
    MDB_val k = {key.len, (void *)key.data}, v = {sizeof(row), row};
    MDB_val none = {0, NULL};

    encode(row, answer);
    int rc = mdb_put(txn, of.rows, &k, &v, 0);
    if (rc == 0) {
        k = time_key(&time, answer->when_us, key);
        rc = mdb_put(txn, of.by_time, &k, &none, 0);
    }
    return store_from_mdb(rc);
}

/* Deletes the row unless it was remembered again later. */
static int forget(MDB_txn *txn, MDB_dbi rows, MDB_val by_time)
{
    const unsigned char *p = by_time.mv_data;
    struct answer answer;
    MDB_val k = {by_time.mv_size - 8, (void *)(p + 8)}, v;
    int rc = mdb_get(txn, rows, &k, &v);

    if (rc == 0 &&
        (!decode(v, &answer) || answer.when_us == (int64_t)get_u64(p)))
        rc = mdb_del(txn, rows, &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

enum store_err repeat_purge(struct store_env *e, MDB_txn *txn,
                            enum repeat_kind kind, int64_t now_us,
                            unsigned most)
{
    const struct kind of = kind_of(e, kind);
    MDB_cursor *cursor = NULL;
    MDB_stat stat;
    MDB_val k, v;

    int rc = mdb_stat(txn, of.by_time, &stat);
    if (rc != 0 || stat.ms_entries == 0)
        return store_from_mdb(rc);
    uint64_t rows = stat.ms_entries;
    rc = mdb_cursor_open(txn, of.by_time, &cursor);
    for (unsigned i = 0; rc == 0 && i < most; i++, rows--) {
        rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
        if (rc != 0 || k.mv_size <= 8)
            break;
        const int64_t when_us = (int64_t)get_u64(k.mv_data);
        if (when_us > now_us - of.keep_us && (of.most == 0 || rows <= of.most))
            break;
        rc = forget(txn, of.rows, k);
        if (rc == 0)
            rc = mdb_cursor_del(cursor, 0);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
}
