/* The clock all figures come from: monotonic, nanoseconds. */
#ifndef CONFAB_BENCHMARKS_MEASURE_INSTANT_H
#define CONFAB_BENCHMARKS_MEASURE_INSTANT_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL
#define NS_PER_US 1000LL

static inline int64_t instant_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

#endif
