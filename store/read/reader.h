/* Inside of struct store_reader, for the files of store/ that read. Every
 * function here wants a snapshot: between store_reader_begin() and _end(). */
#ifndef CONFAB_STORE_READ_READER_H
#define CONFAB_STORE_READ_READER_H

#include <pthread.h>

#include "store/env/env.h"

/* LMDB's handles are small numbers in order of opening; its own two databases
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
    uint64_t begun; /* counts snapshots */
    struct {
        MDB_cursor *cursor; /* opened at first use, then renewed */
        uint64_t begun;     /* snapshot it was renewed for */
    } cursors[READER_DATABASES];

    /* Known of this snapshot so far */
    uint64_t log_at; /* id the cursor of `log` stands at; 0: nowhere */
    bool head_known;
    uint64_t head;
    bool steps_known;
    struct clock_steps steps;
    bool trims_known;
    bool trims; /* `log` holds hidden entries */

    struct store_reader *next; /* in the pool */
};

/* Readers not in use. A mutex, held for a few instructions per acquire. */
struct reader_pool {
    struct store_env *env;
    pthread_mutex_t mutex;
    struct store_reader *idle;
    unsigned in_use;
};
/* NULL: out of memory. Free it when all of them are idle. */
struct reader_pool *reader_pool_new(struct store_env *e);
void reader_pool_free(struct reader_pool *p);

/* This database's cursor, valid in this snapshot. Its position is whoever used
 * it last; only that of `log` is kept track of, in log_at. */
enum store_err reader_cursor(struct store_reader *r, MDB_dbi dbi,
                             MDB_cursor **ret_cursor);
/* One row by its key. */
enum store_err reader_row(struct store_reader *r, MDB_dbi dbi, MDB_val key,
                          MDB_val *ret_row);

/* The time of log entry `id`, corrected (store/env/wall_clock.h). */
int64_t reader_corrected(struct store_reader *r, uint64_t id, int64_t at_us);

/* store_get() and store_next() that also give hidden entries. */
enum store_err reader_entry(struct store_reader *r, uint64_t id,
                            struct record *ret_record);
enum store_err reader_entry_after(struct store_reader *r, uint64_t after,
                                  struct record *ret_record);
/* STORE_OK: visible; STORE_NOTFOUND: hidden. */
enum store_err reader_visible(struct store_reader *r,
                              const struct record *record);

enum store_err reader_thing(struct store_reader *r, struct slice topic,
                            struct thing_state *ret_thing);

/* Every topic that `filter` matches starts with this; it has no wildcard. */
struct slice filter_prefix(struct slice filter);
/* Puts `cursor` on the first row whose name is not below `prefix` and greater
 * than `after` (empty: the first with that prefix), and tells whether its key
 * may still have the prefix. Rows may follow whose name has not: names beyond
 * SCHEMA_KEY_PREFIX are compared by the caller. */
enum store_err reader_seek_name(MDB_cursor *cursor, struct slice prefix,
                                struct slice after, MDB_val *ret_key,
                                MDB_val *ret_row);
/* The same for the row after the cursor's. */
enum store_err reader_next_name(MDB_cursor *cursor, struct slice prefix,
                                MDB_val *ret_key, MDB_val *ret_row);

#endif
