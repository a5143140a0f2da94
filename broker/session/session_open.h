/* From an accepted CONNECT to its session: a new one, or the stored one of
 * an earlier connection, with its subscriptions and messages in flight.
 *
 * CONNACK for a stored session waits until its row is on disk. By then the
 * last session with the same identity has ended, too: its final save was
 * submitted earlier, and the writer keeps the order. */
#ifndef CONFAB_BROKER_SESSION_SESSION_OPEN_H
#define CONFAB_BROKER_SESSION_SESSION_OPEN_H

#include "broker/client/connection.h"

/* c has its identity, its will and c->session_expiry_s.
 * had_stored: the connection it took over had a stored session, or was about
 * to. Calls `ready` in the same thread, at once or later, unless the
 * connection was closed: then send CONNACK and open it. On failure closes
 * the connection, or calls `refuse`. */
struct session_open_calls {
    void (*ready)(struct connection *c, bool present);
    void (*refuse)(struct connection *c, uint8_t reason, const char *text);
};
void session_open(struct connection *c, bool clean, bool had_stored,
                  const struct session_open_calls *calls);

/* Call it after CONNACK was queued: sends what was in flight again, then
 * catches up. */
void session_resume(struct connection *c);

#endif
