#include "benchmarks/load/loop.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum { SCRATCH_SIZE = 1 << 20, EVENTS_PER_TURN = 512 };

void loop_init(struct loop *l)
{
    *l = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (l->epoll < 0)
        fatal("epoll_create1: %s", strerror(errno));
    l->scratch = must_alloc(SCRATCH_SIZE);
}

static void watch(struct conn *c, int operation, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    if (epoll_ctl(c->loop->epoll, operation, c->fd, &e) != 0)
        fatal("epoll_ctl: %s", strerror(errno));
}

static void bind_to(struct conn *c, struct in_addr from)
{
    const struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = from};
    const int on = 1;

    /* The port is picked when the other end is known: it only has to differ
     * from those used towards that one. */
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(c->fd, (const struct sockaddr *)&local, sizeof(local)) != 0)
        fatal("%s: bind: %s", c->events->what, strerror(errno));
}

void conn_open(struct conn *c, struct loop *l, const struct sockaddr_in *to,
               const struct conn_events *events)
{
    conn_open_from(c, l, (struct in_addr){INADDR_ANY}, to, events);
}

void conn_open_from(struct conn *c, struct loop *l, struct in_addr from,
                    const struct sockaddr_in *to,
                    const struct conn_events *events)
{
    const int on = 1;

    c->loop = l;
    c->events = events;
    c->connecting = true;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        fatal("%s: socket: %s", events->what, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (from.s_addr != INADDR_ANY)
        bind_to(c, from);
    if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) != 0 &&
        errno != EINPROGRESS)
        fatal("%s: connect: %s", events->what, strerror(errno));
    watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

void conn_close(struct conn *c)
{
    close(c->fd); /* epoll forgets it with its last descriptor */
    bytes_release(&c->out);
    bytes_release(&c->rest);
}

void conn_send_later(struct conn *c)
{
    if (c->queued)
        return;
    c->queued = true;
    c->next_unsent = c->loop->unsent;
    c->loop->unsent = c;
}

void conn_send(struct conn *c)
{
    if (c->connecting || c->waits_to_write || c->out.len == 0)
        return;
    const ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR)
        fatal("%s: send: %s", c->events->what, strerror(errno));
    if (n > 0)
        bytes_drop(&c->out, (size_t)n);
    if (c->out.len > 0) {
        c->waits_to_write = true;
        watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
}

static void finish_connect(struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof(error);

    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0)
        fatal("%s: connect: %s", c->events->what, strerror(error));
    c->connecting = false;
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    if (c->events->opened != NULL)
        c->events->opened(c);
    conn_send(c);
}

static void receive(struct conn *c)
{
    char *scratch = c->loop->scratch;
    size_t len = c->rest.len;

    if (len > 0)
        memcpy(scratch, c->rest.data, len);
    const ssize_t n = recv(c->fd, scratch + len, SCRATCH_SIZE - len, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        fatal("%s: recv: %s", c->events->what, strerror(errno));
    if (n == 0)
        fatal("%s: the server closed the connection", c->events->what);
    len += (size_t)n;

    const size_t used = c->events->data(c, scratch, len, instant_ns());

    if (used == 0 && len == SCRATCH_SIZE)
        fatal("%s: one message larger than %d bytes", c->events->what,
              SCRATCH_SIZE);
    bytes_clear(&c->rest);
    bytes_put(&c->rest, scratch + used, len - used);
}

static void handle(struct conn *c, uint32_t events)
{
    if (c->connecting) {
        finish_connect(c);
        return;
    }
    if (events & EPOLLOUT) {
        c->waits_to_write = false;
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
        conn_send(c);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(c);
}

static void write_unsent(struct loop *l)
{
    while (l->unsent != NULL) {
        struct conn *c = l->unsent;

        l->unsent = c->next_unsent;
        c->queued = false;
        conn_send(c);
    }
}

void loop_turn(struct loop *l, int64_t until_ns)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int64_t wait_ns = until_ns - instant_ns();

    write_unsent(l); /* of whoever appended between two turns */
    if (wait_ns < 0)
        wait_ns = 0;
    const struct timespec wait = {wait_ns / NS_PER_S, wait_ns % NS_PER_S};
    const int n = epoll_pwait2(l->epoll, events, EVENTS_PER_TURN, &wait, NULL);

    if (n < 0 && errno != EINTR)
        fatal("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < n; i++)
        handle(events[i].data.ptr, events[i].events);
    write_unsent(l);
}
