/* From an accepted CONNECT to its session: a new one, or the stored one of an
 * earlier connection with its subscriptions and what is in flight.
 *
 * CONNACK of a stored session waits until its row is on disk. So does the end of
 * the last session of that identity: its final save was submitted before, and the
 * writer keeps the order. */
#ifndef CONFAB_BROKER_SESSION_SESSION_OPEN_H
#define CONFAB_BROKER_SESSION_SESSION_OPEN_H

#include "broker/client/connection.h"

/* c has its identity, its will and c->session_expiry_s.
 * had_stored: the connection it took over had, or was about to have, a stored
 * session. `ready` is called in the same thread, at once or later, unless the
 * connection was closed: send CONNACK and open it. Closes or refuses with
 * `refuse` where that cannot be. */
struct session_open_calls {
    void (*ready)(struct connection *c, bool present);
    void (*refuse)(struct connection *c, uint8_t reason, const char *text);
};
void session_open(struct connection *c, bool clean, bool had_stored,
                  const struct session_open_calls *calls);

/* After CONNACK was queued: sends again, then catches up. */
void session_resume(struct connection *c);

#endif
