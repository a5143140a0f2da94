/* One msgpack map of names and values, as administrators' commands have for a
 * body (base/vocabulary.h). The members are counted while they are written, so
 * that what is left out needs no sum beforehand.
 *
 *     struct map_writer m = map_begin(&out);
 *     map_str(&m, "token", token);
 *     map_uint(&m, "reads", reads);
 *     map_end(&m);
 *
 * At most MAP_MEMBERS members, which is an assertion. A failed allocation is the
 * buffer's to remember (buffer_ok()). */
#ifndef CONFAB_BASE_MSGPACK_MAP_H
#define CONFAB_BASE_MSGPACK_MAP_H

#include <stdint.h>

#include "base/buffer.h"

#define MAP_MEMBERS 15 /* of a fixmap, whose head is one byte */

struct map_writer {
    struct buffer *out; /* borrowed */
    /* private */
    size_t head; /* where the map begins */
    unsigned count;
};

struct map_writer map_begin(struct buffer *out);
void map_str(struct map_writer *m, const char *name, struct slice value);
/* Nothing at all where text is NULL. */
void map_text(struct map_writer *m, const char *name, const char *text);
void map_uint(struct map_writer *m, const char *name, uint64_t value);
void map_int(struct map_writer *m, const char *name, int64_t value);
/* 1, or nothing at all. */
void map_yes(struct map_writer *m, const char *name, bool yes);
void map_end(struct map_writer *m);

#endif
