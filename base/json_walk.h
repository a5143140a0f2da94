/* Walks JSON from any source that json_check() (base/json.h) has accepted.
 * In other text it may find anything, but it never reads beyond the end.
 * Pure; slices point into the text. */
#ifndef CONFAB_BASE_JSON_WALK_H
#define CONFAB_BASE_JSON_WALK_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

/* `text` without the white space around it. */
struct slice json_trim(struct slice text);

/* The next member of an object, in the order written; *at is 0 for the first
 * call. Name and value are as written, so a name has its quotes. false: no
 * more. */
bool json_next_member(struct slice object, size_t *at, struct slice *ret_name,
                      struct slice *ret_value);
/* The next element of an array; *at is 0 for the first call. false: no more. */
bool json_next_element(struct slice array, size_t *at,
                       struct slice *ret_value);

/* Whether the string, as written, is this word. Only for words that JSON
 * writes in one way (letters, digits, _); a string written with escapes
 * never matches. */
bool json_string_is(struct slice string, const char *word);
/* Appends the contents of a string as written. false: not a string, or it
 * contains half a surrogate pair, which UTF-8 cannot express. */
bool json_put_unescaped(struct buffer *b, struct slice string);
/* A whole number ≥ 0 in digits, below 2^64. false: anything else. */
bool json_read_u64(struct slice value, uint64_t *ret);

#endif
