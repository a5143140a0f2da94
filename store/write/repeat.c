#include "store/write/repeat.h"

#include "store/write/account.h"

#include <sodium.h>

#define ANSWER_FIELDS 5

struct kind {
    MDB_dbi rows, by_time;
    int64_t keep_us;
    uint64_t most;
};

/* Each answer takes two rows. In a small store they must not take a large part, but there
 * must be at least as many as the link may have in flight and waiting. */
#define PAIR_BYTES 256
#define LEAST_ROWS 20000

static uint64_t most_of(const struct store_env *e, uint64_t most)
{
    const uint64_t room = e->soft_limit / 16 / PAIR_BYTES;

    if (most <= LEAST_ROWS || room >= most)
        return most;
    return room > LEAST_ROWS ? room : LEAST_ROWS;
}

static struct kind kind_of(const struct store_env *e, enum repeat_kind kind)
{
    switch (kind) {
#define X(name, database, seconds, most)                                      \
    case REPEAT_##name:                                                       \
        return (struct kind){e->db.database, e->db.database##_by_time,        \
                             INT64_C(1000000) * (seconds), most_of(e, most)};
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
    /* The length first, so that topic "a", key "bc" differs from topic "ab", key "c". */
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

/* A msgpack array like every row: version, then the fields, always as `uint 64`, so that
 * no parser is needed; for idempotency keys then the payer. */
#define ROW_SIZE (2 + 9 * ANSWER_FIELDS)
#define ROW_MAX (ROW_SIZE + 2 + TOKEN_MAX)

static size_t encode_answer(unsigned char row[ROW_MAX], const struct answer *a)
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
    if (a->payer.data == NULL)
        return ROW_SIZE;
    row[0]++;
    row[ROW_SIZE] = 0xd9; /* str 8 */
    row[ROW_SIZE + 1] = (unsigned char)a->payer.len;
    memcpy(row + ROW_SIZE + 2, a->payer.data, a->payer.len);
    return ROW_SIZE + 2 + a->payer.len;
}

static bool decode_answer(MDB_val v, struct answer *ret_answer)
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
    *ret_answer = (struct answer){.when_us = (int64_t)fields[0],
                                  .id = fields[1],
                                  .seq = fields[2],
                                  .at_us = (int64_t)fields[3],
                                  .removed = fields[4]};
    if (v.mv_size >= ROW_SIZE + 2 && row[ROW_SIZE] == 0xd9 &&
        v.mv_size - ROW_SIZE - 2 >= row[ROW_SIZE + 1])
        ret_answer->payer = slice_of(row + ROW_SIZE + 2, row[ROW_SIZE + 1]);
    return true;
}

enum store_err repeat_find(struct transaction *t, enum repeat_kind kind,
                           struct slice key, struct answer *ret_answer)
{
    const struct kind of = kind_of(t->e, kind);
    struct answer answer;
    MDB_val k = {key.len, (void *)key.data}, v;
    const int rc = mdb_get(t->txn, of.rows, &k, &v);

    if (rc != 0)
        return store_from_mdb(rc);
    if (!decode_answer(v, &answer))
        return STORE_CORRUPT;
    if (kind == REPEAT_IDEMPOTENCY &&
        admission_age_us(t, answer.when_us) >= of.keep_us)
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
                               const struct answer *answer, bool *ret_new)
{
    const struct kind of = kind_of(e, kind);
    unsigned char row[ROW_MAX];
    struct time_key time;
    const size_t len = encode_answer(row, answer);
    MDB_val k = {key.len, (void *)key.data}, v = {len, row};
    MDB_val none = {0, NULL};

    int rc = mdb_put(txn, of.rows, &k, &v, MDB_NOOVERWRITE);
    if (ret_new != NULL)
        *ret_new = rc == 0;
    if (rc == MDB_KEYEXIST) {
        v = (MDB_val){len, row};
        rc = mdb_put(txn, of.rows, &k, &v, 0);
    }
    if (rc == 0) {
        k = time_key(&time, answer->when_us, key);
        rc = mdb_put(txn, of.by_time, &k, &none, 0);
    }
    return store_from_mdb(rc);
}

/* Deletes the row, unless it was remembered again later, and what it costs. */
static enum store_err forget_row(struct transaction *t, MDB_dbi rows,
                                 MDB_val by_time)
{
    const unsigned char *p = by_time.mv_data;
    enum store_err err = STORE_OK;
    struct answer answer = {0};
    struct token *who;
    MDB_val k = {by_time.mv_size - 8, (void *)(p + 8)}, v;
    int rc = mdb_get(t->txn, rows, &k, &v);

    if (rc != 0)
        return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
    if (decode_answer(v, &answer) && answer.when_us != (int64_t)get_u64(p))
        return STORE_OK;
    if (answer.payer.data != NULL) {
        const uint64_t cost = account_key_cost(answer.payer);
        err = account_of(t, answer.payer, &who);
        if (err == STORE_OK)
            account_subtract(t, who, ACCOUNT_MESSAGES, cost);
    }
    return err == STORE_OK ? store_from_mdb(mdb_del(t->txn, rows, &k, NULL))
                           : err;
}

/* ---- forgetting ---------------------------------------------------------- */

/* Time of the oldest (MDB_FIRST) or newest (MDB_LAST) answer. NOTFOUND: none. */
static enum store_err time_at(MDB_cursor *cursor, MDB_cursor_op end,
                              MDB_val *ret_key, int64_t *ret_when_us)
{
    MDB_val v;
    const int rc = mdb_cursor_get(cursor, ret_key, &v, end);

    if (rc != 0 || ret_key->mv_size <= 8)
        return rc == 0 ? STORE_NOTFOUND : store_from_mdb(rc);
    *ret_when_us = (int64_t)get_u64(ret_key->mv_data);
    return STORE_OK;
}

/* The age by the machine's clock, which may have been wrong: an answer remembered while the
 * clock was ahead sorts after all others, and is as old as the last step back. */
static int64_t age_us(const struct transaction *t, int64_t when_us)
{
    return t->here.decay_us -
           clock_steps_past(&t->steps, when_us, t->here.now_us);
}

enum store_err repeat_due(struct transaction *t, enum repeat_kind kind,
                          unsigned most, struct repeat_bounds *ret_bounds,
                          bool *ret_due)
{
    const struct kind of = kind_of(t->e, kind);
    const int64_t before_us = t->here.decay_us - of.keep_us + 1;
    struct repeat_bounds b = {.kind = kind, .most = most};
    MDB_cursor *cursor = NULL;
    int64_t first_us = 0, last_us = 0;
    MDB_stat stat;
    MDB_val k;

    *ret_due = false;
    int rc = mdb_stat(t->txn, of.by_time, &stat);
    if (rc != 0 || stat.ms_entries == 0)
        return store_from_mdb(rc);
    rc = mdb_cursor_open(t->txn, of.by_time, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    enum store_err err = time_at(cursor, MDB_FIRST, &k, &first_us);
    if (err == STORE_OK)
        err = time_at(cursor, MDB_LAST, &k, &last_us);
    mdb_cursor_close(cursor);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    if (of.most != 0 && stat.ms_entries > of.most)
        b.oldest = stat.ms_entries - of.most;
    if (first_us < before_us && before_us > 0)
        b.before_us = before_us;
    if (last_us > t->here.now_us && age_us(t, last_us) >= of.keep_us)
        b.after_us = t->here.now_us;
    *ret_due = b.oldest > 0 || b.before_us > 0 || b.after_us > 0;
    *ret_bounds = b;
    return STORE_OK;
}

static enum store_err forget_at(struct transaction *t, MDB_dbi rows,
                                MDB_cursor *cursor, MDB_val k)
{
    t->put = true;
    const enum store_err err = forget_row(t, rows, k);
    return err == STORE_OK ? store_from_mdb(mdb_cursor_del(cursor, 0)) : err;
}

enum store_err repeat_forget(struct transaction *t,
                             const struct repeat_bounds *b,
                             uint64_t *ret_forgotten)
{
    const struct kind of = kind_of(t->e, b->kind);
    enum store_err err = STORE_OK;
    MDB_cursor *cursor = NULL;
    int64_t when_us;
    uint64_t n = 0;
    MDB_val k;

    *ret_forgotten = 0;
    const int rc = mdb_cursor_open(t->txn, of.by_time, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    for (; err == STORE_OK && n < b->most; n++) {
        err = time_at(cursor, MDB_FIRST, &k, &when_us);
        if (err != STORE_OK || (n >= b->oldest && when_us >= b->before_us))
            break;
        err = forget_at(t, of.rows, cursor, k);
    }
    for (; err == STORE_OK && b->after_us != 0 && n < b->most; n++) {
        err = time_at(cursor, MDB_LAST, &k, &when_us);
        if (err != STORE_OK || when_us <= b->after_us)
            break;
        err = forget_at(t, of.rows, cursor, k);
    }
    mdb_cursor_close(cursor);
    *ret_forgotten = n;
    return err == STORE_NOTFOUND ? STORE_OK : err;
}
