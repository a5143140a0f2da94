/* Walks JSON that the server wrote: arrays, and objects whose members are no
 * objects themselves. Not a parser of anybody's JSON (base/json.h): of text that
 * is not JSON, or cut off, it finds nothing. Pure; slices point into the text. */
#ifndef CONFAB_BASE_FLAT_JSON_H
#define CONFAB_BASE_FLAT_JSON_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

/* The value of that member of an object, as it is written: `12`, `"text"`,
 * `[…]`. false: there is none. */
bool flat_json_member(struct slice object, const char *name,
                      struct slice *ret_value);
/* The next element of an array; *at is 0 at first. false: no more. */
bool flat_json_next(struct slice array, size_t *at, struct slice *ret_value);

/* A value for a terminal, without quotes: characters that would move its cursor,
 * change its direction or hide are shown as JSON escapes, and so is `\`. */
void flat_json_show(struct buffer *b, struct slice value);

#endif
