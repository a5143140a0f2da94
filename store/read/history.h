/* A history walk id by id, for catch-up, which merges several of them. */
#ifndef CONFAB_STORE_READ_HISTORY_H
#define CONFAB_STORE_READ_HISTORY_H

#include "store/store.h"

/* The id the walk gives next, without reading its record: since_us and until_us
 * say where it starts, but do not leave out single ids. Asking again gives the
 * same id, until it is taken. STORE_NOTFOUND: no more. */
enum store_err history_peek(struct store_reader *r, struct history *h,
                            uint64_t *ret_id);
void history_take(struct history *h); /* the id peeked at */

#endif
