/* Walks JSON of anybody's, once json_check() (base/json.h) has found it to be
 * JSON; of other text it is not said what is found, but never beyond its end.
 * Pure; slices point into the text. */
#ifndef CONFAB_BASE_JSON_WALK_H
#define CONFAB_BASE_JSON_WALK_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

/* `text` without the white space around it. */
struct slice json_trim(struct slice text);

/* The next member of an object, in its order; *at is 0 at first. Name and value
 * as they are written: a name has its quotes. false: no more. */
bool json_next_member(struct slice object, size_t *at, struct slice *ret_name,
                      struct slice *ret_value);
/* The next element of an array, likewise. */
bool json_next_element(struct slice array, size_t *at,
                       struct slice *ret_value);

/* Is the string, as written, this word? Only words that JSON writes in one way:
 * letters, digits and _. One that is spelled with escapes is none. */
bool json_string_is(struct slice string, const char *word);
/* Appends what a string, as written, says. false: it is no string, or holds
 * half of a surrogate pair, which UTF-8 cannot say. */
bool json_put_unescaped(struct buffer *b, struct slice string);
/* A whole number ≥ 0 in digits, below 2^64. false: another value. */
bool json_read_u64(struct slice value, uint64_t *ret);

#endif
