/* Walking a history id by id, for catch-up, which merges several of them. */
#ifndef CONFAB_STORE_READ_HISTORY_H
#define CONFAB_STORE_READ_HISTORY_H

#include "store/store.h"

/* The next id of the walk, without reading its record. since_us and until_us decide
 * where the walk starts, but single ids outside of them are not skipped. Returns the
 * same id again until history_take(). STORE_NOTFOUND: no more. */
enum store_err history_peek(struct store_reader *r, struct history *h,
                            uint64_t *ret_id);
void history_take(struct history *h); /* consumes the id of history_peek() */

#endif
