/* What the writer did, for /health and status. Its thread counts, any thread reads; the
 * mutex is held for a few instructions, or while 8 KiB are copied. */
#ifndef CONFAB_STORE_WRITE_COMMIT_STATS_H
#define CONFAB_STORE_WRITE_COMMIT_STATS_H

#include <pthread.h>

#include "store/write/writer.h"

#define COMMIT_LATENCIES 1024

struct commit_stats {
    pthread_mutex_t mutex;
    struct writer_stats sums; /* percentiles are computed when asked for */
    uint32_t
        latency_us[COMMIT_LATENCIES]; /* a ring, sums.commits % its size */
};

bool commit_stats_init(struct commit_stats *s); /* false: no resources */
void commit_stats_release(struct commit_stats *s);

/* Adds the counters of `more`. If the transaction wrote something, last_commit_us is set
 * and `latency_us` is the duration of its commit. */
void commit_stats_add(struct commit_stats *s, const struct writer_stats *more,
                      int64_t latency_us);
void commit_stats_read(struct commit_stats *s, struct writer_stats *ret_stats);

#endif
