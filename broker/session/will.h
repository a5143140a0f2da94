/* Wills with a delay, after their connections have ended (MQTT 5 §3.1.3.2.2).
 *
 * Only stored sessions outlive a connection, so only their wills can wait; the
 * will itself is in the store and is read when it is published; here is when that
 * is. It is cancelled when the
 * client comes back to its session in time (MQTT-3.1.3-9), and published at once
 * when it comes back to a clean one: the old session ends with that.
 * In time means before it was due, not before it was published: a will without a
 * delay whose connection a crash ended is due at the start (MQTT-3.1.2-8), and so
 * is one whose delay ran out while the server was down, however soon the client
 * is back.
 * Threads: one worker's, which is the session's. */
#ifndef CONFAB_BROKER_SESSION_WILL_H
#define CONFAB_BROKER_SESSION_WILL_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/client/connection.h"

struct hub;

/* The connection ends, and the will counts: publishes it now, or arranges for it
 * to be; returns when it is due (real time, µs), 0: nothing is left to do. */
int64_t will_connection_ended(struct connection *c);

/* A CONNECT of that identity was accepted. */
void will_client_returned(struct connection *c, bool clean);

/* Those that waited when the server ended. Before the workers' threads start.
 * false: the store cannot be read, or memory. */
bool wills_load(struct hub *hub);
void wills_release(struct worker *w);

/* The worker's turn: publishes those that are due, a few at a time. */
void wills_turn(struct worker *w);

#endif
