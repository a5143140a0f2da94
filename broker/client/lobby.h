/* Connections that have not identified themselves, so that their worker is
 * unknown. They wait in an epoll set of the accepting worker, apart from
 * libev's: libev removes a descriptor from its epoll set only when the
 * descriptor is closed, so a connection that moved to another worker would
 * be in two sets. */
#ifndef CONFAB_BROKER_CLIENT_LOBBY_H
#define CONFAB_BROKER_CLIENT_LOBBY_H

#include <stdbool.h>

struct connection;
struct worker;

/* on_readable: called for a connection whose transport can continue. false:
 * no descriptor is free. */
bool lobby_open(struct worker *w, void (*on_readable)(struct connection *c));
void lobby_close(struct worker *w);

/* Waits for the events that its transport needs; call it again when these
 * change. false: the kernel is out of memory. */
bool lobby_enter(struct connection *c);
/* Does nothing if it is not in the lobby. */
void lobby_leave(struct connection *c);

#endif
