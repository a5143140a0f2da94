/* Request targets: percent-decoding and queries (RFC 3986 §2.1, §3.4). Paths are decoded
 * segment by segment, so that an encoded slash stays inside its segment. Pure. */
#ifndef CONFAB_BRIDGE_HTTP_URL_H
#define CONFAB_BRIDGE_HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Decodes `in` into `out` (at least in.len bytes). false: a % without two hexadecimal
 * digits, or %00. `plus`: '+' means a blank, as in queries. */
bool url_decode(struct slice in, bool plus, char *out, size_t *ret_len);

/* The part of `*path` up to the next '/', still encoded; *path moves past the slash.
 * false: nothing left. "/a//b" has the segments "", "a", "", "b". */
bool url_next_segment(struct slice *path, struct slice *ret_segment);

/* A parameter of a query, both parts still encoded. "a&b=": a has no value, b
 * has an empty one. */
struct url_parameter {
    struct slice name, value;
    bool has_value;
};
/* The query's next parameter that has a name or a value; *query moves past it. false:
 * no more. */
bool url_next_parameter(struct slice *query, struct url_parameter *ret);
/* Whether the parameter has this name, once decoded. */
bool url_is_named(const struct url_parameter *p, struct slice name);

/* The value of the first parameter called `name`, still encoded; empty for "a" without
 * a value. false: not there. */
bool url_query(struct slice query, const char *name, struct slice *ret_value);

#endif
