/* Walking the rows of `chunks`. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_CHUNK_WALK_H
#define CONFAB_STORE_WRITE_CHUNK_WALK_H

#include "store/write/transaction.h"

/* Walks the rows of `chunks` of one topic, from the chunk that contains id `from` or, if
 * none does, from the next one. */
struct chunk_walk {
    MDB_cursor *cursor;
    struct schema_key prefix; /* name key and NUL */
    struct chunk_row chunk;
};
/* STORE_NOTFOUND: no (more) chunk. Close it before the transaction ends. */
enum store_err chunk_walk_open(struct transaction *t, struct chunk_walk *w,
                               struct slice topic, uint64_t from);
enum store_err chunk_walk_next(struct chunk_walk *w);
void chunk_walk_close(struct chunk_walk *w); /* after a failed open, too */

#endif
