/* The databases inside the environment, and the rows of `meta` that identify the
 * store. */
#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"
#include "store/env/environment.h"

/* Who only reads a store of an earlier version does without the databases that it
 * has not. */
static int open_database(struct store_env *e, MDB_txn *txn, const char *name,
                         unsigned flags, MDB_dbi *ret_dbi)
{
    const int rc = mdb_dbi_open(txn, name, flags, ret_dbi);

    if (rc != MDB_NOTFOUND || !e->read_only)
        return rc;
    *ret_dbi = SCHEMA_MISSING;
    return 0;
}

static int open_databases(struct store_env *e, MDB_txn *txn, unsigned create)
{
    int rc = 0;

#define X(field, name, flags)                                                 \
    if (rc == 0)                                                              \
        rc = open_database(e, txn, name, (flags) | create, &e->db.field);
    SCHEMA_DATABASES(X)
#undef X
    if (rc == 0 && e->db.meta == SCHEMA_MISSING)
        return MDB_NOTFOUND; /* nothing was ever stored here */
    return rc;
}

static enum store_err get_number(struct store_env *e, MDB_txn *txn,
                                 const char *name, uint64_t *ret_number)
{
    MDB_val key = {strlen(name), (void *)name}, row;
    const int rc = mdb_get(txn, e->db.meta, &key, &row);

    if (rc != 0)
        return store_from_mdb(rc);
    return schema_get_number(row, ret_number) ? STORE_OK : STORE_CORRUPT;
}

static int put_number(struct store_env *e, MDB_txn *txn, const char *name,
                      uint64_t number)
{
    struct buffer b = BUFFER_INIT;
    MDB_val key = {strlen(name), (void *)name};
    int rc = ENOMEM;

    schema_put_number(&b, number);
    if (buffer_ok(&b)) {
        MDB_val row = {b.len, b.data};
        rc = mdb_put(txn, e->db.meta, &key, &row, 0);
    }
    buffer_release(&b);
    return rc;
}

static enum store_err read_meta(struct store_env *e, MDB_txn *txn)
{
    enum store_err err = get_number(e, txn, META_FORMAT, &e->format);

    if (err == STORE_OK && e->format > SCHEMA_FORMAT)
        return STORE_VERSION;
    if (err == STORE_OK)
        err = get_number(e, txn, META_STORE_ID, &e->store_id);
    if (err == STORE_OK)
        err = get_number(e, txn, META_EPOCH, &e->epoch);
    return err;
}

/* Never 0. */
static int random_number(uint64_t *ret_number)
{
    do {
        if (getrandom(ret_number, sizeof(*ret_number), 0) !=
            sizeof(*ret_number))
            return EIO;
    } while (*ret_number == 0);
    return 0;
}

static int write_meta(struct store_env *e, MDB_txn *txn)
{
    int rc = random_number(&e->store_id);

    if (rc == 0)
        rc = random_number(&e->epoch);
    if (rc == 0)
        rc = put_number(e, txn, META_STORE_ID, e->store_id);
    if (rc == 0)
        rc = put_number(e, txn, META_EPOCH, e->epoch);
    if (rc == 0)
        rc = put_number(e, txn, META_COUNTED, 0);
    if (rc == 0)
        rc = put_number(e, txn, META_CREATED, (uint64_t)clock_real_us());
    if (rc == 0)
        rc = put_number(e, txn, META_FORMAT, SCHEMA_FORMAT);
    if (rc == 0)
        e->format = SCHEMA_FORMAT;
    return rc;
}

enum store_err store_put_format(struct store_env *e, MDB_txn *txn)
{
    return e->format == SCHEMA_FORMAT
               ? STORE_OK
               : store_from_mdb(
                     put_number(e, txn, META_FORMAT, SCHEMA_FORMAT));
}

/* Opens a store that is complete without writing, so that it opens even when map
 * or disk is full. NOTFOUND: something is missing. */
static enum store_err open_complete(struct store_env *e)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return store_from_mdb(rc);
    rc = open_databases(e, txn, 0);
    const enum store_err err =
        rc == 0 ? read_meta(e, txn) : store_from_mdb(rc);
    if (err == STORE_OK)
        return store_from_mdb(mdb_txn_commit(txn)); /* keeps the handles */
    mdb_txn_abort(txn);
    return err;
}

/* Creates what is missing: everything, or the databases that a newer version
 * added. */
static enum store_err create_missing(struct store_env *e)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->env, NULL, 0, &txn);

    if (rc != 0)
        return store_from_mdb(rc);
    rc = open_databases(e, txn, MDB_CREATE);
    enum store_err err = rc == 0 ? read_meta(e, txn) : store_from_mdb(rc);
    if (err == STORE_NOTFOUND)
        err = store_from_mdb(write_meta(e, txn));
    if (err == STORE_OK)
        return store_from_mdb(mdb_txn_commit(txn));
    mdb_txn_abort(txn);
    return err;
}

/* When a writer was killed after LMDB had written a meta page, but before the lock
 * file said so, and a reading process kept the lock file in use, new snapshots are
 * one transaction behind until the next write transaction takes over the dead
 * writer's mutex. So begin one before anybody reads the head: otherwise streams
 * would go live at too low an id, and the next append would find its id taken. */
static enum store_err inherit_last_commit(struct store_env *e)
{
    MDB_txn *txn;
    const int rc = mdb_txn_begin(e->env, NULL, 0, &txn);

    if (rc == 0)
        mdb_txn_abort(txn);
    return store_from_mdb(rc);
}

enum store_err databases_open(struct store_env *e)
{
    if (!e->read_only) {
        const enum store_err inherited = inherit_last_commit(e);
        if (inherited != STORE_OK)
            return inherited;
    }
    atomic_store(&e->has_clock_steps,
                 true); /* until the writer has read them */
    const enum store_err err = open_complete(e);

    return err == STORE_NOTFOUND && !e->read_only ? create_missing(e) : err;
}

enum store_err databases_new_epoch(struct store_env *e)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->env, NULL, 0, &txn);

    if (rc != 0)
        return store_from_mdb(rc);
    rc = random_number(&e->epoch);
    if (rc == 0)
        rc = put_number(e, txn, META_EPOCH, e->epoch);
    if (rc == 0)
        return store_from_mdb(mdb_txn_commit(txn));
    mdb_txn_abort(txn);
    return store_from_mdb(rc);
}

enum store_err store_clock_steps_in(struct store_env *e, MDB_txn *txn,
                                    struct clock_steps *ret_steps)
{
    static char name[] = META_CLOCK_STEPS;
    MDB_val key = {sizeof(name) - 1, name}, row;

    ret_steps->count = 0;
    const int rc = mdb_get(txn, e->db.meta, &key, &row);
    if (rc == MDB_NOTFOUND)
        return STORE_OK;
    if (rc != 0)
        return store_from_mdb(rc);
    if (row.mv_size % sizeof(ret_steps->step[0]) != 0 ||
        row.mv_size > sizeof(ret_steps->step))
        return STORE_CORRUPT;
    memcpy(ret_steps->step, row.mv_data, row.mv_size);
    ret_steps->count = (unsigned)(row.mv_size / sizeof(ret_steps->step[0]));
    return STORE_OK;
}

enum store_err store_seen_in(struct store_env *e, MDB_txn *txn,
                             int64_t *ret_seen_us)
{
    uint64_t seen_us = 0;
    const enum store_err err = get_number(e, txn, META_PING, &seen_us);

    *ret_seen_us = (int64_t)seen_us;
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

enum store_err store_head_in(struct store_env *e, MDB_txn *txn,
                             uint64_t *ret_head)
{
    MDB_cursor *cursor;
    MDB_val key, row;
    uint64_t last = 0, removed = 0;

    int rc = mdb_cursor_open(txn, e->db.log, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    rc = mdb_cursor_get(cursor, &key, &row, MDB_LAST);
    if (rc == 0)
        memcpy(&last, key.mv_data, sizeof(last));
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return store_from_mdb(rc);
    const enum store_err err = get_number(e, txn, META_HEAD, &removed);
    if (err != STORE_OK && err != STORE_NOTFOUND)
        return err;
    *ret_head = last > removed ? last : removed;
    return STORE_OK;
}
