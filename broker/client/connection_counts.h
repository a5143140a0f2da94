/* What a connection counts in, from welcome_client() until it is closed: the
 * server's connections, the places of limits.connections, and, until its CONNECT
 * is accepted, those of its address. Any thread. */
#ifndef CONFAB_BROKER_CLIENT_CONNECTION_COUNTS_H
#define CONFAB_BROKER_CLIENT_CONNECTION_COUNTS_H

struct connection;
struct hub;

/* Its CONNECT was good: it counts for its token from now on, and no longer for
 * its address. Again is fine. */
void connection_counts_identified(struct hub *hub, struct connection *c);

/* It is closed: counts it no more. Once. */
void connection_counts_closed(struct hub *hub, struct connection *c);

#endif
