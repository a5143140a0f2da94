/* Saves of stored sessions (client/stored_session.h).
 *
 * A save is a snapshot: position and everything in flight at the same moment, so
 * that no message is neither before the position nor in flight. One at a time
 * per session.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_SESSION_SESSION_SAVE_H
#define CONFAB_BROKER_SESSION_SESSION_SAVE_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct worker;

/* The worker's end of turn: saves what is urgent; `all`: everything. */
void session_save_turn(struct worker *w, bool all);

/* The connection ends, or the server: the last save. expiry 0 deletes it all.
 * will_due_us: when the will that it keeps is to be published; 0: it keeps none.
 * The session is not delivered to any more. Once. */
void session_save_last(struct connection *c, int64_t will_due_us);

#endif
