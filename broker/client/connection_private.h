/* Shared by connection.c (a connection's life), connection_input.c and
 * connection_output.c. */
#ifndef CONFAB_BROKER_CLIENT_CONNECTION_PRIVATE_H
#define CONFAB_BROKER_CLIENT_CONNECTION_PRIVATE_H

#include "broker/client/shard.h"

/* libev callbacks; io->data is the connection. */
void connection_on_readable(struct ev_loop *loop, ev_io *io, int events);
void connection_on_writable(struct ev_loop *loop, ev_io *io, int events);

/* Closes the socket, and frees the connection once the writer has answered
 * its commands. */
void connection_finish(struct connection *c);
void connection_forget_behind(struct connection *c);

#endif
