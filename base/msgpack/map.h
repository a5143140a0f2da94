/* Writes one msgpack map of names and values, the body of administrators'
 * commands (base/vocabulary.h). The members are counted while they are
 * written, so that the caller need not count optional members beforehand.
 *
 *     struct map_writer m = map_begin(&out);
 *     map_str(&m, "token", token);
 *     map_uint(&m, "reads", reads);
 *     map_end(&m);
 *
 * An assertion checks that there are at most MAP_MEMBERS members. The buffer
 * records a failed allocation (buffer_ok()). */
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
/* Writes nothing if `text` is NULL. */
void map_text(struct map_writer *m, const char *name, const char *text);
void map_uint(struct map_writer *m, const char *name, uint64_t value);
void map_int(struct map_writer *m, const char *name, int64_t value);
/* Writes 1 if `yes`, otherwise nothing. */
void map_yes(struct map_writer *m, const char *name, bool yes);
void map_end(struct map_writer *m);

#endif
