/* Where clients come in: TCP addresses (base/net/listen.h), with or without TLS,
 * and the UNIX sockets in the data folder. The sockets are opened in main; any
 * number of workers accept from them. */
#ifndef CONFAB_BROKER_ACCEPT_LISTENER_H
#define CONFAB_BROKER_ACCEPT_LISTENER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/complaint.h"
#include "base/config.h"

struct worker;

#define LISTENERS_MAX 4 /* addresses one setting may stand for */

/* What is accepted there. */
enum listener_kind {
    LISTEN_PLAIN,
    LISTEN_TLS,
    LISTEN_LOCAL,    /* SOCKET_NAME: administrators may come in here */
    LISTEN_HANDOVER, /* CLIENTS_NAME: handover_listener.h */
    LISTEN_WEBSOCKET /* by a hand-over only */
};

/* Opens `<dir>/<name>` with a socket of that type, replacing one nobody listens
 * on any more. */
bool listener_open_local(const char *dir, const char *name, int type,
                         int *ret_fd, struct config_error *ret_error);
void listener_remove_local(const char *dir, const char *name);

/* The listeners that a worker accepts from. */
struct listeners {
    ev_io accepting[2 * LISTENERS_MAX + 1];
    enum listener_kind accepted_as[2 * LISTENERS_MAX + 1];
    unsigned count;
    LIST_HEAD(, handover) handovers; /* accepted, their client not here yet */
    unsigned handover_count;
    ev_timer pause; /* out of descriptors: nothing is accepted meanwhile */
    struct complaint over_limit, over_address, out_of_descriptors;
};

void listeners_init(struct worker *w);
/* Accepts from a listening, non-blocking socket, which stays the caller's;
 * several workers may share one. Before worker_start(). */
void listeners_add(struct worker *w, int fd, enum listener_kind kind);
/* Accepts no more, and gives up on hand-overs that have not come. */
void listeners_stop(struct worker *w);

#endif
