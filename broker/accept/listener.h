/* Where clients come in: TCP addresses, with or without TLS, and the UNIX
 * sockets in the data folder. The sockets are opened in main; any number of
 * workers accept from them. */
#ifndef CONFAB_BROKER_ACCEPT_LISTENER_H
#define CONFAB_BROKER_ACCEPT_LISTENER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"

struct worker;

/* What is accepted there. */
enum listener_kind {
    LISTEN_PLAIN,
    LISTEN_TLS,
    LISTEN_LOCAL,    /* SOCKET_NAME: administrators may come in here */
    LISTEN_HANDOVER, /* CLIENTS_NAME: handover_listener.h */
    LISTEN_WEBSOCKET /* by a hand-over only */
};

/* Opens every address `listen` ("localhost:1883", "[::]:0") stands for, at most
 * `max`; with port 0 all get the one the first was given. false: *ret_error,
 * which names `key`. */
bool listener_open_tcp(const char *key, const char *listen, int *fds,
                       size_t max, size_t *ret_count, uint16_t *ret_port,
                       struct config_error *ret_error);

/* Opens `<dir>/<name>` with a socket of that type, replacing one nobody listens
 * on any more. */
bool listener_open_local(const char *dir, const char *name, int type,
                         int *ret_fd, struct config_error *ret_error);
void listener_remove_local(const char *dir, const char *name);

/* A client is there: counts it, refuses it where limits.connections or
 * limits.connections_per_address say so, puts it on this worker. Takes `fd`, non-blocking; at: the client's address. */
struct sockaddr_storage;
void listener_welcome(struct worker *w, int fd,
                      const struct sockaddr_storage *at,
                      enum listener_kind kind);

/* Its CONNECT was good: it counts for its token from now on, and no longer for
 * its address. Any thread. */
struct hub;
struct connection;
void listener_identified(struct hub *hub, struct connection *c);

/* It is closed: counts it no more. Any thread. */
void listener_goodbye(struct hub *hub, struct connection *c);

/* libev callbacks; io->data and timer->data are the worker. */
void listener_on_accept(struct ev_loop *loop, ev_io *io, int events);
void listener_on_pause_over(struct ev_loop *loop, ev_timer *timer, int events);

#endif
