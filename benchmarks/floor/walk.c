/* bench_walk: the floor of replay. A log that holds the messages of several
 * things in the order in which they came, and an index that says which are
 * whose, sixteen ids a row: without one, reading a thing's history would mean
 * reading everybody's. It is filled, checked, and walked in this process, for
 * one thing:
 *
 *   rate       by the index, each payload copied out: what replay is held
 *              against
 *   rows_rate  the same, with a row of NDJSON written for each
 *   scan_rate  the whole log from end to end without the index, counting all
 *              things' messages: as fast as LMDB's cursor goes */
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "benchmarks/floor/frame.h"
#include "benchmarks/floor/log.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"
#include "benchmarks/wire/payload.h"

/* OUT_SIZE: what is read goes to a buffer of what one send takes. */
enum { BATCH = 4096, OUT_SIZE = 1 << 16, THINGS = 4, CHUNK = 16 };
#define MAP_SIZE ((size_t)64 << 30) /* address space, not disk */

static const char *const topics[THINGS] = {"bench/replay-a", "bench/replay-b",
                                           "bench/replay-c", "bench/replay-d"};
#define WALKED 1 /* of the topics */

/* A row of the index: key topic, NUL, first id big-endian. */
struct index_chunk {
    unsigned count;
    uint64_t ids[CHUNK];
};

struct floor_walk {
    const char *dir;
    uint64_t count; /* messages of each thing */
    size_t size;
    MDB_env *env;
    MDB_dbi records, index;
    struct index_chunk open[THINGS]; /* while storing */
    struct payload_format format;
    struct bytes out;
    uint64_t seen;
    int64_t created_us; /* what `at` says */
    struct frame_time at;
};

/* ---- the command line ----------------------------------------------------- */

static void usage(void)
{
    fputs("usage: bench_walk --data DIR [--count K] [--size BYTES]\n", stderr);
    exit(2);
}

static uint64_t whole(const char *text, uint64_t min, uint64_t max)
{
    char *end;
    const unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end != '\0' || value < min || value > max)
        usage();
    return value;
}

static void parse(struct floor_walk *w, int argc, char **argv)
{
    if (argc % 2 == 0)
        usage();
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--data") == 0)
            w->dir = argv[i + 1];
        else if (strcmp(argv[i], "--count") == 0)
            w->count = whole(argv[i + 1], 1, 99999999);
        else if (strcmp(argv[i], "--size") == 0)
            w->size = whole(argv[i + 1], PAYLOAD_MIN, PAYLOAD_MAX);
        else
            usage();
    }
    if (w->dir == NULL)
        usage();
}

/* ---- storing -------------------------------------------------------------- */

static void must(int rc, const char *what)
{
    if (rc != 0)
        fatal("%s: %s", what, mdb_strerror(rc));
}

static void open_store(struct floor_walk *w)
{
    MDB_txn *txn;

    must(mdb_env_create(&w->env), "mdb_env_create");
    must(mdb_env_set_mapsize(w->env, MAP_SIZE), "mdb_env_set_mapsize");
    must(mdb_env_set_maxdbs(w->env, 2), "mdb_env_set_maxdbs");
    must(mdb_env_open(w->env, w->dir, 0, 0640), w->dir);
    must(mdb_txn_begin(w->env, NULL, 0, &txn), "mdb_txn_begin");
    must(mdb_dbi_open(txn, "records", MDB_CREATE | MDB_INTEGERKEY,
                      &w->records),
         "mdb_dbi_open");
    must(mdb_dbi_open(txn, "index", MDB_CREATE, &w->index), "mdb_dbi_open");
    must(mdb_txn_commit(txn), "mdb_txn_commit");
}

static size_t chunk_key(char *to, const char *topic, uint64_t first_id)
{
    const size_t len = strlen(topic) + 1;

    memcpy(to, topic, len);
    for (int i = 0; i < 8; i++)
        to[len + (size_t)i] = (char)(first_id >> (56 - 8 * i));
    return len + 8;
}

static void close_chunk(struct floor_walk *w, MDB_txn *txn, unsigned thing)
{
    struct index_chunk *c = &w->open[thing];
    char key[64];

    if (c->count == 0)
        return;
    MDB_val k = {chunk_key(key, topics[thing], c->ids[0]), key};
    MDB_val v = {c->count * sizeof(c->ids[0]), c->ids};
    must(mdb_put(txn, w->index, &k, &v, 0), "mdb_put");
    c->count = 0;
}

/* Value: time, topic, NUL, payload, as in the floor's own log. */
static void put(struct floor_walk *w, MDB_txn *txn, unsigned thing,
                uint64_t id, uint64_t number, int64_t created_us)
{
    const struct payload p = {.source = thing, .number = (uint32_t)number};
    const char *payload = payload_write(&w->format, &p);
    const size_t topic_len = strlen(topics[thing]) + 1;
    MDB_val k = {sizeof(id), &id};
    MDB_val v = {sizeof(created_us) + topic_len + w->size, NULL};

    must(mdb_put(txn, w->records, &k, &v, MDB_APPEND | MDB_RESERVE),
         "mdb_put");
    char *at = v.mv_data;
    memcpy(at, &created_us, sizeof(created_us));
    memcpy(at + sizeof(created_us), topics[thing], topic_len);
    memcpy(at + sizeof(created_us) + topic_len, payload, w->size);

    struct index_chunk *c = &w->open[thing];
    c->ids[c->count++] = id;
    if (c->count == CHUNK)
        close_chunk(w, txn, thing);
}

static void store(struct floor_walk *w)
{
    const uint64_t all = w->count * THINGS;
    struct timespec now;
    MDB_txn *txn;

    for (uint64_t n = 0; n < all;) {
        clock_gettime(CLOCK_REALTIME, &now);
        const int64_t created_us =
            now.tv_sec * 1000000 + now.tv_nsec / NS_PER_US;
        must(mdb_txn_begin(w->env, NULL, 0, &txn), "mdb_txn_begin");
        for (unsigned i = 0; i < BATCH && n < all; i++, n++)
            put(w, txn, n % THINGS, n + 1, n / THINGS, created_us);
        for (unsigned thing = 0; n == all && thing < THINGS; thing++)
            close_chunk(w, txn, thing);
        must(mdb_txn_commit(txn), "mdb_txn_commit");
    }
}

/* ---- walking -------------------------------------------------------------- */

typedef void visitor(struct floor_walk *w, const struct floor_record *r);

static struct floor_record record_of(uint64_t id, const MDB_val *value)
{
    const char *data = value->mv_data;
    struct floor_record r = {.id = id};

    memcpy(&r.created_us, data, sizeof(r.created_us));
    r.topic = data + sizeof(r.created_us);
    r.topic_len = strlen(r.topic);
    r.payload = r.topic + r.topic_len + 1;
    r.len = (size_t)(data + value->mv_size - r.payload);
    return r;
}

static void check(struct floor_walk *w, const struct floor_record *r)
{
    struct payload p;

    if (strcmp(r->topic, topics[WALKED]) != 0 || r->len != w->size ||
        !payload_read(&w->format, r->payload, &p) || p.number != w->seen)
        fatal("record %" PRIu64 " is not what was stored", w->seen);
    w->seen++;
}

static void make_room(struct floor_walk *w)
{
    if (w->out.len > OUT_SIZE)
        bytes_clear(&w->out);
}

static void copy(struct floor_walk *w, const struct floor_record *r)
{
    make_room(w);
    bytes_put(&w->out, r->payload, r->len);
    w->seen++;
}

static void put_row(struct floor_walk *w, const struct floor_record *r)
{
    make_room(w);
    if (r->created_us != w->created_us) { /* as a rule it is the last one's */
        w->created_us = r->created_us;
        frame_time_set(&w->at, r->created_us);
    }
    frame_put_row(&w->out, r, &w->at);
    bytes_put_u8(&w->out, '\n');
    w->seen++;
}

static void visit_chunk(struct floor_walk *w, MDB_txn *txn, const MDB_val *row,
                        visitor *visit)
{
    uint64_t id;
    MDB_val k = {sizeof(id), &id}, v;

    for (size_t i = 0; i < row->mv_size / sizeof(id); i++) {
        memcpy(&id, (const char *)row->mv_data + i * sizeof(id), sizeof(id));
        must(mdb_get(txn, w->records, &k, &v), "mdb_get");
        const struct floor_record r = record_of(id, &v);
        visit(w, &r);
    }
}

static void walk_thing(struct floor_walk *w, MDB_txn *txn, visitor *visit)
{
    const size_t topic_len = strlen(topics[WALKED]) + 1;
    MDB_cursor *cursor;
    char key[64];
    MDB_val k = {chunk_key(key, topics[WALKED], 0), key}, row;

    must(mdb_cursor_open(txn, w->index, &cursor), "mdb_cursor_open");
    int rc = mdb_cursor_get(cursor, &k, &row, MDB_SET_RANGE);
    while (rc == 0 && memcmp(k.mv_data, topics[WALKED], topic_len) == 0) {
        visit_chunk(w, txn, &row, visit);
        rc = mdb_cursor_get(cursor, &k, &row, MDB_NEXT);
    }
    if (rc != 0 && rc != MDB_NOTFOUND)
        must(rc, "mdb_cursor_get");
    mdb_cursor_close(cursor);
}

static void walk_all(struct floor_walk *w, MDB_txn *txn, visitor *visit)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    uint64_t id;

    must(mdb_cursor_open(txn, w->records, &cursor), "mdb_cursor_open");
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
    for (; rc == 0; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        memcpy(&id, k.mv_data, sizeof(id));
        const struct floor_record r = record_of(id, &v);
        visit(w, &r);
    }
    if (rc != MDB_NOTFOUND)
        must(rc, "mdb_cursor_get");
    mdb_cursor_close(cursor);
}

/* Messages per second. */
static double rate_of(struct floor_walk *w,
                      void (*walk)(struct floor_walk *, MDB_txn *, visitor *),
                      visitor *visit, uint64_t expected)
{
    MDB_txn *txn;

    w->seen = 0;
    must(mdb_txn_begin(w->env, NULL, MDB_RDONLY, &txn), "mdb_txn_begin");
    const int64_t begin_ns = instant_ns();
    walk(w, txn, visit);
    const int64_t taken_ns = instant_ns() - begin_ns;
    mdb_txn_abort(txn);
    if (w->seen != expected)
        fatal("%" PRIu64 " of %" PRIu64 " records were there", w->seen,
              expected);
    return (double)expected * 1e9 / (double)taken_ns;
}

int main(int argc, char **argv)
{
    static struct floor_walk w = {.count = 200000, .size = 100};

    parse(&w, argc, argv);
    payload_format_init(&w.format, w.size);
    open_store(&w);
    store(&w);
    rate_of(&w, walk_thing, check, w.count);
    const double rate = rate_of(&w, walk_thing, copy, w.count);
    const double rows_rate = rate_of(&w, walk_thing, put_row, w.count);
    const double scan_rate = rate_of(&w, walk_all, copy, w.count * THINGS);
    mdb_env_close(w.env);
    printf("{\"mode\":\"walk\",\"ok\":true,\"unit\":\"messages/s\","
           "\"rate\":%.0f,\"rows_rate\":%.0f,\"scan_rate\":%.0f,"
           "\"count\":%" PRIu64 ",\"size\":%zu}\n",
           rate, rows_rate, scan_rate, w.count, w.size);
    return 0;
}
