/* Limits log lines about events that may happen thousands of times a second:
 * the first is logged at once, then at most one a minute, with the number of
 * events since.
 *
 * A zeroed struct is ready for use. It belongs to one thread. */
#ifndef CONFAB_BASE_COMPLAINT_H
#define CONFAB_BASE_COMPLAINT_H

#include <stdbool.h>
#include <stdint.h>

#define COMPLAINT_EVERY_US INT64_C(60000000)

struct complaint {
    bool was_made;
    int64_t made_us;
    uint64_t times;
};

/* Counts an event at this time (monotonic). true: log a line now, which stands
 * for *ret_times events. */
static inline bool complaint_due(struct complaint *c, int64_t mono_us,
                                 uint64_t *ret_times)
{
    c->times++;
    if (c->was_made && mono_us - c->made_us < COMPLAINT_EVERY_US)
        return false;
    c->was_made = true;
    c->made_us = mono_us;
    *ret_times = c->times;
    c->times = 0;
    return true;
}

#endif
