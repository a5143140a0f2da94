/* Inside of struct store_reader, for the files of store/ that read. All functions
 * here need a snapshot: call them between store_reader_begin() and _end(). */
#ifndef CONFAB_STORE_READ_READER_H
#define CONFAB_STORE_READ_READER_H

#include <pthread.h>

#include "store/env/env.h"

/* LMDB's handles are small numbers in the order of opening; LMDB's own two databases
 * have 0 and 1. */
enum {
    READER_DATABASES = 2
#define X(field, name, flags) +1
    SCHEMA_DATABASES(X)
#undef X
};

struct store_reader {
    struct store_env *env;
    struct reader_pool *pool;
    MDB_txn *txn;   /* lives as long as the reader; reset between snapshots */
    bool active;    /* has a snapshot */
    uint64_t begun; /* number of snapshots so far */
    struct {
        MDB_cursor *cursor; /* opened at first use, then renewed */
        uint64_t begun;     /* the snapshot it was last renewed for */
    } cursors[READER_DATABASES];

    /* What is known about this snapshot so far: */
    uint64_t log_at; /* id the cursor of `log` stands at; 0: nowhere */
    bool head_known;
    uint64_t head;
    bool steps_known;
    struct clock_steps steps;
    bool trims_known;
    bool trims; /* `log` holds hidden entries */
    bool changes_known;
    bool changes; /* there are entries of edits, deletions, purges */

    struct store_reader *next; /* in the pool */
};

/* Idle readers. Its mutex is held for a few instructions per acquire. */
struct reader_pool {
    struct store_env *env;
    pthread_mutex_t mutex;
    struct store_reader *idle;
    unsigned in_use;
};
/* NULL: out of memory. Free it only while all readers are idle. */
struct reader_pool *reader_pool_new(struct store_env *e);
void reader_pool_free(struct reader_pool *p);

/* This database's cursor, valid in this snapshot. Its position is where the last
 * user left it; only that of `log` is tracked, in log_at. */
enum store_err reader_cursor(struct store_reader *r, MDB_dbi dbi,
                             MDB_cursor **ret_cursor);
/* One row by its key. */
enum store_err reader_row(struct store_reader *r, MDB_dbi dbi, MDB_val key,
                          MDB_val *ret_row);

/* The time of log entry `id`, corrected (store/env/wall_clock.h). */
int64_t reader_corrected(struct store_reader *r, uint64_t id, int64_t at_us);

/* Like store_get() and store_next(), but including hidden entries. */
enum store_err reader_entry(struct store_reader *r, uint64_t id,
                            struct record *ret_record);
enum store_err reader_entry_after(struct store_reader *r, uint64_t after,
                                  struct record *ret_record);
/* STORE_OK: visible; STORE_NOTFOUND: hidden. */
enum store_err reader_visible(struct store_reader *r,
                              const struct record *record);

enum store_err reader_thing(struct store_reader *r, struct slice topic,
                            struct thing_state *ret_thing);

/* The part of `filter` before its first wildcard: all topics it matches begin so. */
struct slice filter_prefix(struct slice filter);
/* Puts `cursor` on the first row whose name is at least `prefix` and greater than
 * `after` (empty: the first with that prefix). STORE_NOTFOUND: its key cannot have
 * the prefix. A row found need not have the prefix either: keys do not show names
 * beyond SCHEMA_KEY_PREFIX, so the caller compares the name. */
enum store_err reader_seek_name(MDB_cursor *cursor, struct slice prefix,
                                struct slice after, MDB_val *ret_key,
                                MDB_val *ret_row);
/* The same for the row after the cursor's row. */
enum store_err reader_next_name(MDB_cursor *cursor, struct slice prefix,
                                MDB_val *ret_key, MDB_val *ret_row);

#endif
