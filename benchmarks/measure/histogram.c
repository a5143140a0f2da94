#include "benchmarks/measure/histogram.h"

enum { BUCKETS = HISTOGRAM_STEPS * HISTOGRAM_DOUBLINGS, STEP_BITS = 6 };

static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_STEPS)
        return (unsigned)ns;

    const unsigned shift = 63U - (unsigned)__builtin_clzll(ns) - STEP_BITS;
    const uint64_t step = (ns >> shift) - HISTOGRAM_STEPS;
    const uint64_t bucket = (shift + 1ULL) * HISTOGRAM_STEPS + step;

    return bucket < BUCKETS ? (unsigned)bucket : BUCKETS - 1;
}

static int64_t upper_edge(unsigned bucket)
{
    if (bucket < HISTOGRAM_STEPS)
        return bucket;

    const unsigned shift = bucket / HISTOGRAM_STEPS - 1;
    const uint64_t step = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;

    return (int64_t)(((step + 1) << shift) - 1);
}

void histogram_add(struct histogram *h, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    if (ns > h->max_ns)
        h->max_ns = ns;
    h->count++;
    h->buckets[bucket_of((uint64_t)ns)]++;
}

double histogram_us(const struct histogram *h, double q)
{
    const double wanted = q * (double)h->count;
    uint64_t seen = 0;

    if (h->count == 0)
        return 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            const int64_t edge = upper_edge(i);
            return (double)(edge < h->max_ns ? edge : h->max_ns) / 1e3;
        }
    }
    return (double)h->max_ns / 1e3;
}
