/* The text of WebSocket's opening handshake (RFC 6455 §4.2): pure functions
 * on header values. */
#ifndef CONFAB_BASE_NET_UPGRADE_H
#define CONFAB_BASE_NET_UPGRADE_H

#include <stdbool.h>

#include "base/slice.h"

#define UPGRADE_VERSION "13"
#define UPGRADE_ACCEPT_SIZE 29 /* with its NUL */

/* Whether `word` is in the comma-separated list, as "Upgrade" in
 * "keep-alive, Upgrade". any_case: ignores case, as RFC 9110 says for
 * everything but the names of subprotocols. */
bool upgrade_lists(struct slice list, const char *word, bool any_case);

/* Whether it is a Sec-WebSocket-Key: 16 bytes in base64. */
bool upgrade_key_valid(struct slice key);
/* The Sec-WebSocket-Accept for that key. false: out of memory. */
bool upgrade_accept(struct slice key, char ret_accept[UPGRADE_ACCEPT_SIZE]);

#endif
