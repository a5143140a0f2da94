/* Shapes (base/filter_shape.h) of the filters of a token's streams, over all streamers. The
 * cost of matching a message grows with them, so there are at most FILTER_SHAPES_MAX, as
 * with MQTT. They are counted before a stream is adopted, while its client can still be
 * told.
 *
 * Threads: any; one mutex, held for the filters of one stream. */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_SHAPES_H
#define CONFAB_BRIDGE_STREAM_STREAM_SHAPES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct stream_shapes;
struct stream_shapes_hold; /* what one stream has counted */

struct stream_shapes *stream_shapes_new(void);     /* NULL: out of memory */
void stream_shapes_free(struct stream_shapes *ss); /* NULL is fine */

/* Counts the filters of one stream, all of them below `token`, until *ret_hold is passed to
 * stream_shapes_give(). *ret_hold is NULL if no filter has a shape. false: too many shapes,
 * or out of memory; then nothing is counted. */
bool stream_shapes_take(struct stream_shapes *ss, struct slice token,
                        const struct slice *filters, size_t count,
                        struct stream_shapes_hold **ret_hold);
/* NULL is fine. */
void stream_shapes_give(struct stream_shapes *ss,
                        struct stream_shapes_hold *hold);

/* Shapes of that token now. */
size_t stream_shapes_count(struct stream_shapes *ss, struct slice token);

#endif
