/* How a stream's events are spelled on its connection: one struct stream_format
 * for each spelling, a row of STREAM_FORMATS and a file in this folder.
 *
 * Pure: each function appends whole events, with all that delimits them on the
 * wire, to a buffer, which tells of a failed allocation. Threads: any. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_STREAM_FORMAT_H
#define CONFAB_BRIDGE_STREAM_FORMAT_STREAM_FORMAT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "store/message.h"

/* X(NAME, variable). NAME numbers it: STREAM_FORMAT_NAME. */
#define STREAM_FORMATS(X)                                                     \
    X(SSE_CHUNKED, sse_chunked)         /* sse.h: HTTP/1.1 */                 \
    X(SSE_UNTIL_CLOSE, sse_until_close) /* sse.h: HTTP/1.0 */

enum stream_format_number {
#define X(NAME, variable) STREAM_FORMAT_##NAME,
    STREAM_FORMATS(X)
#undef X
        STREAM_FORMAT_COUNT
};

/* Why a stream ends. */
enum stream_end {
    STREAM_END_SHUTDOWN, /* the server stops: the reader should come back */
    STREAM_END_IDLE,     /* no event for the plan's idle_timeout */
    STREAM_END_REVOKED   /* its token was deleted */
};

/* What a stream begins with, behind the response head. */
struct stream_greeting {
    uint64_t retry_ms;        /* for this reader, jitter included; 0: none */
    uint64_t status_retry_ms; /* for who reads the event; 0: not shown */
};

/* A stored message; all borrowed. */
struct stream_message {
    struct slice token, thing, payload;
    enum payload_class payload_class;
    uint64_t id;
    int64_t at_us;
};

struct stream_format {
    enum stream_format_number number;
    void (*start)(struct buffer *b, const struct stream_greeting *g);
    void (*message)(struct buffer *b, const struct stream_message *m);
    /* Entries from…to (inclusive) are gone. cursor_id: the id the reader comes
     * back with, where its own is none of ours; 0: its own. */
    void (*gap)(struct buffer *b, uint64_t from, uint64_t to,
                uint64_t cursor_id);
    /* Keeps proxies from giving up; no event. */
    void (*ping)(struct buffer *b);
    /* Before bye(STREAM_END_IDLE). */
    void (*expired)(struct buffer *b);
    /* The last bytes, before FIN; may append nothing. */
    void (*bye)(struct buffer *b, enum stream_end why);
};

#define X(NAME, variable) extern const struct stream_format variable;
STREAM_FORMATS(X)
#undef X

#endif
