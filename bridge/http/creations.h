/* How many tokens each client address has created in its current hour
 * (tokens.create_per_hour). IPv6 clients are counted by /64, since one client usually
 * has all of it. Bounded; any thread. */
#ifndef CONFAB_BRIDGE_HTTP_CREATIONS_H
#define CONFAB_BRIDGE_HTTP_CREATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct creations;

struct creations *creations_new(uint64_t per_hour); /* 0: no limit */
void creations_free(struct creations *cs);

/* Counts one creation. false: limit reached; *ret_retry_s: until the hour ends. */
bool creations_take(struct creations *cs, struct slice address, int64_t now_us,
                    uint32_t *ret_retry_s);
/* Takes one back, when no token was created. */
void creations_give_back(struct creations *cs, struct slice address);

#endif
