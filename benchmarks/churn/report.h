/* What the run has seen: figures of an interval and errors, one JSON object a
 * line on stdout. */
#ifndef CONFAB_BENCHMARKS_CHURN_REPORT_H
#define CONFAB_BENCHMARKS_CHURN_REPORT_H

#include <stdint.h>

#include "benchmarks/measure/histogram.h"

struct churn_report {
    uint64_t published;
    uint64_t acknowledged;
    uint64_t posts;     /* of these, over HTTP */
    uint64_t delivered; /* to all readers */
    uint64_t repeated;  /* allowed ones: after a lost connection */
    uint64_t replayed;  /* messages older than the reader's connection */
    uint64_t joined;    /* connections begun */
    uint64_t cut;       /* connections ended without a word */
    uint64_t errors;
    struct histogram latency; /* publish to arrival; live deliveries */
};

extern struct churn_report report; /* of the interval; errors are of the run */

/* Something the server must not do. Prints the first hundred of the run. */
void report_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints {"event":"interval",…} and begins the next one. */
void report_interval(double at_s, double seconds, unsigned readers,
                     unsigned publishers, unsigned slow);

/* Prints {"event":"<name>"}. */
void report_event(const char *name);

#endif
