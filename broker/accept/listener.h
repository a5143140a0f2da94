/* Listening sockets: TCP addresses (base/net/listen.h), with or without TLS,
 * and the UNIX sockets in the data folder. Opened in main; any number of
 * workers accept from them. */
#ifndef CONFAB_BROKER_ACCEPT_LISTENER_H
#define CONFAB_BROKER_ACCEPT_LISTENER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/complaint.h"
#include "base/config.h"
#include "base/net/proxy_wait.h"

struct worker;

#define LISTENERS_MAX 4 /* addresses that one setting may resolve to */

/* What connects to a listening socket. */
enum listener_kind {
    LISTEN_PLAIN,
    LISTEN_TLS,
    LISTEN_LOCAL,    /* SOCKET_NAME: administrators may connect here */
    LISTEN_HANDOVER, /* CLIENTS_NAME: handover_listener.h */
    LISTEN_WEBSOCKET /* only by a hand-over */
};

/* Opens `<dir>/<name>` with a socket of that type, and replaces an abandoned
 * one. */
bool listener_open_local(const char *dir, const char *name, int type,
                         int *ret_fd, struct config_error *ret_error);
void listener_remove_local(const char *dir, const char *name);

/* The listeners that a worker accepts from. */
struct listeners {
    ev_io accepting[2 * LISTENERS_MAX + 1];
    enum listener_kind accepted_as[2 * LISTENERS_MAX + 1];
    unsigned count;
    LIST_HEAD(, handover) handovers; /* accepted, waiting for their client */
    unsigned handover_count;
    ev_timer pause; /* out of descriptors: accepts nothing meanwhile */
    struct proxy_waits proxies; /* with mqtt.proxy_protocol: no header yet */
    struct complaint over_limit, over_address, out_of_descriptors;
};

void listeners_init(struct worker *w);
/* Accepts from a listening, non-blocking socket, which stays the caller's;
 * several workers may share one. Call it before worker_start(). */
void listeners_add(struct worker *w, int fd, enum listener_kind kind);
/* Accepts no more, and drops hand-overs that have not been completed. */
void listeners_stop(struct worker *w);

#endif
