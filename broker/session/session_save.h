/* Saves stored sessions (client/stored_session.h).
 *
 * A save is a snapshot of the position and of everything in flight at the
 * same moment, so that every message behind the position is in it. A session
 * has one save in progress at a time.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_SESSION_SESSION_SAVE_H
#define CONFAB_BROKER_SESSION_SESSION_SAVE_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct worker;

/* Call it at the end of a turn: saves what is urgent, or everything (`all`). */
void session_save_turn(struct worker *w, bool all);

/* The last save, when the connection or the server ends. expiry 0 deletes
 * the session. will_due_us: when the will it keeps must be published; 0:
 * none. Nothing is delivered to the session afterwards. Call it once. */
void session_save_last(struct connection *c, int64_t will_due_us);

#endif
