/* CONNECT with a key or a JWT as password (store/identity.h). Which passwords are
 * taken for one, and what the user name must be:
 *
 *     shaped like a key   its tenant, or empty
 *     shaped like a JWT   its tenant
 *     anything else       a token; the password is ignored (client/auth.h)
 *
 * A key that does not hold is refused, also where the user name is a token that
 * would have been accepted without it.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_ACCEPT_CONNECT_KEY_H
#define CONFAB_BROKER_ACCEPT_CONNECT_KEY_H

#include "base/topic.h"
#include "broker/client/connection.h"
#include "broker/client/hub.h"

/* Whether the password is shaped like a key or a JWT. */
bool connect_has_key(const struct packet_connect *p);

/* The tenant whose client it says it is: the user name, or without one that of the
 * key; empty: the key is not known. `room` is for the latter. Opens a short read
 * transaction in that case. */
struct slice connect_key_tenant(const struct hub *hub,
                                const struct packet_connect *p,
                                char room[TOKEN_MAX]);

/* Of those with connect_has_key(): a caller of caller_share(); or NULL, and what
 * CONNACK says. */
const struct caller *connect_key_caller(struct connection *c,
                                        const struct packet_connect *p,
                                        uint8_t *ret_reason,
                                        const char **ret_text);

#endif
