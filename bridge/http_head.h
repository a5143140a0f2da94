/* The head of an HTTP/1 request: the request line and the fields (RFC 9112 §3,
 * §5, §6). Strict where two readers of the same bytes could see different
 * requests, tolerant of a lone LF at the end of a line. Pure. */
#ifndef CONFAB_BRIDGE_HTTP_HEAD_H
#define CONFAB_BRIDGE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define HTTP_HEAD_MAX 16384U  /* bytes of request line and fields: 431 */
#define HTTP_FIELDS_MAX 100U  /* lines: 431 */
#define HTTP_TARGET_MAX 8192U /* bytes of a request target: 414 */

/* Blanks around the value are gone. */
struct http_field {
    struct slice name, value;
};

/* Borrows from the bytes it was read from. */
struct http_head {
    struct slice method;
    struct slice
        target;  /* origin-form ("/a?b"), "*", or "" for "/": scheme and
                            authority of an absolute-form are cut off */
    bool is_1_0; /* HTTP/1.0: no chunks, no Host, closed by default */
    size_t field_count;
    struct http_field fields[HTTP_FIELDS_MAX];

    /* What the fields say about the rest. */
    bool is_chunked;
    uint64_t length; /* of the body, when it is not chunked */
    bool keeps_alive;
    bool expects_continue;
};

/* Why a request is not taken: a status and what to do about it. */
struct http_refusal {
    unsigned status;
    const char *text;
};

enum http_head_state {
    HTTP_HEAD_WHOLE,
    HTTP_HEAD_PARTIAL, /* more bytes are needed */
    HTTP_HEAD_REFUSED /* what follows cannot be understood: answer and close */
};

/* Reads a head from the start of `in`; *ret_len: its bytes. Empty lines before
 * it are skipped (RFC 9112 §2.2). A target in absolute-form replaces the value
 * of Host (§3.2.2). */
enum http_head_state http_head_parse(struct slice in, struct http_head *ret,
                                     size_t *ret_len,
                                     struct http_refusal *ret_refusal);

/* The same name, whatever the case. */
bool http_name_is(struct slice name, const char *wanted);
/* Is `word` one of a comma-separated list's, whatever the case? */
bool http_list_has(struct slice list, const char *word);

#endif
