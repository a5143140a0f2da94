/* Shapes of filters: at which levels they have `+`. What a topic costs in the
 * subscription index grows with the shapes of the filters it may match, not with
 * their number, so shapes are counted, and bounded, per owner.
 *
 * The owner of a filter is its first level, a token; of `$events/<token>/…` the
 * first two, so that no tenant can use up what another one may have. `+` in an
 * owner makes no shape: it is an owner of its own.
 *
 * Threads: one worker's or streamer's, or under a mutex. */
#ifndef CONFAB_BASE_FILTER_SHAPE_H
#define CONFAB_BASE_FILTER_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/slice.h"
#include "base/topic.h"

/* All there are of filters with seven levels below their owner. Applications
 * have a handful. */
#define FILTER_SHAPES_MAX 128

struct filter_outline {
    size_t owner_len; /* bytes of the filter that are its owner's levels */
    bool has_plus;    /* behind them; if not, it needs no shape */
    uint8_t
        plus[(TOPIC_LEVELS_MAX + 7) / 8]; /* a bit per level of the filter */
};

struct filter_shape;

/* Those of one owner. All zero: none. */
struct filter_shapes {
    LIST_HEAD(, filter_shape) list;
    uint32_t count;
};

/* `filter` is valid (base/topic.h). Pure. */
void filter_outline(struct slice filter, struct filter_outline *ret);

/* Whether a filter like that may be added; `s` NULL: its owner has none yet. */
bool filter_shapes_take(const struct filter_shapes *s,
                        const struct filter_outline *o);
/* Counts one filter more (has_plus). NULL: out of memory, or one shape too many.
 * `s` stays at its address until the last shape is given back. */
struct filter_shape *filter_shape_get(struct filter_shapes *s,
                                      const struct filter_outline *o);
void filter_shape_put(struct filter_shape *shape); /* NULL is fine */
void filter_shapes_release(struct filter_shapes *s);

#endif
