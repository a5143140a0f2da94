/* Server-Sent Events as text (WHATWG HTML §9.2.6). Pure: appends whole events
 * to a buffer, which tells of a failed allocation. Nothing that comes from
 * outside can end a line early: names of events are ours, everything else goes
 * through JSON strings or is split into `data:` lines.
 *
 * Two formats: sse_chunked for HTTP/1.1 (chunk.h), and sse_until_close for
 * HTTP/1.0, which nginx as a proxy speaks unless told otherwise. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_SSE_H
#define CONFAB_BRIDGE_STREAM_FORMAT_SSE_H

#include "bridge/stream/format/stream_format.h"

/* Keeps proxies from giving up; no client sees it. */
#define SSE_COMMENT ": keepalive\n\n"

/* `id: N`, `event: message` and the object of `GET …/latest`. */
void sse_put_message(struct buffer *b, struct slice token, struct slice thing,
                     struct slice payload, enum payload_class cls, uint64_t id,
                     int64_t at_us);

/* What every stream begins with: `retry:` (retry_ms > 0) and the status event,
 * which repeats `status_retry_ms` where that is not 0. */
void sse_put_start(struct buffer *b, uint64_t retry_ms,
                   uint64_t status_retry_ms);

/* Entries from…to (inclusive) are gone. cursor_id: where the reader goes on, as
 * the event's id, so that it comes back with an id we know; 0: none. */
void sse_put_gap(struct buffer *b, uint64_t from, uint64_t to,
                 uint64_t cursor_id);

/* Idle for too long; the server closes after it. */
void sse_put_expired(struct buffer *b);

/* `data` as one `data:` line per line of it: CR, LF and CRLF end a line. */
void sse_put_data(struct buffer *b, struct slice data);

#endif
