#include "base/net/proxy_wait.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/net/proxy_header.h"

#define SWEEP_S 0.5

struct proxy_wait {
    struct proxy_waits *all;
    ev_io io;
    TAILQ_ENTRY(proxy_wait) in_all;
    int64_t until_us;
    int kind;
    struct sockaddr_storage peer;
    struct proxy_header header;
};

static void log_refused(struct proxy_waits *w,
                        const struct sockaddr_storage *peer, const char *why)
{
    const struct in6_addr address =
        address_mapped((const struct sockaddr *)peer);
    char text[INET6_ADDRSTRLEN];
    uint64_t times;

    if (!complaint_due(&w->refused, clock_mono_us(), &times))
        return;
    inet_ntop(AF_INET6, &address, text, sizeof(text));
    log_warn(w->area,
             "%s: connection from %s closed: %s (PROXY protocol, %llu times)",
             w->listener,
             IN6_IS_ADDR_V4MAPPED(&address) ? text + sizeof("::ffff:") - 1
                                            : text,
             why, (unsigned long long)times);
}

/* Leaves the socket open. */
static void forget(struct proxy_wait *p)
{
    struct proxy_waits *w = p->all;

    ev_io_stop(w->loop, &p->io);
    TAILQ_REMOVE(&w->waits, p, in_all);
    if (--w->count == 0)
        ev_timer_stop(w->loop, &w->sweep);
    free(p);
}

static void refuse(struct proxy_wait *p, const char *why)
{
    log_refused(p->all, &p->peer, why);
    close(p->io.fd);
    forget(p);
}

static void read_on(struct proxy_wait *p)
{
    switch (proxy_header_read(&p->header, p->io.fd)) {
    case PROXY_MORE: return;
    case PROXY_BAD: refuse(p, p->header.why); return;
    case PROXY_DONE: break;
    }
    struct proxy_waits *w = p->all;
    const bool is_relayed = p->header.client.ss_family != AF_UNSPEC;
    const struct sockaddr_storage client =
        is_relayed ? p->header.client : p->peer;
    const int fd = p->io.fd, kind = p->kind;
    forget(p);
    w->arrived(w->arg, fd, &client, is_relayed, kind);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    read_on(io->data);
}

static void on_sweep(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct proxy_waits *w = timer->data;
    const int64_t now_us = clock_mono_us();
    struct proxy_wait *p;

    (void)loop;
    (void)events;
    while ((p = TAILQ_FIRST(&w->waits)) != NULL && p->until_us <= now_us)
        refuse(p, "no header came in time");
}

void proxy_waits_init(struct proxy_waits *w)
{
    TAILQ_INIT(&w->waits);
    w->count = 0;
    ev_timer_init(&w->sweep, on_sweep, SWEEP_S, SWEEP_S);
    w->sweep.data = w;
}

void proxy_waits_add(struct proxy_waits *w, int fd,
                     const struct sockaddr_storage *peer, int kind)
{
    const struct in6_addr from = address_mapped((const struct sockaddr *)peer);
    struct proxy_wait *p;

    if (!address_list_has(w->trusted, &from)) {
        log_refused(w, peer, "it is not from a trusted proxy");
        close(fd);
        return;
    }
    if (w->count == PROXY_WAITS_MAX)
        refuse(TAILQ_FIRST(&w->waits), "too many others wait");
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        close(fd);
        return;
    }
    p->all = w;
    p->peer = *peer;
    p->kind = kind;
    p->until_us = clock_mono_us() + INT64_C(1000) * PROXY_WAIT_MS;
    ev_io_init(&p->io, on_readable, fd, EV_READ);
    p->io.data = p;
    ev_io_start(w->loop, &p->io);
    TAILQ_INSERT_TAIL(&w->waits, p, in_all);
    if (w->count++ == 0) {
        ev_timer_set(&w->sweep, SWEEP_S, SWEEP_S);
        ev_timer_start(w->loop, &w->sweep);
    }
    read_on(p); /* proxies send it at once */
}

void proxy_waits_close(struct proxy_waits *w)
{
    struct proxy_wait *p;

    while ((p = TAILQ_FIRST(&w->waits)) != NULL) {
        close(p->io.fd);
        forget(p);
    }
}
