/* Walking a whole store, to find what a disk, a cable or a bug has damaged: every
 * page, every row and its checksum, and whether rows agree with each other
 * (store/format/schema.h). Reads only, without LMDB's trees (check_pages.h). While a
 * server runs on the folder it looks at the snapshot of that moment.
 *
 * Memory: about 300 bytes per thing and 50 per session. Blocks on disk; any
 * thread. */
#ifndef CONFAB_STORE_CHECK_H
#define CONFAB_STORE_CHECK_H

#include "store/store.h"

struct store_check {
    /* A sentence without a line's end. At most CHECK_PROBLEMS_MAX are told. */
    void (*problem)(void *arg, const char *text);
    /* Pages read of those in the file, free ones included; may be NULL. */
    void (*progress)(void *arg, uint64_t pages, uint64_t of);
    void *arg;

    /* results */
    uint64_t problems; /* told or not */
    uint64_t pages, entries, things, tokens, sessions;
    uint64_t unchecked; /* entries of the log without a checksum: written by
                           versions that made none */
};
#define CHECK_PROBLEMS_MAX 1000

/* OK: it was walked, c->problems says how it is. Else it could not be: NOTFOUND,
 * ACCESS, NOMEM, IO; *ret_detail as store_open() has it. */
enum store_err store_check(const char *dir, struct store_check *c,
                           int *ret_detail);

#endif
