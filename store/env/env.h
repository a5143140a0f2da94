/* The open environment: what the store knows about LMDB, the folder and the disk.
 * For store/ only. store/store.c opens and closes it, with the steps in
 * store/env/environment.h. Fields are set at open, unless said otherwise. */
#ifndef CONFAB_STORE_ENV_ENV_H
#define CONFAB_STORE_ENV_ENV_H

#include <lmdb.h>
#include <stdatomic.h>

#include "store/env/wall_clock.h"
#include "store/format/schema.h"

struct store_env {
    MDB_env *env;
    /* False: `meta` has no clock steps, so readers need not look. Set by the
     * writer; always true in a reading process. */
    atomic_bool has_clock_steps;
    struct schema db;
    char *dir;
    int dir_fd;
    int lock_fd; /* -1 when read_only */
    uint64_t
        soft_limit;    /* appends stop when more bytes of data.mdb are used */
    uint64_t real_map; /* soft limit + reserve of address space */
    uint64_t reserve;  /* bytes of the map above the soft limit, or above the
                            size of a file that was larger at open */
    uint64_t page_size;
    uint64_t step;         /* data.mdb is allocated ahead by this many bytes */
    uint64_t disk_reserve; /* bytes to keep allocated beyond what is used */
    uint64_t allocated;    /* writer only: bytes allocated so far */
    MDB_txn *space_txn;    /* writer only: kept for store_used(), so that it
                              always has a reader slot */
    int commit_rc; /* writer only: why the last commit failed; 0: it did not */
    uint64_t store_id, epoch;
    uint64_t format;              /* the number in `meta` */
    atomic_uint_fast64_t damaged; /* damaged rows of `log` found by readers */
    atomic_int_fast64_t
        damaged_told_us; /* monotonic; last log line about it */
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

/* Raises the format of an older store to SCHEMA_FORMAT, inside a transaction that
 * writes. The caller sets e->format once that has been committed. */
enum store_err store_put_format(struct store_env *e, MDB_txn *txn);

/* End of the last page of the last commit, in bytes: an upper bound of
 * store_used() that costs nothing. */
uint64_t store_end(struct store_env *e);
/* Bytes of the map that cannot be reused, as of the last commit: everything up to
 * the last page, less the free pages that no reader's snapshot needs. A snapshot
 * held open therefore makes this number grow with every commit. Walks the free
 * list (one page per freed transaction): call it only when store_end() is over the
 * limit.
 * ret_pinned  may be NULL; bytes of it that are free but held by a snapshot
 * txn         a read-only transaction; or NULL, in the writer's thread only. (LMDB
 *             hides the free list from write transactions. NULL is allowed while a
 *             write transaction is open.) */
enum store_err store_used(struct store_env *e, MDB_txn *txn,
                          uint64_t *ret_used, uint64_t *ret_pinned);
/* Extends data.mdb in steps until `used` (store_end() will do) plus disk_reserve
 * bytes lie in allocated blocks. Cheap when they already do. Writer only.
 * DISK_FULL. On filesystems without fallocate() it only sets the file's length. */
enum store_err store_preallocate(struct store_env *e, uint64_t used);
/* mdb_txn_commit(), which ends `txn` either way. Writer only.
 * UNCERTAIN: it failed, and may be on disk all the same. Any other error: nothing
 * of it is stored. e->commit_rc: errno or LMDB's code. */
enum store_err store_commit(struct store_env *e, MDB_txn *txn);

/* Reads inside a transaction of the caller, for the writer.
 * NOTFOUND: no such row. */
enum store_err store_thing_in(struct store_env *e, MDB_txn *txn,
                              struct slice topic,
                              struct thing_state *ret_thing);
/* Greatest id ever given; 0: none. */
enum store_err store_head_in(struct store_env *e, MDB_txn *txn,
                             uint64_t *ret_head);
/* The steps in `meta`; without any: OK, count 0. */
enum store_err store_clock_steps_in(struct store_env *e, MDB_txn *txn,
                                    struct clock_steps *ret_steps);
/* When the last writer stopped or was last alive; 0: never. */
enum store_err store_seen_in(struct store_env *e, MDB_txn *txn,
                             int64_t *ret_seen_us);

#endif
