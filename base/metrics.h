/* Metrics for the monitoring of a server. Each part of the program (broker,
 * bridge) has one registry: rows that describe the metrics, and one block of
 * slots for each thread that counts. A value is the sum of its slot over all
 * blocks, or is sampled when it is read.
 *
 * Cost:     counting is a relaxed load and store in the thread's own memory,
 *           no locked instruction (counter_add()).
 * Threads:  rows are added before anybody reads, blocks by any thread at any
 *           time; any thread may read. Sums may be slightly out of date, and
 *           different sums may be from different moments.
 * Bounds:   rows are created at start from tables in the program: no row or
 *           label ever comes from a client, a token or a thing.
 *
 * They are shown in three ways: as text for Prometheus (metrics_put_text()),
 * as members of `confab status` (metrics_put_json()), and as topics of $SYS,
 * which pick single values (broker/admin/sys.c). */
#ifndef CONFAB_BASE_METRICS_H
#define CONFAB_BASE_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_write.h"

enum metric_type {
    METRIC_COUNTER, /* since the start; never decreases */
    METRIC_RARE,    /* a counter of a large family: shown once it is not 0 */
    METRIC_GAUGE    /* now */
};

/* The unit in which a value is stored, and how it is written. JSON has the
 * stored value, except for the last two units; Prometheus requires base units,
 * and the unit at the end of the name. */
enum metric_unit {
    METRIC_NUMBER,
    METRIC_BYTES,
    METRIC_SECONDS,
    METRIC_MICROSECONDS, /* Prometheus: seconds with a fraction */
    METRIC_YES,          /* 0 or 1; JSON: false or true */
    METRIC_TIME          /* µs since 1970, 0: never; JSON: ISO time or null */
};

#define METRIC_SAMPLED                                                        \
    UINT16_MAX /* no slot: metrics_new()'s sample() sets it */
#define METRIC_ABSENT UINT64_MAX /* a value that is not known, and not shown */
#define METRIC_LABELS 2

struct metric_label {
    const char *name, *value; /* name NULL: none */
};

/* All strings are static or live as long as the registry. */
struct metric {
    /* a-z, 0-9 and _; without `confab_`, the unit and `_total`, which are
     * added. Rows with the same name must be adjacent and differ in their
     * labels. NULL: not for Prometheus. */
    const char *name;
    struct metric_label labels[METRIC_LABELS];
    enum metric_type type;
    enum metric_unit unit;
    uint16_t slot;
    /* The place in JSON: a member of an object; rows of one object must be
     * adjacent. group NULL: a member of the outermost object. member NULL: not
     * in JSON. */
    const char *group, *member;
    const char *help; /* one sentence, in the first row with the name */
};

struct metrics;

/* `sample` sets the values of the sampled rows, values[row], and is called in
 * each thread that reads; NULL: there are no sampled rows. Returns NULL if out
 * of memory. */
struct metrics *metrics_new(void (*sample)(void *arg, uint64_t *values),
                            void *arg);
void metrics_free(struct metrics *m); /* NULL is fine */

/* Appends rows. They are copied, but not the strings they point to. *ret_first
 * is the number of the first of them; ret_first may be NULL. false: out of
 * memory. */
bool metrics_add_rows(struct metrics *m, const struct metric *rows,
                      size_t count, size_t *ret_first);
/* Adds a block of slots, borrowed for the life of the registry: it must stay
 * when its thread has ended, so that no count is lost. Any thread. false: out
 * of memory. */
bool metrics_add_block(struct metrics *m, const _Atomic uint64_t *slots);

size_t metrics_row_count(struct metrics *m);
/* `values` has room for all rows. */
void metrics_read(struct metrics *m, uint64_t *values);

/* Prometheus's text format 0.0.4, with HELP and TYPE. Several registries can
 * be written to one page if their names differ. */
#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
void metrics_put_text(struct metrics *m, struct buffer *out);
/* Members of an object that the caller has begun, and ends. */
void metrics_put_json(struct metrics *m, struct json_writer *w);

/* ---- counting: the thread that owns the slot only */

static inline void counter_add(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* For gauges. */
static inline void counter_sub(_Atomic uint64_t *c, uint64_t n)
{
    counter_add(c, 0 - n);
}

/* Any thread. */
static inline uint64_t counter_read(const _Atomic uint64_t *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

#endif
