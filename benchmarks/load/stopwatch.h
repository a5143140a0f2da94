/* Warm-up, then the time that counts. */
#ifndef CONFAB_BENCHMARKS_LOAD_STOPWATCH_H
#define CONFAB_BENCHMARKS_LOAD_STOPWATCH_H

#include <stdint.h>

enum stopwatch_change {
    STOPWATCH_SAME,
    STOPWATCH_STARTED, /* warm-up is over: forget what was counted */
    STOPWATCH_STOPPED  /* take the figures now */
};

struct stopwatch {
    int64_t start_due_ns, stop_due_ns;
    int64_t start_ns, stop_ns; /* what really happened; 0: not yet */
    int64_t cpu_start_ns, cpu_stop_ns;
};

void stopwatch_set(struct stopwatch *s, int64_t now_ns, double warmup_s,
                   double duration_s);

/* To be called at least about every millisecond. */
enum stopwatch_change stopwatch_tick(struct stopwatch *s, int64_t now_ns);

/* What stopwatch_tick() does when the time comes; for runs that end
 * otherwise. */
void stopwatch_start(struct stopwatch *s, int64_t now_ns);
void stopwatch_stop(struct stopwatch *s, int64_t now_ns);

double stopwatch_seconds(const struct stopwatch *s);
/* Share of one core this process used: near 1 the load generator, not the
 * server, is what limits the figure. */
double stopwatch_cpu(const struct stopwatch *s);

#endif
