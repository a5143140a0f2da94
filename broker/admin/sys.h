/* Takes the figures of `$SYS/broker/…` (deliver/sys_values.h).
 *
 * The admin worker takes a sample every mqtt.sys_interval seconds, whether
 * anybody subscribes or not, because load averages need it.
 * Threads: sys_sample() in main before the workers start, then in the admin
 * worker. */
#ifndef CONFAB_BROKER_ADMIN_SYS_H
#define CONFAB_BROKER_ADMIN_SYS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/deliver/sys_values.h"

struct hub;

/* Totals whose rates are the load averages: sums over all workers since
 * start. */
struct sys_totals {
#define X(name, topic, total) uint64_t total;
    SYS_LOADS(X)
#undef X
};

/* The board that the hub points to, and what the sampler keeps between
 * samples. */
struct sys_sampler {
    struct sys_board board;
    int64_t started_us, sampled_us; /* monotonic */
    uint64_t clients_maximum;
    struct sys_totals totals; /* at the last sample */
    double loads[SYS_LOAD_COUNT][SYS_MINUTES_COUNT];
};

/* Sets up the sampler and lets the hub point to it and its board. false: out
 * of memory. */
bool sys_init(struct sys_sampler *s, struct hub *hub, int64_t now_us);
void sys_release(struct sys_sampler *s);

/* Takes a sample at `now_us` (monotonic), and wakes the workers if there are
 * subscribers. Opens a short read transaction. */
void sys_sample(struct hub *hub, int64_t now_us);
/* mosquitto's damping: the new load average, from `current` and a rate of
 * `rate` per minute during `elapsed_s`. */
double sys_damp(double current, double rate, double elapsed_s,
                unsigned minutes);

#endif
