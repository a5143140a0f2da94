/* Between connection.c, the life of connections, and connection_input.c and
 * connection_output.c, their two directions. */
#ifndef CONFAB_BROKER_CLIENT_CONNECTION_PRIVATE_H
#define CONFAB_BROKER_CLIENT_CONNECTION_PRIVATE_H

#include "broker/client/shard.h"

/* libev callbacks; io->data is the connection. */
void connection_on_readable(struct ev_loop *loop, ev_io *io, int events);
void connection_on_writable(struct ev_loop *loop, ev_io *io, int events);

/* The end of the socket; of the connection, when its commands are back. */
void connection_finish(struct connection *c);
void connection_forget_behind(struct connection *c);

#endif
