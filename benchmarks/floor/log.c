#include "benchmarks/floor/log.h"

#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "benchmarks/floor/topic.h"
#include "benchmarks/measure/fatal.h"

#define MAP_SIZE ((size_t)16 << 30) /* address space, not disk */

struct log {
    MDB_env *env;
    MDB_dbi records;
};

static void check(int rc, const char *what)
{
    if (rc != 0)
        fatal("%s: %s", what, mdb_strerror(rc));
}

struct log *log_open(const char *dir)
{
    struct log *l = must_zalloc(1, sizeof(*l));
    MDB_txn *txn;

    check(mdb_env_create(&l->env), "mdb_env_create");
    check(mdb_env_set_mapsize(l->env, MAP_SIZE), "mdb_env_set_mapsize");
    check(mdb_env_open(l->env, dir, 0, 0640), dir);
    check(mdb_txn_begin(l->env, NULL, 0, &txn), "mdb_txn_begin");
    check(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &l->records),
          "mdb_dbi_open");
    check(mdb_txn_commit(txn), "mdb_txn_commit");
    return l;
}

void log_close(struct log *l)
{
    mdb_env_close(l->env);
    free(l);
}

/* Value: time, topic, NUL, payload, written straight into the page. */
static void put(struct log *l, MDB_txn *txn, const struct floor_entry *e)
{
    const size_t topic_len = e->topic->len + 1; /* with its NUL */
    uint64_t id = e->id;
    MDB_val key = {sizeof(id), &id};
    MDB_val value = {sizeof(e->created_us) + topic_len + e->len, NULL};

    check(mdb_put(txn, l->records, &key, &value, MDB_APPEND | MDB_RESERVE),
          "mdb_put");
    char *at = value.mv_data;

    memcpy(at, &e->created_us, sizeof(e->created_us));
    at += sizeof(e->created_us);
    memcpy(at, e->topic->name, topic_len);
    memcpy(at + topic_len, e->payload, e->len);
}

void log_append(struct log *l, const struct entry_list *batch)
{
    const struct floor_entry *e;
    MDB_txn *txn;

    check(mdb_txn_begin(l->env, NULL, 0, &txn), "mdb_txn_begin");
    STAILQ_FOREACH (e, batch, next)
        put(l, txn, e);
    check(mdb_txn_commit(txn), "mdb_txn_commit");
}

static struct floor_record record_of(const MDB_val *key, const MDB_val *value)
{
    const char *data = value->mv_data;
    struct floor_record r = {0};

    memcpy(&r.id, key->mv_data, sizeof(r.id));
    memcpy(&r.created_us, data, sizeof(r.created_us));
    r.topic = data + sizeof(r.created_us);
    r.topic_len = strlen(r.topic);
    r.payload = r.topic + r.topic_len + 1;
    r.len = (size_t)(data + value->mv_size - r.payload);
    return r;
}

void log_walk(struct log *l, enum log_order order, uint64_t limit,
              void (*visit)(void *arg, const struct floor_record *r),
              void *arg)
{
    const bool up = order == LOG_OLDEST_FIRST;
    MDB_val key, value;
    MDB_cursor *cursor;
    MDB_txn *txn;

    check(mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn), "mdb_txn_begin");
    check(mdb_cursor_open(txn, l->records, &cursor), "mdb_cursor_open");
    int rc = mdb_cursor_get(cursor, &key, &value, up ? MDB_FIRST : MDB_LAST);

    for (uint64_t i = 0; i < limit && rc == 0; i++) {
        const struct floor_record r = record_of(&key, &value);

        visit(arg, &r);
        rc = mdb_cursor_get(cursor, &key, &value, up ? MDB_NEXT : MDB_PREV);
    }
    if (rc != 0 && rc != MDB_NOTFOUND)
        check(rc, "mdb_cursor_get");
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
}
