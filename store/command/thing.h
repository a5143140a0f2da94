/* What commands about things take (store/command.h). Slices are borrowed until
 * done(). */
#ifndef CONFAB_STORE_COMMAND_THING_H
#define CONFAB_STORE_COMMAND_THING_H

#include <stdint.h>

#include "base/slice.h"

/* COMMAND_TRIM: retention on demand. Results in `removed`; of an operation. */
struct thing_trim {
    struct slice topic;
    uint64_t through; /* messages up to this id */
};

/* COMMAND_THING_PURGE: removes a part of the messages it has now; at last, when none
 * came since, the thing. The first step writes the entry of kind PURGE. Results in
 * `removed` and `more`.
 *
 * With `tell`: of an operation and with an Idempotency-Key. Removes all of them at once,
 * retained ones included, or those with ids below `before`, which leaves the thing. An
 * entry of kind PURGE tells readers if there were any; where the token or the store has
 * no room for it, only subscribers to `$events` learn of it. NOT_FOUND: no such thing. */
struct thing_purge {
    struct slice topic;
    bool tell;
    uint64_t before;         /* 0: all */
    struct slice changed_by; /* the user; empty: none */
};

#endif
