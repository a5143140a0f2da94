#include "store/write/commit_stats.h"

#include <stdlib.h>

bool commit_stats_init(struct commit_stats *s)
{
    s->sums = (struct writer_stats){.accepting = true};
    return pthread_mutex_init(&s->mutex, NULL) == 0;
}

void commit_stats_release(struct commit_stats *s)
{
    pthread_mutex_destroy(&s->mutex);
}

void commit_stats_add(struct commit_stats *s, const struct writer_stats *more,
                      int64_t latency_us)
{
    struct writer_stats *sums = &s->sums;

    pthread_mutex_lock(&s->mutex);
    sums->accepting = more->accepting;
    sums->appended += more->appended;
    sums->events += more->events;
    sums->refused += more->refused;
    sums->trimmed += more->trimmed;
    sums->sessions_expired += more->sessions_expired;
    if (more->last_commit_us != 0) {
        sums->last_commit_us = more->last_commit_us;
        s->latency_us[sums->commits++ % COMMIT_LATENCIES] =
            latency_us > UINT32_MAX ? UINT32_MAX : (uint32_t)latency_us;
    }
    pthread_mutex_unlock(&s->mutex);
}

static int compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void commit_stats_read(struct commit_stats *s, struct writer_stats *ret_stats)
{
    uint32_t sorted[COMMIT_LATENCIES];

    pthread_mutex_lock(&s->mutex);
    *ret_stats = s->sums;
    memcpy(sorted, s->latency_us, sizeof(sorted));
    pthread_mutex_unlock(&s->mutex);

    const size_t n = ret_stats->commits < COMMIT_LATENCIES
                         ? (size_t)ret_stats->commits
                         : COMMIT_LATENCIES;
    if (n == 0)
        return;
    qsort(sorted, n, sizeof(sorted[0]), compare_u32);
    ret_stats->commit_p50_us = sorted[n / 2];
    ret_stats->commit_p99_us = sorted[n * 99 / 100];
}
