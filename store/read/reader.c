#include "store/read/reader.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define TELL_EVERY_US 5000000

/* ---- pool and snapshots ------------------------------------------------ */

struct reader_pool *reader_pool_new(struct store_env *e)
{
    struct reader_pool *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->env = e;
    if (pthread_mutex_init(&p->mutex, NULL) == 0)
        return p;
    free(p);
    return NULL;
}

static void reader_free(struct store_reader *r)
{
    for (size_t i = 0; i < READER_DATABASES; i++)
        if (r->cursors[i].cursor != NULL)
            mdb_cursor_close(r->cursors[i].cursor);
    mdb_txn_abort(r->txn);
    free(r);
}

void reader_pool_free(struct reader_pool *p)
{
    assert(p->in_use == 0);
    while (p->idle != NULL) {
        struct store_reader *r = p->idle;
        p->idle = r->next;
        reader_free(r);
    }
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

void store_check_readers(struct store *st)
{
    mdb_reader_check(st->env.env, NULL);
}

struct snapshot_list {
    unsigned held;
    uint64_t oldest; /* transaction id */
};

/* A line describes a slot of the table: process, thread, and the transaction's id or
 * a hyphen. The heading, which comes first, has no numbers. */
static int on_reader_line(const char *line, void *arg)
{
    struct snapshot_list *list = arg;
    uint64_t id;

    if (sscanf(line, "%*d %*x %" SCNu64, &id) != 1)
        return 0;
    if (list->held == 0 || id < list->oldest)
        list->oldest = id;
    list->held++;
    return 0;
}

void store_snapshots(struct store *st, struct store_snapshots *ret_snapshots)
{
    struct snapshot_list list = {0};
    MDB_envinfo info;

    mdb_reader_list(st->env.env, on_reader_line, &list);
    mdb_env_info(st->env.env, &info);
    *ret_snapshots = (struct store_snapshots){.held = list.held};
    if (list.held > 0 && list.oldest < info.me_last_txnid)
        ret_snapshots->oldest_behind = info.me_last_txnid - list.oldest;
}

static int begin_first(struct store_env *e, MDB_txn **ret_txn)
{
    int rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, ret_txn);

    if (rc == MDB_READERS_FULL) { /* dead processes may hold slots */
        mdb_reader_check(e->env, NULL);
        rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, ret_txn);
    }
    return rc;
}

static struct store_reader *reader_new(struct reader_pool *p)
{
    struct store_reader *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->env = p->env;
    r->pool = p;
    if (begin_first(p->env, &r->txn) != 0) {
        free(r);
        return NULL;
    }
    mdb_txn_reset(r->txn);
    return r;
}

struct store_reader *store_reader_acquire(struct store *st)
{
    struct reader_pool *p = st->readers;

    pthread_mutex_lock(&p->mutex);
    struct store_reader *r = p->idle;
    if (r != NULL)
        p->idle = r->next;
    p->in_use++;
    pthread_mutex_unlock(&p->mutex);
    if (r != NULL)
        return r;

    r = reader_new(p);
    if (r == NULL) {
        pthread_mutex_lock(&p->mutex);
        p->in_use--;
        pthread_mutex_unlock(&p->mutex);
    }
    return r;
}

void store_reader_release(struct store_reader *r)
{
    struct reader_pool *p = r->pool;

    store_reader_end(r);
    pthread_mutex_lock(&p->mutex);
    r->next = p->idle;
    p->idle = r;
    p->in_use--;
    pthread_mutex_unlock(&p->mutex);
}

enum store_err store_snapshot(struct store *st,
                              struct store_reader **ret_reader)
{
    struct store_reader *r = store_reader_acquire(st);
    const enum store_err err = r == NULL ? STORE_NOMEM : store_reader_begin(r);

    if (err != STORE_OK && r != NULL) {
        store_reader_release(r);
        r = NULL;
    }
    *ret_reader = r;
    return err;
}

enum store_err store_reader_begin(struct store_reader *r)
{
    assert(!r->active);
    const int rc = mdb_txn_renew(r->txn);
    if (rc != 0)
        return store_from_mdb(rc);
    r->active = true;
    r->begun++;
    r->log_at = 0;
    r->head_known = false;
    r->trims_known = false;
    r->changes_known = false;
    r->steps_known = false;
    return STORE_OK;
}

void store_reader_end(struct store_reader *r)
{
    if (!r->active)
        return;
    mdb_txn_reset(r->txn);
    r->active = false;
}

/* ---- rows -------------------------------------------------------------- */

enum store_err reader_cursor(struct store_reader *r, MDB_dbi dbi,
                             MDB_cursor **ret_cursor)
{
    int rc = 0;

    if (dbi == SCHEMA_MISSING)
        return STORE_NOTFOUND;
    assert(r->active && dbi < READER_DATABASES);
    if (r->cursors[dbi].cursor == NULL)
        rc = mdb_cursor_open(r->txn, dbi, &r->cursors[dbi].cursor);
    else if (r->cursors[dbi].begun != r->begun)
        rc = mdb_cursor_renew(r->txn, r->cursors[dbi].cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    r->cursors[dbi].begun = r->begun;
    *ret_cursor = r->cursors[dbi].cursor;
    return STORE_OK;
}

enum store_err reader_row(struct store_reader *r, MDB_dbi dbi, MDB_val key,
                          MDB_val *ret_row)
{
    assert(r->active);
    if (dbi == SCHEMA_MISSING)
        return STORE_NOTFOUND;
    return store_from_mdb(mdb_get(r->txn, dbi, &key, ret_row));
}

uint64_t store_head(struct store_reader *r)
{
    uint64_t head;

    if (!r->head_known) {
        if (store_head_in(r->env, r->txn, &head) != STORE_OK)
            return 0;
        r->head = head;
        r->head_known = true;
    }
    return r->head;
}

uint64_t store_epoch(struct store_reader *r)
{
    return r->env->epoch;
}

/* ---- log entries ------------------------------------------------------- */

/* The reader skips the entry and goes on; the log line tells the administrator. */
static void tell_damage(struct store_env *e, uint64_t id)
{
    const int64_t now_us = clock_mono_us();
    int64_t told_us = atomic_load(&e->damaged_told_us);

    atomic_fetch_add(&e->damaged, 1);
    if ((told_us != 0 && now_us - told_us < TELL_EVERY_US) ||
        !atomic_compare_exchange_strong(&e->damaged_told_us, &told_us, now_us))
        return;
    log_error("store",
              "%s/data.mdb: entry %" PRIu64 " of the log is damaged and left "
              "out (%" PRIu64 " such reads since the start): run "
              "'confab check --data %s'",
              e->dir, id, (uint64_t)atomic_load(&e->damaged), e->dir);
}

/* Costs nothing unless a clock has ever been set back. */
int64_t reader_corrected(struct store_reader *r, uint64_t id, int64_t at_us)
{
    if (!r->steps_known) {
        r->steps.count = 0;
        /* If the row cannot be read, no time is corrected. */
        if (atomic_load(&r->env->has_clock_steps))
            store_clock_steps_in(r->env, r->txn, &r->steps);
        r->steps_known = true;
    }
    return clock_steps_correct(&r->steps, id, at_us);
}

static bool is_key(MDB_val key, uint64_t id)
{
    return key.mv_size == sizeof(id) &&
           memcmp(key.mv_data, &id, sizeof(id)) == 0;
}

static enum store_err decode_entry(struct store_reader *r, uint64_t id,
                                   MDB_val row, struct record *ret_record)
{
    r->log_at = id;
    if (!schema_get_record(row, id, ret_record)) {
        tell_damage(r->env, id);
        return STORE_CORRUPT;
    }
    struct message *m = &ret_record->m;
    m->at_us = reader_corrected(r, id, m->at_us);
    if (m->changed_us != 0)
        m->changed_us =
            reader_corrected(r, m->change_id != 0 ? m->change_id : id,
                             m->changed_us);
    return STORE_OK;
}

/* By cursor: LMDB first searches the leaf it stands on, where neighbours are; the
 * very next entry, which a busy thing often needs, is found without a search. */
enum store_err reader_entry(struct store_reader *r, uint64_t id,
                            struct record *ret_record)
{
    MDB_cursor *cursor;
    MDB_val key = {sizeof(id), &id}, row;

    const enum store_err err = reader_cursor(r, r->env->db.log, &cursor);
    if (err != STORE_OK)
        return err;
    const bool is_next = r->log_at != 0 && r->log_at == id - 1;
    r->log_at = 0;
    const int rc =
        mdb_cursor_get(cursor, &key, &row, is_next ? MDB_NEXT : MDB_SET);
    if (rc != 0)
        return store_from_mdb(rc);
    if (is_next && !is_key(key, id))
        return STORE_NOTFOUND; /* the cursor went on to a later entry */
    return decode_entry(r, id, row, ret_record);
}

enum store_err reader_entry_after(struct store_reader *r, uint64_t after,
                                  struct record *ret_record)
{
    uint64_t id = after + 1;
    MDB_cursor *cursor;
    MDB_val key = {sizeof(id), &id}, row;

    if (after == UINT64_MAX)
        return STORE_NOTFOUND;
    const enum store_err err = reader_cursor(r, r->env->db.log, &cursor);
    if (err != STORE_OK)
        return err;
    const MDB_cursor_op op =
        after != 0 && after == r->log_at ? MDB_NEXT : MDB_SET_RANGE;
    r->log_at = 0;
    const int rc = mdb_cursor_get(cursor, &key, &row, op);
    if (rc != 0)
        return store_from_mdb(rc);
    if (key.mv_size != sizeof(id))
        return STORE_CORRUPT;
    memcpy(&id, key.mv_data, sizeof(id)); /* keys are aligned to two bytes */
    return decode_entry(r, id, row, ret_record);
}
