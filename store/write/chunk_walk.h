/* Walking the rows of `chunks`. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_CHUNK_WALK_H
#define CONFAB_STORE_WRITE_CHUNK_WALK_H

#include "store/write/transaction.h"

/* Walks the chunks of a topic that are in `chunks`, from the one that holds
 * id `from` or, when none does, the first after it. */
struct chunk_walk {
    MDB_cursor *cursor;
    struct schema_key prefix; /* name key and NUL */
    struct chunk_row chunk;
};
/* STORE_NOTFOUND: none (left). Close it before the transaction ends. */
enum store_err chunk_walk_open(struct transaction *t, struct chunk_walk *w,
                               struct slice topic, uint64_t from);
enum store_err chunk_walk_next(struct chunk_walk *w);
void chunk_walk_close(struct chunk_walk *w); /* after a failed open, too */

#endif
