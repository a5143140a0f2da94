/* Removing the oldest messages of a thing (store/format/schema.h, trim and emptied).
 * Hidden at once, whatever the number; log entries and chunk rows deleted with
 * them as far as the transaction's budget goes, the rest in later steps: the
 * topic then has a row in `trims`, which a crash does not lose. */
#ifndef CONFAB_STORE_WRITE_TRIM_H
#define CONFAB_STORE_WRITE_TRIM_H

#include "store/write/chunk_walk.h"
#include "store/write/transaction.h"

/* Removes the messages of `thing` with id ≤ through; *ret_removed of them. */
enum store_err trim_through(struct transaction *t, struct thing *thing,
                            uint64_t through, uint64_t *ret_removed);

/* Whether hidden entries of it still wait for trim_leftovers(). */
enum store_err trim_pending(struct transaction *t, struct thing *thing,
                            bool *ret_pending);

/* Deletes hidden entries that earlier transactions left, within the budget. */
enum store_err trim_leftovers(struct transaction *t);

/* The log entry, borrowed until the next write. NOTFOUND, CORRUPT. */
enum store_err log_get(struct transaction *t, uint64_t id,
                       struct record *ret_record);

#endif
