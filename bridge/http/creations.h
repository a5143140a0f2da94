/* How many tokens a client address has created in its hour
 * (tokens.create_per_hour). IPv6 clients count by /64: they own all of it.
 * Bounded; any thread. */
#ifndef CONFAB_BRIDGE_HTTP_CREATIONS_H
#define CONFAB_BRIDGE_HTTP_CREATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct creations;

struct creations *creations_new(uint64_t per_hour); /* 0: no limit */
void creations_free(struct creations *cs);

/* Counts one. false: limit reached; *ret_retry_s until the hour is over. */
bool creations_take(struct creations *cs, struct slice address, int64_t now_us,
                    uint32_t *ret_retry_s);
/* The one taken came to nothing. */
void creations_give_back(struct creations *cs, struct slice address);

#endif
