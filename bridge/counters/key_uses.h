/* Keys that were used and whose rows do not say so yet: collected by requests, sent to
 * the writer by the reporter's thread, many at once. It has room for KEYS_USED_MAX; what
 * finds none is collected at its next use. Threads: any; each call takes a mutex. */
#ifndef CONFAB_BRIDGE_COUNTERS_KEY_USES_H
#define CONFAB_BRIDGE_COUNTERS_KEY_USES_H

#include <stddef.h>

#include "base/secret.h"
#include "store/command/key.h"

struct key_uses; /* opaque */

struct key_uses *key_uses_new(void); /* NULL: out of memory */
void key_uses_free(struct key_uses *u);

/* Each key is kept once. */
void key_uses_add(struct key_uses *u,
                  const unsigned char hash[SECRET_HASH_BYTES]);
/* Moves all hashes out, one behind the other; returns how many. */
size_t key_uses_take(
    struct key_uses *u,
    unsigned char ret_hashes[KEYS_USED_MAX * SECRET_HASH_BYTES]);

#endif
