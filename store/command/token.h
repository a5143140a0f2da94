/* What commands about tokens take (store/command.h). Slices are borrowed until
 * done(). */
#ifndef CONFAB_STORE_COMMAND_TOKEN_H
#define CONFAB_STORE_COMMAND_TOKEN_H

#include <stdint.h>

#include "base/slice.h"

/* COMMAND_TOKEN_CREATE. EXISTS: there is one, or was. Of an operation. */
struct token_create {
    struct slice token;
    struct slice plan; /* empty: the default of the store's settings */
};

/* COMMAND_TOKEN_SET: another plan. */
struct token_set {
    struct slice token;
    struct slice plan;
};

/* COMMAND_TOKEN_REVOKE: offers a `revoked` event. repeated: it was already. */
struct token_revoke {
    struct slice token;
};

/* COMMAND_TOKEN_DELETE: revokes it, then removes a part of what is stored under it,
 * at last itself (store/write/erase.h). Results in `removed` and `more`. */
struct token_delete {
    struct slice token;
};

/* COMMAND_USAGE: reads of this window of an hour that HTTP has answered.
 * Results in `remaining`. */
struct token_reads {
    struct slice token;
    int64_t window_start_us;
    uint64_t reads;
};

#endif
