/* What a client's packets mean: the state machine of MQTT, a handler per packet.
 * The connection (connection.h) cuts the stream into packets, the codec
 * (packet.h) has checked their form. */
#ifndef CONFAB_BROKER_SESSION_SESSION_H
#define CONFAB_BROKER_SESSION_SESSION_H

#include "broker/client/connection.h"

/* Handles one whole packet of a connection whose CONNECT was accepted; may close
 * it. */
void session_packet(struct connection *c, const struct packet_frame *f);
/* What came is no packet. */
void session_broken(struct connection *c, const struct packet_error *error);
/* Ends the session, or leaves it to the store: its subscriptions, its will
 * (published, put off or dropped), its place among the sessions. Part of
 * connection_close(), once. */
void session_end(struct connection *c, bool with_will);
/* The server ends, while the writer still takes what has to be written. */
void session_drain(struct connection *c);

#endif
