/* Connections that give up their places when limits.connections are taken: those
 * that have not said who they are (a plain socket, a TLS or WebSocket handshake,
 * half a CONNECT), who waited longest first; and before all of them those to whom
 * goodbye was said. So nobody keeps clients out without being one, and clients
 * are bounded by their plans. accept/make_room.h closes them.
 *
 * Threads:  the worker's. */
#ifndef CONFAB_BROKER_CLIENT_SPARE_H
#define CONFAB_BROKER_CLIENT_SPARE_H

struct connection;
struct worker;

void spare_init(struct worker *w);

/* It waits for its client; or its end, and then it is the first to go. One that
 * has no place is not taken in. */
void spare_enter(struct connection *c);
/* It is a client now, or leaves the worker; when it is not in the list, too. */
void spare_leave(struct connection *c);

#endif
