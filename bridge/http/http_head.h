/* Checks of a request's head beyond those of libmicrohttpd (RFC 9112 §3, §5, §6). They
 * are strict where two readers of the same bytes could see different requests. They
 * work on what the library has read, and borrow from it. Pure. */
#ifndef CONFAB_BRIDGE_HTTP_HTTP_HEAD_H
#define CONFAB_BRIDGE_HTTP_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/slice.h"

#define HTTP_HEAD_MAX 16384U  /* bytes of request line and fields: 431 */
#define HTTP_FIELDS_MAX 100U  /* header lines: 431 */
#define HTTP_TARGET_MAX 8192U /* bytes of a request target: 414 */

/* A header line; its value is trimmed. */
struct http_field {
    struct slice name, value;
};

struct http_head {
    struct slice method;
    struct slice target;    /* origin-form ("/a?b"), "*", or "" for "/" */
    struct slice authority; /* cut off an absolute-form ("http://host/a") */
    bool is_1_0; /* HTTP/1.0: no chunks, no Host, closed by default */

    /* What the fields mean. */
    bool is_chunked;
    uint64_t length; /* of the body, unless it is chunked */
    bool expects_continue;
    bool says_close, says_keep;
    unsigned hosts, lengths, encodings; /* number of lines of each */
    unsigned
        singles; /* a bit for each header that may have one line and has it */
    size_t field_count;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* Why a request is refused: a status, and what to do about it. */
struct http_refusal {
    unsigned status;
    const char *text;
};

/* Whether a request could begin with these bytes, which may be cut off anywhere. */
bool http_head_may_begin(struct slice in);

/* Checks one head: call begin, then add for each line in order, then end. false: *ret
 * says why, and the head is refused. The host of a target in absolute-form replaces
 * the value of Host (§3.2.2). */
bool http_head_begin(struct http_head *h, struct slice method,
                     struct slice target, bool is_1_0,
                     struct http_refusal *ret);
bool http_head_add(struct http_head *h, struct slice name, struct slice value,
                   struct http_refusal *ret);
bool http_head_end(const struct http_head *h, struct http_refusal *ret);
bool http_head_keeps_alive(const struct http_head *h);

/* Compares names, ignoring case. Inline, so that the length of a literal costs
 * nothing: a request compares some fifty names. */
static inline bool http_name_is(struct slice name, const char *wanted)
{
    return name.len == strlen(wanted) &&
           strncasecmp((const char *)name.data, wanted, name.len) == 0;
}
/* Whether a comma-separated list has `word`, ignoring case. */
bool http_list_has(struct slice list, const char *word);

#endif
