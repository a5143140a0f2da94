/* How many streams are open, all and per token. Any thread; never blocks for
 * longer than a look-up. */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_QUOTA_H
#define CONFAB_BRIDGE_STREAM_STREAM_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct stream_quota;

struct connection_budget;

/* Each stream holds a place in `budget` (borrowed; NULL: nobody counts), which
 * its connection had before: it is not asked for. NULL: out of memory. */
struct stream_quota *stream_quota_new(struct connection_budget *budget);
void stream_quota_free(struct stream_quota *q); /* NULL is fine */

/* Counts one more. false: over the token's own limit (0: none), or out of
 * memory; nothing is counted then. */
bool stream_quota_take(struct stream_quota *q, struct slice token,
                       uint64_t most_of_token);
void stream_quota_give(struct stream_quota *q, struct slice token);

uint64_t stream_quota_count(struct stream_quota *q);
uint64_t stream_quota_count_of(struct stream_quota *q, struct slice token);

#endif
