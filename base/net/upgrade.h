/* The opening handshake of WebSocket (RFC 6455 §4.2), as far as it is text:
 * pure functions on the values of headers. */
#ifndef CONFAB_BASE_NET_UPGRADE_H
#define CONFAB_BASE_NET_UPGRADE_H

#include <stdbool.h>

#include "base/slice.h"

#define UPGRADE_VERSION "13"
#define UPGRADE_ACCEPT_SIZE 29 /* with its NUL */

/* Is `word` in the comma separated list, as "Upgrade" in "keep-alive, Upgrade"?
 * Upper and lower case are the same where RFC 9110 says so: not in the names of
 * subprotocols (any_case false). */
bool upgrade_lists(struct slice list, const char *word, bool any_case);

/* Sec-WebSocket-Key: 16 bytes in base64. */
bool upgrade_key_valid(struct slice key);
/* Sec-WebSocket-Accept of that key; false: out of memory. */
bool upgrade_accept(struct slice key, char ret_accept[UPGRADE_ACCEPT_SIZE]);

#endif
