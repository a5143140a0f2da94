/* A client has connected, by whatever listener: counts it, refuses it if
 * limits.connections or limits.connections_per_address say so, and attaches
 * it to the worker that accepted it.
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

/* Whether the peer of a UNIX socket has the server's uid or is root. */
bool welcome_is_our_uid(int fd);
/* Logs a line, at most one a second, however many are refused. */
void welcome_complain(struct worker *w, struct complaint *c, const char *what);

#endif
