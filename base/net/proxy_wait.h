/* Connections of a listener with PROXY protocol, from accept() until their header
 * (base/net/proxy_header.h) is complete. A connection that is not from a trusted
 * proxy, has no valid header, or has none after PROXY_WAIT_MS is closed and logged.
 * So is the oldest when PROXY_WAITS_MAX others wait.
 * Threads: the loop's. */
#ifndef CONFAB_BASE_NET_PROXY_WAIT_H
#define CONFAB_BASE_NET_PROXY_WAIT_H

#include <ev.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/address_list.h"
#include "base/complaint.h"

#define PROXY_WAIT_MS 5000
#define PROXY_WAITS_MAX 1024

struct proxy_wait;

struct proxy_waits {
    struct ev_loop *loop;
    const struct address_list *trusted; /* borrowed */
    const char *area, *listener;        /* of log lines: "mqtt.listen" */
    /* Takes fd. client: of the header, or the peer where the proxy speaks for itself
     * (then is_relayed is false). kind: as given. */
    void (*arrived)(void *arg, int fd, const struct sockaddr_storage *client,
                    bool is_relayed, int kind);
    void *arg;
    /* private */
    TAILQ_HEAD(, proxy_wait) waits; /* the oldest first */
    unsigned count;
    ev_timer sweep;
    struct complaint refused;
};

/* The fields above are set. */
void proxy_waits_init(struct proxy_waits *w);
/* Takes fd, non-blocking, just accepted from `peer`. */
void proxy_waits_add(struct proxy_waits *w, int fd,
                     const struct sockaddr_storage *peer, int kind);
/* Closes those that wait. */
void proxy_waits_close(struct proxy_waits *w);

#endif
