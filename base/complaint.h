/* A line of the log about what may happen thousands of times a second: written at
 * once, then once a minute at most, with how often it was since.
 *
 * All zero to begin; one thread's. */
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

/* It happened once more, now (monotonic). true: write the line, about so many
 * times. */
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
