/* MQTT's state machine for a client: one handler per packet type. The
 * connection (connection.h) splits the input into packets, and the codec
 * (packet.h) has checked their form. */
#ifndef CONFAB_BROKER_SESSION_SESSION_H
#define CONFAB_BROKER_SESSION_SESSION_H

#include "broker/client/connection.h"

/* Handles one complete packet after CONNECT was accepted. May close the
 * connection. */
void session_packet(struct connection *c, const struct packet_frame *f);
/* Handles input that is not an MQTT packet. */
void session_broken(struct connection *c, const struct packet_error *error);
/* Ends the session, or leaves it to the store: its subscriptions, its will
 * (published, delayed or dropped) and its entry among the sessions. Part of
 * connection_close(), called once. */
void session_end(struct connection *c, bool with_will);
/* The server shuts down: saves, while the writer still accepts commands. */
void session_drain(struct connection *c);

#endif
