/* Counts of durations in buckets that grow with the value, so that a
 * percentile costs no list of samples. Values are nanoseconds; a percentile is
 * the upper edge of its bucket, at most 1.6 % above the true one.
 *
 * Not thread safe. Plain memory: zero it to begin or to begin again. */
#ifndef CONFAB_BENCHMARKS_MEASURE_HISTOGRAM_H
#define CONFAB_BENCHMARKS_MEASURE_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEPS = 64,    /* buckets per doubling */
    HISTOGRAM_DOUBLINGS = 37 /* up to 2^42 ns, 73 minutes; more is clamped */
};

struct histogram {
    uint64_t count;
    int64_t max_ns;
    uint64_t buckets[HISTOGRAM_STEPS * HISTOGRAM_DOUBLINGS];
};

void histogram_add(struct histogram *h, int64_t ns); /* below 0 counts as 0 */

/* The value that a share `q` (0 to 1) of all samples does not exceed, in
 * microseconds; 0 when there are none. */
double histogram_us(const struct histogram *h, double q);

#endif
