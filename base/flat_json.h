/* Reads JSON written by the server: arrays, and objects whose members are not
 * objects themselves. It is not a general JSON parser (see base/json.h): in
 * text that is not JSON, or is truncated, it finds nothing. Pure; slices point
 * into the text. */
#ifndef CONFAB_BASE_FLAT_JSON_H
#define CONFAB_BASE_FLAT_JSON_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

/* The value of a member of an object, as written: `12`, `"text"`, `[…]`.
 * false: no such member. */
bool flat_json_member(struct slice object, const char *name,
                      struct slice *ret_value);
/* The next element of an array; *at is 0 for the first call. false: no
 * more. */
bool flat_json_next(struct slice array, size_t *at, struct slice *ret_value);

/* Writes a value for a terminal, without quotes. Characters that would move
 * the cursor, change the text direction or be invisible appear as JSON
 * escapes, and so does `\`. */
void flat_json_show(struct buffer *b, struct slice value);

#endif
