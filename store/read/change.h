/* Entries of kinds EDIT, DELETE and PURGE (store/format/schema.h, changes). */
#ifndef CONFAB_STORE_READ_CHANGE_H
#define CONFAB_STORE_READ_CHANGE_H

#include "store/read/reader.h"

/* Gives a record that reader_entry() found what readers see of it (store/message.h):
 * nothing changes unless it is an entry about a message. STORE_NOTFOUND: the entry means
 * nothing (any more); the record is unchanged then. Moves the cursor of `log`. */
enum store_err change_resolve(struct store_reader *r, struct record *record);

/* The id of the token's next entry of such a kind with an id above `after`.
 * STORE_NOTFOUND: none. */
enum store_err change_after(struct store_reader *r, struct slice token,
                            uint64_t after, uint64_t *ret_id);

#endif
