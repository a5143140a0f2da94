/* The opening handshake of a WebSocket as an HTTP answer (RFC 6455 §4.2.2), for all
 * doors that have one. */
#ifndef CONFAB_BRIDGE_HTTP_HANDSHAKE_H
#define CONFAB_BRIDGE_HTTP_HANDSHAKE_H

#include "base/net/upgrade.h"
#include "bridge/http/call.h"

/* Whether the list in this header has `word`. See upgrade_lists(). */
bool handshake_lists(const struct call *c, const char *name, const char *word,
                     bool any_case);
/* false: answered with 400, 426 or 503. `why_not` tells a client that asks for no
 * WebSocket what this path is and what to do. */
bool handshake_accept(struct call *c, const char *why_not,
                      char ret_accept[UPGRADE_ACCEPT_SIZE]);
/* Writes a 101 with the door's CORS headers, to be sent once the connection has left
 * HTTP. protocol, extension: NULL: none. more: further lines, each with its CRLF; may
 * be empty. */
void handshake_put_response(struct buffer *b, const struct call *c,
                            const char *accept, const char *protocol,
                            const char *extension, const char *more);

#endif
