/* How many streams are open, in all and per token. Any thread; blocks for a look-up at
 * most. */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_QUOTA_H
#define CONFAB_BRIDGE_STREAM_STREAM_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct stream_quota;

struct connection_budget;

/* Each stream takes a place in `budget` (borrowed; NULL: places are not counted), which its
 * HTTP connection had before, so it cannot be refused. NULL: out of memory. */
struct stream_quota *stream_quota_new(struct connection_budget *budget);
void stream_quota_free(struct stream_quota *q); /* NULL is fine */

/* Counts one more. false: the token's own limit is reached (0: none), or memory ran out;
 * then nothing is counted. */
bool stream_quota_take(struct stream_quota *q, struct slice token,
                       uint64_t most_of_token);
void stream_quota_give(struct stream_quota *q, struct slice token);

uint64_t stream_quota_count(struct stream_quota *q);
uint64_t stream_quota_count_of(struct stream_quota *q, struct slice token);

#endif
