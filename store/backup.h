/* A copy of a store, and a store from a copy.
 *
 * Threads:  any; blocks on disks for as long as the copying takes.
 * Logging:  none. */
#ifndef CONFAB_STORE_BACKUP_H
#define CONFAB_STORE_BACKUP_H

#include "store/store.h"

/* Copies what was committed when it was called into `dir`/data.mdb, without
 * free pages, while others read and write. The folder is made when missing (mode
 * 0700), the file is for its owner alone (0600), since it holds every token, and
 * gets its name when it is complete and flushed. Meanwhile the store cannot use
 * pages again that become free. `progress` (may be NULL) is called about once a
 * second from a thread of its own, with bytes written and about how many there
 * will be.
 *  EXISTS    there is a data.mdb: nothing is overwritten
 * *ret_detail: errno or 0. */
enum store_err store_backup(struct store *st, const char *dir,
                            void (*progress)(void *arg, uint64_t done,
                                             uint64_t total),
                            void *arg, int *ret_detail);

/* Makes a store in `dir` of the copy in `from`: checks it, and gives it a new
 * epoch. With the data lock held; the folder may exist, with its own owner, who
 * gets the file.
 *  EXISTS    there is a store already
 *  LOCKED    somebody writes there
 *  NOTFOUND  no data.mdb in `from`
 *  CORRUPT, VERSION  it is no store, or one of a newer Confab */
enum store_err store_restore(const char *from, const char *dir,
                             const struct store_opts *opts,
                             void (*progress)(void *arg, uint64_t done,
                                              uint64_t total),
                             void *arg, int *ret_detail);

#endif
