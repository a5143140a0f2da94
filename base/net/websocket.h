/* WebSocket framing (RFC 6455), server side, for MQTT: the payload of all
 * binary frames is one byte stream, and frames and packets need not begin
 * together (MQTT-6.0.0-2).
 *
 * No sockets: bytes in, bytes out. transport.h reads and writes them.
 * Memory: a fixed size. Payload is passed on as it arrives, so the announced
 * length of a frame costs nothing. Of several unanswered pings only the last
 * is answered (RFC 6455 §5.5.3). */
#ifndef CONFAB_BASE_NET_WEBSOCKET_H
#define CONFAB_BASE_NET_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* RFC 6455 §7.4.1 */
#define WEBSOCKET_NORMAL 1000
#define WEBSOCKET_PROTOCOL_ERROR 1002
#define WEBSOCKET_UNSUPPORTED_DATA 1003 /* MQTT-6.0.0-1: a text frame */

struct websocket;

struct websocket *websocket_new(void);    /* NULL: out of memory */
void websocket_free(struct websocket *s); /* NULL is fine */

/* ---- from the client */

/* Decodes the next `len` bytes of the connection; moves their payload to the
 * beginning of `bytes` and returns its length, which may be 0. -1: protocol
 * violation, see websocket_error(); a close frame with its code is waiting
 * to be sent, and nothing may be decoded afterwards. */
ssize_t websocket_decode(struct websocket *s, char *bytes, size_t len);
/* The client's close frame has arrived, and its answer is waiting to be
 * sent; the client sends nothing more. */
bool websocket_is_closed(const struct websocket *s);
const char *websocket_error(const struct websocket *s); /* static */

/* ---- to the client: payload goes from the caller's memory to the socket,
 * behind a frame header made here */

/* What to send next: *ret_head (control frames and the header of a data
 * frame, borrowed until the next call), then *ret_payload bytes of the
 * payload. If no frame is open, begins one for all bytes `offered`; these
 * are then announced and must be offered first in the next call. Both 0:
 * nothing to send. */
size_t websocket_next(struct websocket *s, size_t offered,
                      const uint8_t **ret_head, size_t *ret_payload);
/* n of those bytes were sent; returns how many of these were payload. */
size_t websocket_sent(struct websocket *s, size_t n);
/* Queues a close frame, once; nothing is sent after it. */
void websocket_close(struct websocket *s, uint16_t code);
/* Control frames, or parts of a header, are waiting to be sent. */
bool websocket_owes(const struct websocket *s);
/* The close frame has been sent. */
bool websocket_has_closed(const struct websocket *s);

#endif
