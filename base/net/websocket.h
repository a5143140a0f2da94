/* WebSocket framing (RFC 6455), server side, for MQTT inside it: the payload of
 * all binary frames is one stream of bytes; where frames and packets begin and
 * end has nothing to do with each other (MQTT-6.0.0-2).
 *
 * No sockets: bytes in, bytes out. transport.h reads and writes them.
 * Memory: a fixed size. Payload is handed out as it arrives, so the length a
 * frame announces costs nothing; of several pings waiting only the last is
 * answered (RFC 6455 §5.5.3). */
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

/* Takes the next `len` bytes of the connection; their payload is moved to the
 * beginning of `bytes`. Returns its length, which may be 0, or -1: the client
 * broke a rule, websocket_error() says which, and a close frame with its code
 * waits. Nothing may be decoded after that. */
ssize_t websocket_decode(struct websocket *s, char *bytes, size_t len);
/* The client's close frame was seen, its answer waits; nothing follows. */
bool websocket_is_closed(const struct websocket *s);
const char *websocket_error(const struct websocket *s); /* static */

/* ---- to the client: payload goes from the caller's memory to the socket
 * without passing through here, behind the bytes that announce it */

/* What has to be sent next: *ret_head (borrowed until the next call; control
 * frames, the header of a data frame), then *ret_payload bytes of the payload.
 * Where no frame is open, one with all that is `offered` is begun; those bytes
 * are then promised, and offered first the next time. Both 0: nothing. */
size_t websocket_next(struct websocket *s, size_t offered,
                      const uint8_t **ret_head, size_t *ret_payload);
/* n of those bytes were sent; returns how many of them were payload. */
size_t websocket_sent(struct websocket *s, size_t n);
/* Says goodbye, once: behind it nothing is sent. */
void websocket_close(struct websocket *s, uint16_t code);
/* Control frames, or parts of a header, wait. */
bool websocket_owes(const struct websocket *s);
/* The close frame has been sent. */
bool websocket_has_closed(const struct websocket *s);

#endif
