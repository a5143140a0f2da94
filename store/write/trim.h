/* Removing the oldest messages of a thing (store/format/schema.h, trim and emptied). They
 * are hidden at once, however many. Log entries and chunk rows are deleted in the same
 * transaction as far as its budget goes, the rest in later steps. Until then the topic has
 * a row in `trims`, so a crash does not lose that. */
#ifndef CONFAB_STORE_WRITE_TRIM_H
#define CONFAB_STORE_WRITE_TRIM_H

#include "store/write/chunk_walk.h"
#include "store/write/log_entry.h"
#include "store/write/transaction.h"

/* Removes the messages of `thing` with id ≤ through; *ret_removed: how many. */
enum store_err trim_through(struct transaction *t, struct thing *thing,
                            uint64_t through, uint64_t *ret_removed);

/* Whether hidden entries of it wait for trim_leftovers(). */
enum store_err trim_pending(struct transaction *t, struct thing *thing,
                            bool *ret_pending);

/* Deletes hidden entries that earlier transactions left, within the budget. */
enum store_err trim_leftovers(struct transaction *t);

#endif
