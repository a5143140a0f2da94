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
 * came since, the thing. Results in `removed` and `more`. */
struct thing_purge {
    struct slice topic;
};

#endif
