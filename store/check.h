/* Checking a whole store for what a disk, a cable or a bug has damaged: every page,
 * every row and its checksum, and whether rows agree with each other
 * (store/format/schema.h). Only reads, and without LMDB's trees (check_pages.h). On
 * the folder of a running server it checks the snapshot of that moment.
 *
 * Memory: about 300 bytes per thing and 50 per session. Blocks on disk; any
 * thread. */
#ifndef CONFAB_STORE_CHECK_H
#define CONFAB_STORE_CHECK_H

#include "store/store.h"

struct store_check {
    /* Called with one sentence, without a newline; CHECK_PROBLEMS_MAX times at most. */
    void (*problem)(void *arg, const char *text);
    /* Pages read so far and pages in the file, free ones included; may be NULL. */
    void (*progress)(void *arg, uint64_t pages, uint64_t of);
    void *arg;

    /* results */
    uint64_t problems; /* all, also those problem() was not called for */
    uint64_t pages, entries, things, tokens, sessions;
    uint64_t
        unchecked; /* log entries without a checksum, which earlier versions
                           wrote */
};
#define CHECK_PROBLEMS_MAX 1000

/* OK: the store was checked, c->problems is the result. NOTFOUND, ACCESS, NOMEM, IO:
 * it could not be; *ret_detail as in store_open(). */
enum store_err store_check(const char *dir, struct store_check *c,
                           int *ret_detail);

#endif
