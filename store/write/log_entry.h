/* Single entries of the log. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_LOG_ENTRY_H
#define CONFAB_STORE_WRITE_LOG_ENTRY_H

#include "store/write/transaction.h"

/* A log entry, borrowed until the next write. NOTFOUND, CORRUPT. */
enum store_err log_get(struct transaction *t, uint64_t id,
                       struct record *ret_record);
/* The same with its time as it was written, to write it again. */
enum store_err log_get_raw(struct transaction *t, uint64_t id,
                           struct record *ret_record);

/* Deletes an entry of any kind; a missing one is fine. Counts as one of the command's
 * deletions. */
enum store_err log_remove(struct transaction *t, uint64_t id);

#endif
