/* The open environment: what LMDB, the folder and the disk know of a store. For
 * store/ only; store/store.c makes and ends it, store/env/environment.h has the
 * steps of that. Fields are set when it is opened, unless said otherwise. */
#ifndef CONFAB_STORE_ENV_ENV_H
#define CONFAB_STORE_ENV_ENV_H

#include <lmdb.h>
#include <stdatomic.h>

#include "store/env/wall_clock.h"
#include "store/format/schema.h"

struct store_env {
    MDB_env *env;
    /* Whether `meta` may have clock steps, so that readers need not look: set
     * by the writer; always in a reading process. */
    atomic_bool has_clock_steps;
    struct schema db;
    char *dir;
    int dir_fd;
    int lock_fd; /* -1 when read_only */
    uint64_t
        soft_limit;    /* bytes of data.mdb in use above which appends stop */
    uint64_t real_map; /* soft limit + reserve of address space */
    uint64_t reserve;  /* bytes of the map above what the soft limit, or a file
                          that was larger, takes */
    uint64_t page_size;
    uint64_t step;         /* bytes data.mdb is allocated ahead by at a time */
    uint64_t disk_reserve; /* bytes allocated beyond what is used */
    uint64_t allocated;    /* writer only: what store_preallocate() reached */
    MDB_txn *space_txn;    /* writer only: store_used()'s, so that it never
                              lacks a reader slot */
    int commit_rc; /* writer only: why the last commit failed; 0: not */
    uint64_t store_id, epoch;
    uint64_t format;              /* what `meta` says */
    atomic_uint_fast64_t damaged; /* rows of `log` met that cannot be read */
    atomic_int_fast64_t damaged_told_us; /* mono; when the log was told */
    bool read_only;
};

struct reader_pool; /* store/read/reader.h */

struct store {
    struct store_env env;
    struct reader_pool *readers;
};
static inline struct store_env *store_env(struct store *st)
{
    return &st->env;
}

/* A store of an earlier format becomes one of SCHEMA_FORMAT, in a transaction that
 * writes; e->format is the caller's to set once that is committed. */
enum store_err store_put_format(struct store_env *e, MDB_txn *txn);

/* End of the last page of the last commit, in bytes: an upper bound of
 * store_used() that costs nothing. */
uint64_t store_end(struct store_env *e);
/* Bytes of the map not free for reuse, as the last commit left it: last page
 * less the free-list pages that no reader's snapshot still needs. So a pinned
 * reader makes it grow with every commit. Walks the free list (one page per
 * freed transaction): ask only when store_end() is over the limit.
 * *ret_pinned (may be NULL): bytes of it that are free but for a reader's snapshot.
 * `txn`: a read-only one to look with, or NULL, in the writer's thread only (LMDB
 * hides the free list from write transactions; NULL is allowed while one is
 * open). */
enum store_err store_used(struct store_env *e, MDB_txn *txn,
                          uint64_t *ret_used, uint64_t *ret_pinned);
/* fallocate()s data.mdb in steps so that `used` (store_end() will do) plus
 * disk_reserve lies in allocated blocks. Cheap when it does already. Writer
 * only. DISK_FULL. On filesystems that cannot, the file is only made so long. */
enum store_err store_preallocate(struct store_env *e, uint64_t used);
/* mdb_txn_commit(), which ends `txn` either way. Writer only.
 * UNCERTAIN: it failed where it may be on disk all the same; any other error:
 * surely nothing of it is stored. e->commit_rc: errno or LMDB's code. */
enum store_err store_commit(struct store_env *e, MDB_txn *txn);

/* Reads inside a transaction of the caller's, for the writer.
 * NOTFOUND: no such row. */
enum store_err store_thing_in(struct store_env *e, MDB_txn *txn,
                              struct slice topic,
                              struct thing_state *ret_thing);
/* Greatest id ever given; 0: none. */
enum store_err store_head_in(struct store_env *e, MDB_txn *txn,
                             uint64_t *ret_head);
/* Those in `meta`; none: OK, count 0. */
enum store_err store_clock_steps_in(struct store_env *e, MDB_txn *txn,
                                    struct clock_steps *ret_steps);
/* When the last writer stopped or was pinged; 0: never. */
enum store_err store_seen_in(struct store_env *e, MDB_txn *txn,
                             int64_t *ret_seen_us);

#endif
