/* Server-Sent Events as text (WHATWG HTML §9.2.6). Pure: each function appends whole
 * events to a buffer, which notes failed allocations. No foreign text can end a line
 * early: names of events are ours, everything else is in JSON strings or split into
 * `data:` lines.
 *
 * Two formats: sse_chunked for HTTP/1.1 (chunk.h), and sse_until_close for HTTP/1.0,
 * which nginx speaks as a proxy unless configured otherwise. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_SSE_H
#define CONFAB_BRIDGE_STREAM_FORMAT_SSE_H

#include "bridge/stream/format/stream_format.h"

/* Sent so that proxies do not time out; clients do not see it. */
#define SSE_COMMENT ": keepalive\n\n"

/* `id: N`, `event: message` and the object of `GET …/latest`. */
void sse_put_message(struct buffer *b, struct slice token, struct slice thing,
                     struct slice payload, enum payload_class cls, uint64_t id,
                     int64_t at_us);

/* The beginning of every stream: `retry:` (if retry_ms > 0) and the status event, which
 * contains `status_retry_ms` if that is not 0. */
void sse_put_start(struct buffer *b, uint64_t retry_ms,
                   uint64_t status_retry_ms);

/* Entries from…to (inclusive) are gone. cursor_id becomes the event's id, so that the
 * reader comes back with an id that we know; 0: none. */
void sse_put_gap(struct buffer *b, uint64_t from, uint64_t to,
                 uint64_t cursor_id);

/* Says that the stream was idle for too long; the server closes it afterwards. */
void sse_put_expired(struct buffer *b);

/* Writes each line of `data` as a `data:` line; CR, LF and CRLF end a line. */
void sse_put_data(struct buffer *b, struct slice data);

#endif
