#include "benchmarks/load/stopwatch.h"

#include <time.h>

#include "benchmarks/measure/instant.h"

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

void stopwatch_set(struct stopwatch *s, int64_t now_ns, double warmup_s,
                   double duration_s)
{
    *s = (struct stopwatch){0};
    s->start_due_ns = now_ns + (int64_t)(warmup_s * 1e9);
    s->stop_due_ns = s->start_due_ns + (int64_t)(duration_s * 1e9);
}

void stopwatch_start(struct stopwatch *s, int64_t now_ns)
{
    s->start_ns = now_ns;
    s->cpu_start_ns = cpu_ns();
}

void stopwatch_stop(struct stopwatch *s, int64_t now_ns)
{
    s->stop_ns = now_ns;
    s->cpu_stop_ns = cpu_ns();
}

enum stopwatch_change stopwatch_tick(struct stopwatch *s, int64_t now_ns)
{
    if (s->start_ns == 0 && now_ns >= s->start_due_ns) {
        stopwatch_start(s, now_ns);
        return STOPWATCH_STARTED;
    }
    if (s->stop_ns == 0 && now_ns >= s->stop_due_ns) {
        stopwatch_stop(s, now_ns);
        return STOPWATCH_STOPPED;
    }
    return STOPWATCH_SAME;
}

double stopwatch_seconds(const struct stopwatch *s)
{
    return (double)(s->stop_ns - s->start_ns) / 1e9;
}

double stopwatch_cpu(const struct stopwatch *s)
{
    return (double)(s->cpu_stop_ns - s->cpu_start_ns) / 1e9 /
           stopwatch_seconds(s);
}
