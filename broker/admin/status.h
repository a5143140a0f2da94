/* The broker's figures, as rows of broker/client/worker_counters.h: for
 * `confab status`, GET /metrics and $SYS. */
#ifndef CONFAB_BROKER_ADMIN_STATUS_H
#define CONFAB_BROKER_ADMIN_STATUS_H

#include <stdint.h>

#include "base/metrics.h"
#include "broker/client/close_reason.h"
#include "broker/client/hub.h"
#include "broker/client/worker_counters.h"

/* Rows in the order of `confab status`; values[] is indexed by them. */
enum figure {
#define ROW(field, ...) FIGURE_##field,
    BROKER_TRAFFIC(ROW, ROW, ROW, ROW)
#define X(name, text) FIGURE_DROPPED_##name,
        COUNTERS_DROPPED(X)
#undef X
#define X(name, metric, code, will, text) FIGURE_CLOSED_##name,
            CLOSE_REASONS(X)
#undef X
                BROKER_STORE(ROW, ROW)
#undef ROW
                    FIGURE_COUNT
};
#define FIGURE_FIRST_DROPPED FIGURE_DROPPED_refused
#define FIGURE_FIRST_CLOSED FIGURE_CLOSED_CLIENT

/* Reads all but uptime and mqtt_port, which are METRIC_ABSENT, as are the
 * store's figures if it cannot be read. Sums are a moment old. Any thread;
 * opens a short read transaction. */
void figures_read(const struct hub *hub, uint64_t values[FIGURE_COUNT]);

/* A registry with these rows, which calls `sample` for their values. NULL:
 * out of memory. */
struct metrics *figures_registry(void (*sample)(void *arg, uint64_t *values),
                                 void *arg);

#endif
