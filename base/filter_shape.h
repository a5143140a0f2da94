/* The shape of a filter is the set of levels at which it has `+`. The cost of
 * matching a topic in the subscription index grows with the number of
 * different shapes of the filters it may match, not with the number of
 * filters. So shapes are counted and limited per owner.
 *
 * The owner of a filter is its first level, a token, or the first two levels
 * of `$events/<token>/…`, so that no tenant can use up the shapes of another.
 * A `+` within the owner makes no shape: such an owner is one of its own.
 *
 * Threads: belongs to one worker or streamer, or is guarded by a mutex. */
#ifndef CONFAB_BASE_FILTER_SHAPE_H
#define CONFAB_BASE_FILTER_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/slice.h"
#include "base/topic.h"

/* The number of shapes of all filters with seven levels below their owner.
 * Applications use a handful. */
#define FILTER_SHAPES_MAX 128

struct filter_outline {
    size_t owner_len; /* bytes of the filter that are its owner's levels */
    bool has_plus;    /* after the owner; if not, it needs no shape */
    uint8_t
        plus[(TOPIC_LEVELS_MAX + 7) / 8]; /* a bit per level of the filter */
};

struct filter_shape;

/* The shapes of one owner. All zero: none. */
struct filter_shapes {
    LIST_HEAD(, filter_shape) list;
    uint32_t count;
};

/* `filter` is valid (base/topic.h). Pure. */
void filter_outline(struct slice filter, struct filter_outline *ret);

/* Whether such a filter may be added; `s` NULL: its owner has no filters
 * yet. */
bool filter_shapes_take(const struct filter_shapes *s,
                        const struct filter_outline *o);
/* Counts one more filter (has_plus). NULL: out of memory, or one shape too
 * many. `s` must stay at its address until the last shape is given back. */
struct filter_shape *filter_shape_get(struct filter_shapes *s,
                                      const struct filter_outline *o);
void filter_shape_put(struct filter_shape *shape); /* NULL is fine */
void filter_shapes_release(struct filter_shapes *s);

#endif
