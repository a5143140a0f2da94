/* Delayed wills, after their connections have ended (MQTT 5 §3.1.3.2.2).
 *
 * Only stored sessions outlive a connection, so only their wills can be
 * delayed. The will itself is in the store and read when it is published;
 * this module knows when that is. A will is cancelled if the client returns
 * to its session before the will is due (MQTT-3.1.3-9), and published at
 * once if the client starts a clean session, which ends the old one.
 * What counts is when it was due, not when it is published: a will without a
 * delay whose connection was ended by a crash is due at the restart
 * (MQTT-3.1.2-8), and so is one whose delay ran out while the server was
 * down, however soon the client returns.
 * Threads: one worker's, the session's. */
#ifndef CONFAB_BROKER_SESSION_WILL_H
#define CONFAB_BROKER_SESSION_WILL_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/client/connection.h"

struct hub;

/* The connection ended without discarding its will: publishes the will now,
 * or schedules it. Returns when it is due (wall clock, µs); 0: nothing is
 * left to do. */
int64_t will_connection_ended(struct connection *c);

/* A CONNECT with that identity was accepted. */
void will_client_returned(struct connection *c, bool clean);

/* Loads the delayed wills of the last run. Call it before the workers'
 * threads start. false: the store cannot be read, or memory is short. */
bool wills_load(struct hub *hub);
void wills_release(struct worker *w);

/* A part of the worker's turn: publishes wills that are due, a few at a
 * time. */
void wills_turn(struct worker *w);

#endif
