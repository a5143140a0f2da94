/* The totals that a connection is part of, from welcome_client() until it is
 * closed: the server's connections, the slots of limits.connections, and,
 * until its CONNECT is accepted, the connections of its address. Any thread. */
#ifndef CONFAB_BROKER_CLIENT_CONNECTION_COUNTS_H
#define CONFAB_BROKER_CLIENT_CONNECTION_COUNTS_H

struct connection;
struct hub;

/* Its CONNECT was accepted: from now on it counts for its token, no longer
 * for its address. Repeated calls do nothing. */
void connection_counts_identified(struct hub *hub, struct connection *c);

/* It is closed: removes it from all totals. Call it once. */
void connection_counts_closed(struct hub *hub, struct connection *c);

#endif
