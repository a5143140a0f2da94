/* A client has come in, by whatever way: it is counted, refused where
 * limits.connections or limits.connections_per_address say so, and put on the
 * worker that accepted it.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_ACCEPT_WELCOME_H
#define CONFAB_BROKER_ACCEPT_WELCOME_H

#include <stdbool.h>
#include <sys/socket.h>

#include "broker/accept/listener.h"

struct complaint;

/* Takes `fd`, non-blocking; at: the client's address. */
void welcome_client(struct worker *w, int fd,
                    const struct sockaddr_storage *at,
                    enum listener_kind kind);

/* The peer of a UNIX socket is ours: our uid or root. */
bool welcome_is_our_uid(int fd);
/* A line of the log: at most one a second, however many are turned away. */
void welcome_complain(struct worker *w, struct complaint *c, const char *what);

#endif
