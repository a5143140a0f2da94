/* Checks JSON by RFC 8259's grammar and nothing else. Numbers of any size,
 * \u0000 and lone surrogate escapes are valid; raw invalid UTF-8, raw control
 * characters in strings, a BOM and trailing bytes are not. Pure, one pass, no
 * recursion, no allocation; any thread. */
#ifndef CONFAB_BASE_JSON_H
#define CONFAB_BASE_JSON_H

#include <stddef.h>

#include "base/slice.h"

#define JSON_DEPTH_MAX 512 /* nesting of arrays and objects */

enum json_type {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

struct json_error {
    size_t at;        /* byte offset, 0-based, of the first offending byte */
    const char *text; /* static: "expected ':' after a name", … */
};

/* true: one complete value (white space around it allowed); *ret_type is its
 * outermost type. false: *ret_error says where and why. Either may be NULL. */
bool json_check(const void *data, size_t len, enum json_type *ret_type,
                struct json_error *ret_error);

#endif
