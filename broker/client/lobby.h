/* Connections that have not said yet who they are, and so do not know their
 * worker. They wait in an epoll set of the accepting worker's that is not
 * libev's: libev takes a descriptor out of its set only when that is closed,
 * and one that moved on would stay in two. */
#ifndef CONFAB_BROKER_CLIENT_LOBBY_H
#define CONFAB_BROKER_CLIENT_LOBBY_H

#include <stdbool.h>

struct connection;
struct worker;

/* on_readable: called for one whose transport can go on. false: no descriptor. */
bool lobby_open(struct worker *w, void (*on_readable)(struct connection *c));
void lobby_close(struct worker *w);

/* Waits there for what its transport awaits; may be called again when that
 * changes. false: no memory in the kernel. */
bool lobby_enter(struct connection *c);
void lobby_leave(struct connection *c); /* when it is not in it, too */

#endif
