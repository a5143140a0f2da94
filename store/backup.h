/* Copying a store, and making a store from a copy.
 *
 * Threads:  any; blocks on disks for as long as the copying takes.
 * Logging:  none. */
#ifndef CONFAB_STORE_BACKUP_H
#define CONFAB_STORE_BACKUP_H

#include "store/store.h"

/* Copies the state at the time of the call into `dir`/data.mdb, without free pages,
 * while others read and write. A missing folder is created (mode 0700). The file is
 * readable by its owner alone (0600), since it holds every token, and gets its name
 * when it is complete and flushed. Meanwhile the store cannot reuse pages that become
 * free. `progress` (may be NULL) is called about once a second, from a thread of its
 * own, with the bytes written and about how many there will be.
 *  EXISTS    there is a data.mdb already: nothing is overwritten
 * *ret_detail: errno or 0. */
enum store_err store_backup(struct store *st, const char *dir,
                            void (*progress)(void *arg, uint64_t done,
                                             uint64_t total),
                            void *arg, int *ret_detail);

/* Makes a store in `dir` from the copy in `from`: checks it, and gives it a new
 * epoch. Takes the data lock. The folder may exist and belong to another user, who
 * then gets the file.
 *  EXISTS    there is a store already
 *  LOCKED    another process writes there
 *  NOTFOUND  no data.mdb in `from`
 *  CORRUPT, VERSION  the copy is no store, or one of a newer Confab */
enum store_err store_restore(const char *from, const char *dir,
                             const struct store_opts *opts,
                             void (*progress)(void *arg, uint64_t done,
                                              uint64_t total),
                             void *arg, int *ret_detail);

#endif
