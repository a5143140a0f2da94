/* Figures for whoever watches a server. A part of the program (broker, bridge)
 * has one registry: rows that say what is counted, and one block of slots for
 * each thread that counts. A figure is the sum of its slot over the blocks, or
 * is asked for when it is read.
 *
 * Cost:     counting is a relaxed load and store in the thread's own memory, no
 *           locked instruction (counter_add()).
 * Threads:  a registry is filled before its part's threads start, and not changed
 *           afterwards; any thread may read it. Sums are a moment old, and not of
 *           one moment.
 * Bounds:   rows are made at start, from tables of ours: no row or label ever
 *           comes from a client, a token or a thing.
 *
 * Shown three ways: as text for Prometheus (metrics_put_text()), as members of
 * `confab status` (metrics_put_json()), and as topics of $SYS, which pick single
 * values (broker/admin/sys.c). */
#ifndef CONFAB_BASE_METRICS_H
#define CONFAB_BASE_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_write.h"

enum metric_type {
    METRIC_COUNTER, /* since start; never goes down */
    METRIC_GAUGE    /* now */
};

/* How a value is kept, and written. JSON has it as it is kept, but for the last
 * two; Prometheus wants base units, and the unit at the end of the name. */
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
#define METRIC_ABSENT UINT64_MAX /* a value: it is not known, and not shown */
#define METRIC_LABELS 2

struct metric_label {
    const char *name, *value; /* name NULL: none */
};

/* All strings are static or live as long as the registry. */
struct metric {
    /* a-z, 0-9 and _; without `confab_`, the unit and `_total`, which are added.
     * Rows of one name stand next to each other and differ in their labels. NULL:
     * not for Prometheus. */
    const char *name;
    struct metric_label labels[METRIC_LABELS];
    enum metric_type type;
    enum metric_unit unit;
    uint16_t slot;
    /* Where JSON has it: member of an object, of which rows stand next to each
     * other; group NULL: of the outermost. member NULL: not in JSON. */
    const char *group, *member;
    const char *help; /* one sentence, of the first row of its name */
};

struct metrics;

/* `sample` sets the values of sampled rows, values[row]; NULL: there are none.
 * Called by any thread that reads. NULL: out of memory. */
struct metrics *metrics_new(void (*sample)(void *arg, uint64_t *values),
                            void *arg);
void metrics_free(struct metrics *m); /* NULL is fine */

/* Adds rows behind those that are there; copied, what they point to is not.
 * *ret_first: the number of the first of them; may be NULL. false: out of
 * memory. */
bool metrics_add_rows(struct metrics *m, const struct metric *rows,
                      size_t count, size_t *ret_first);
/* Adds a block of slots, borrowed for the registry's life: it stays when its
 * thread has ended, so that nothing counted is lost. false: out of memory. */
bool metrics_add_block(struct metrics *m, const _Atomic uint64_t *slots);

size_t metrics_row_count(const struct metrics *m);
/* values: room for all rows. */
void metrics_read(const struct metrics *m, uint64_t *values);

/* Prometheus's text format 0.0.4, with HELP and TYPE. Several registries make one
 * page if their names differ. */
#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
void metrics_put_text(const struct metrics *m, struct buffer *out);
/* Members of an object that the caller has begun, and ends. */
void metrics_put_json(const struct metrics *m, struct json_writer *w);

/* ---- counting: the thread that owns the slot only */

static inline void counter_add(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Of a gauge. */
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
