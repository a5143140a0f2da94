#include "test/unit/store/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/vocabulary.h"

#define MiB (UINT64_C(1) << 20)

static void open_store(struct fixture *f, const struct store_opts *opts)
{
    assert_int_equal(store_open(f->dir, opts, &f->store, NULL), STORE_OK);
    f->reader = store_reader_acquire(f->store);
    assert_non_null(f->reader);
}

void fixture_place(struct fixture *f)
{
    *f = (struct fixture){.dir = "/tmp/confab-store-XXXXXX"};
    assert_non_null(mkdtemp(f->dir));
    const size_t len = strlen(f->dir); /* the store makes its folder itself */
    snprintf(f->dir + len, sizeof(f->dir) - len, "/data");
}

void fixture_start(struct fixture *f)
{
    const struct store_opts opts = {.map_size = 16 * MiB};

    open_store(f, &opts);
}

void fixture_open(struct fixture *f)
{
    fixture_place(f);
    fixture_start(f);
}

static void close_store(struct fixture *f)
{
    if (f->txn != NULL)
        mdb_txn_abort(f->txn);
    f->txn = NULL;
    store_reader_release(f->reader);
    store_close(f->store);
}

void fixture_reopen(struct fixture *f, const struct store_opts *opts)
{
    close_store(f);
    open_store(f, opts);
}

void fixture_close(struct fixture *f)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", LOCK_NAME};
    char path[128];

    close_store(f);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(f->dir), 0);
    *strrchr(f->dir, '/') = 0;
    assert_int_equal(rmdir(f->dir), 0);
}

/* ---- rows -------------------------------------------------------------- */

static void begin(struct fixture *f)
{
    if (f->txn == NULL)
        assert_int_equal(
            mdb_txn_begin(store_env(f->store)->env, NULL, 0, &f->txn), 0);
}

void fixture_commit(struct fixture *f)
{
    if (f->txn != NULL)
        assert_int_equal(mdb_txn_commit(f->txn), 0);
    f->txn = NULL;
}

struct store_reader *fixture_look(struct fixture *f)
{
    fixture_commit(f);
    store_reader_end(f->reader);
    assert_int_equal(store_reader_begin(f->reader), STORE_OK);
    return f->reader;
}

static void put(struct fixture *f, MDB_dbi dbi, MDB_val key, struct buffer *b)
{
    MDB_val row = {b->len, b->data};

    assert_true(buffer_ok(b));
    assert_int_equal(mdb_put(f->txn, dbi, &key, &row, 0), 0);
    buffer_release(b);
}

static void put_thing(struct fixture *f, const struct thing_state *t)
{
    struct buffer b = BUFFER_INIT;
    struct schema_key name;

    schema_put_thing(&b, t);
    schema_name_key(t->row.topic, &name);
    put(f, store_env(f->store)->db.things, schema_val(&name), &b);
}

static void close_chunk(struct fixture *f, struct thing_state *t)
{
    struct buffer b = BUFFER_INIT;
    struct schema_key key;

    schema_put_chunk(&b, &t->open);
    schema_chunk_key(t->row.topic, t->open.ids[0], &key);
    put(f, store_env(f->store)->db.chunks, schema_val(&key), &b);
    t->open = (struct chunk_row){0};
}

static struct thing_state thing(struct fixture *f, struct slice topic)
{
    struct thing_state t = {.row = {.topic = topic, .first_seq = 1}};
    const enum store_err err =
        store_thing_in(store_env(f->store), f->txn, topic, &t);

    assert_true(err == STORE_OK || err == STORE_NOTFOUND);
    return t;
}

static void count_message(struct fixture *f, struct thing_state *t,
                          const struct message *m)
{
    if (t->row.count++ == 0)
        t->row.first_id = m->id;
    t->row.last_id = m->id;
    t->row.last_seq = m->seq;
    t->row.last_at_us = m->at_us;
    t->row.bytes += m->payload.len;
    if (t->open.count == 0) {
        t->open.first_seq = m->seq;
        t->open.first_at_us = m->at_us;
    }
    t->open.ids[t->open.count++] = m->id;
    t->open.bytes += m->payload.len;
    if (t->open.count == CHUNK_IDS)
        close_chunk(f, t);
}

uint64_t fixture_put(struct fixture *f, const struct message *from)
{
    struct buffer b = BUFFER_INIT;
    struct message m = *from;

    begin(f);
    m.id = ++f->head;
    struct thing_state t = thing(f, m.topic);
    if (m.kind == MESSAGE_MESSAGE) {
        m.seq = t.row.last_seq + 1;
        count_message(f, &t, &m);
        put_thing(f, &t);
    }
    schema_put_record(&b, &m);
    put(f, store_env(f->store)->db.log, (MDB_val){sizeof(m.id), &m.id}, &b);
    return m.id;
}

uint64_t fixture_append(struct fixture *f, const char *topic, int64_t at_us)
{
    char payload[24];
    const int len = snprintf(payload, sizeof(payload), "p%llu",
                             (unsigned long long)f->head + 1);
    const struct message m = {
        .payload_class = PAYLOAD_TEXT,
        .at_us = at_us,
        .topic = slice_str(topic),
        .payload = slice_of(payload, (size_t)len),
    };

    return fixture_put(f, &m);
}

void fixture_skip(struct fixture *f, uint64_t ids)
{
    f->head += ids;
}

void fixture_retain(struct fixture *f, const char *topic, uint64_t id)
{
    struct buffer b = BUFFER_INIT;
    struct schema_key name;

    begin(f);
    schema_put_retained(&b, slice_str(topic), id, NULL);
    schema_name_key(slice_str(topic), &name);
    put(f, store_env(f->store)->db.retained, schema_val(&name), &b);
}

/* ---- trim -------------------------------------------------------------- */

static bool get(struct fixture *f, MDB_dbi dbi, MDB_val key, MDB_val *ret_row)
{
    const int rc = mdb_get(f->txn, dbi, &key, ret_row);

    assert_true(rc == 0 || rc == MDB_NOTFOUND);
    return rc == 0;
}

static void keep_retained(struct fixture *f, const struct record *record)
{
    const MDB_dbi dbi = store_env(f->store)->db.retained;
    struct buffer b = BUFFER_INIT;
    struct schema_key name;
    struct slice topic;
    struct record copy;
    MDB_val row;
    uint64_t id;
    bool has_copy;

    schema_name_key(record->m.topic, &name);
    if (!get(f, dbi, schema_val(&name), &row))
        return;
    assert_true(schema_get_retained(schema_val(&name), row, &topic, &id,
                                    &has_copy, &copy));
    if (id != record->m.id || has_copy)
        return;
    schema_put_retained(&b, record->m.topic, id, &record->m);
    put(f, dbi, schema_val(&name), &b);
}

/* Payload bytes; the entry is deleted if `erase`. */
static uint64_t remove_entry(struct fixture *f, uint64_t id, bool erase)
{
    const struct store_env *e = store_env(f->store);
    MDB_val key = {sizeof(id), &id}, row;
    struct record record;

    assert_true(get(f, e->db.log, key, &row));
    assert_true(schema_get_record(row, id, &record));
    const uint64_t bytes = record.m.payload.len;
    if (!erase)
        return bytes;
    if (id == f->head) {
        struct buffer b = BUFFER_INIT;
        schema_put_number(&b, id);
        put(f, e->db.meta, (MDB_val){strlen(META_HEAD), META_HEAD}, &b);
        assert_true(get(f, e->db.log, key, &row));
        assert_true(schema_get_record(row, id, &record));
    }
    keep_retained(f, &record);
    assert_int_equal(mdb_del(f->txn, e->db.log, &key, NULL), 0);
    return bytes;
}

/* Ids of a topic's chunks, oldest first, hidden ones included. */
static size_t chunk_ids(struct fixture *f, struct slice topic, uint64_t *ids,
                        size_t max)
{
    struct schema_key key;
    struct chunk_row c;
    MDB_cursor *cursor;
    MDB_val row;
    size_t count = 0;

    schema_chunk_key(topic, 0, &key);
    MDB_val k = schema_val(&key);
    assert_int_equal(
        mdb_cursor_open(f->txn, store_env(f->store)->db.chunks, &cursor), 0);
    int rc = mdb_cursor_get(cursor, &k, &row, MDB_SET_RANGE);
    while (rc == 0 && k.mv_size == key.len &&
           memcmp(k.mv_data, key.bytes, key.len - 8) == 0) {
        assert_true(schema_get_chunk(row, &c));
        for (unsigned i = 0; i < c.count; i++) {
            assert_true(count < max);
            ids[count++] = c.ids[i];
        }
        rc = mdb_cursor_get(cursor, &k, &row, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return count;
}

static void delete_hidden_chunks(struct fixture *f,
                                 const struct thing_state *t,
                                 const uint64_t *ids, size_t count)
{
    MDB_dbi dbi = store_env(f->store)->db.chunks;
    struct schema_key key;

    for (size_t i = 0; i + CHUNK_IDS <= count; i += CHUNK_IDS) {
        if (ids[i + CHUNK_IDS - 1] > t->row.trimmed_id)
            break;
        schema_chunk_key(t->row.topic, ids[i], &key);
        MDB_val k = schema_val(&key);
        assert_int_equal(mdb_del(f->txn, dbi, &k, NULL), 0);
    }
}

static void trim_open(struct thing_state *t, uint64_t through)
{
    unsigned gone = 0;

    while (gone < t->open.count && t->open.ids[gone] <= through)
        gone++;
    t->open.count -= gone;
    t->open.first_seq += gone;
    memmove(t->open.ids, t->open.ids + gone,
            t->open.count * sizeof(t->open.ids[0]));
}

static void wait_in_trims(struct fixture *f, struct slice topic)
{
    struct buffer b = BUFFER_INIT;
    struct schema_key name;

    schema_put_trim(&b, topic);
    schema_name_key(topic, &name);
    put(f, store_env(f->store)->db.trims, schema_val(&name), &b);
}

void fixture_trim(struct fixture *f, const char *topic, uint64_t through,
                  bool erase)
{
    static uint64_t ids[1 << 16];

    begin(f);
    struct thing_state t = thing(f, slice_str(topic));
    size_t count = chunk_ids(f, t.row.topic, ids, 1 << 16);
    const size_t in_chunks = count;
    for (unsigned i = 0; i < t.open.count; i++)
        ids[count++] = t.open.ids[i];

    size_t at = 0;
    while (at < count && ids[at] < t.row.first_id)
        at++;
    for (; at < count && ids[at] <= through; at++) {
        t.row.trimmed_id = ids[at];
        t.row.bytes -= remove_entry(f, ids[at], erase);
        t.row.first_seq++;
        t.row.count--;
        t.row.first_id = at + 1 < count ? ids[at + 1] : 0;
    }
    if (t.row.count == 0)
        t.row.first_id = t.row.last_id = 0;
    trim_open(&t, through);
    if (erase)
        delete_hidden_chunks(f, &t, ids, in_chunks);
    else
        wait_in_trims(f, t.row.topic);
    put_thing(f, &t);
}
