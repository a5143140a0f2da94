/* Connections that can be closed to free slots when limits.connections is
 * reached. First those that were sent a DISCONNECT; then those that have not
 * identified themselves (a plain socket, an unfinished TLS or WebSocket
 * handshake, half a CONNECT), the longest wait first. So sockets without a
 * client keep no client out, and clients are bounded by their plans.
 * accept/make_room.h closes them.
 *
 * Threads:  the worker's. */
#ifndef CONFAB_BROKER_CLIENT_SPARE_H
#define CONFAB_BROKER_CLIENT_SPARE_H

struct connection;
struct worker;

void spare_init(struct worker *w);

/* The connection waits for its client; or it is ending, and then goes to the
 * front. Does nothing for a connection without a slot. */
void spare_enter(struct connection *c);
/* It is a client now, or leaves the worker. Does nothing if it is not in the
 * list. */
void spare_leave(struct connection *c);

#endif
