/* When something that failed is tried again. Pure: the random number is an
 * argument, so that tests choose it. */
#ifndef CONFAB_BRIDGE_OUTGOING_RETRY_H
#define CONFAB_BRIDGE_OUTGOING_RETRY_H

#include <stdint.h>

#include "base/slice.h"

struct retry_plan {
    int64_t first_ms; /* delay after the first failure; doubles each time */
    int64_t max_ms;   /* longest delay */
    int64_t retry_after_max_ms; /* longest that Retry-After can ask for */
    unsigned attempts;          /* most attempts in all, the first included */
};

#define RETRY_NEVER (-1) /* all attempts are used up */
#define RETRY_AFTER_NONE (-1)

/* Milliseconds to wait after `failed` (> 0) attempts have failed; RETRY_NEVER:
 * give up. Between half of the delay and all of it, evenly by `random`, so that
 * what failed together is not tried again together.
 * retry_after_ms  what the last answer asked for, or RETRY_AFTER_NONE: the wait is
 *                 at least that long, up to the plan's bound */
int64_t retry_delay_ms(const struct retry_plan *plan, unsigned failed,
                       int64_t retry_after_ms, uint32_t random);

/* The value of a Retry-After header (RFC 9110 §10.2.3): seconds, or a date in the
 * preferred format (IMF-fixdate). RETRY_AFTER_NONE: neither, or a date that has
 * passed. */
int64_t retry_after_parse_ms(struct slice value, int64_t now_us);

#endif
