#include "benchmarks/churn/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum { SCRATCH_SIZE = 1 << 20, EVENTS_PER_TURN = 512 };

void poll_init(struct poll *p)
{
    *p = (struct poll){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (p->epoll < 0)
        fatal("epoll_create1: %s", strerror(errno));
    p->scratch = must_alloc(SCRATCH_SIZE);
}

static void watch(struct socket *s, int operation)
{
    const uint32_t write = s->connecting || s->waits_to_write ? EPOLLOUT : 0;
    struct epoll_event e = {.events = write | (s->paused ? 0 : EPOLLIN),
                            .data.ptr = s};

    if (epoll_ctl(s->poll->epoll, operation, s->fd, &e) != 0)
        fatal("epoll_ctl: %s", strerror(errno));
}

void socket_open(struct socket *s, struct poll *p,
                 const struct sockaddr_in *to,
                 const struct socket_events *events, int receive_buffer)
{
    const int on = 1;

    s->poll = p;
    s->events = events;
    s->connecting = true;
    s->waits_to_write = s->paused = false;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        fatal("socket: %s", strerror(errno));
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (receive_buffer > 0)
        setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                   sizeof(receive_buffer));
    if (connect(s->fd, (const struct sockaddr *)to, sizeof(*to)) != 0 &&
        errno != EINPROGRESS)
        fatal("connect: %s", strerror(errno));
    p->open++;
    watch(s, EPOLL_CTL_ADD);
}

static void forget_unsent(struct socket *s)
{
    struct socket **at = &s->poll->unsent;

    if (!s->queued)
        return;
    while (*at != s)
        at = &(*at)->next_unsent;
    *at = s->next_unsent;
    s->queued = false;
}

void socket_close(struct socket *s, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (!socket_is_open(s))
        return;
    if (reset)
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(s->fd); /* epoll forgets it with its last descriptor */
    forget_unsent(s);
    s->poll->open--;
    s->poll = NULL;
    bytes_release(&s->out);
    bytes_release(&s->rest);
}

static void lost(struct socket *s, const char *why)
{
    socket_close(s, false);
    s->events->closed(s, why);
}

void socket_send_later(struct socket *s)
{
    if (s->queued)
        return;
    s->queued = true;
    s->next_unsent = s->poll->unsent;
    s->poll->unsent = s;
}

/* false: the connection is gone. */
static bool write_out(struct socket *s)
{
    if (s->connecting || s->waits_to_write || s->out.len == 0)
        return true;
    const ssize_t n = send(s->fd, s->out.data, s->out.len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        lost(s, strerror(errno));
        return false;
    }
    if (n > 0)
        bytes_drop(&s->out, (size_t)n);
    if (s->out.len > 0) {
        s->waits_to_write = true;
        watch(s, EPOLL_CTL_MOD);
    }
    return true;
}

void socket_finish(struct socket *s)
{
    /* A few bytes on a connection that was quiet: they fit, or the other side
     * does not read at all and there is nothing to be finished. */
    if (write_out(s))
        shutdown(s->fd, SHUT_WR);
}

void socket_pause(struct socket *s)
{
    s->paused = true;
    if (socket_is_open(s))
        watch(s, EPOLL_CTL_MOD);
}

static void receive(struct socket *s, size_t most)
{
    char *scratch = s->poll->scratch;
    size_t len = s->rest.len;

    if (len > 0)
        memcpy(scratch, s->rest.data, len);
    if (most > SCRATCH_SIZE - len)
        most = SCRATCH_SIZE - len;
    const ssize_t n = recv(s->fd, scratch + len, most, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lost(s, n < 0 ? strerror(errno) : "closed by the server");
        return;
    }
    len += (size_t)n;

    const size_t used = s->events->data(s, scratch, len, instant_ns());

    if (!socket_is_open(s))
        return;
    if (used == 0 && len == SCRATCH_SIZE)
        fatal("one message larger than %d bytes", SCRATCH_SIZE);
    bytes_clear(&s->rest);
    bytes_put(&s->rest, scratch + used, len - used);
}

void socket_read_some(struct socket *s, size_t most)
{
    if (socket_is_open(s) && !s->connecting)
        receive(s, most);
}

static void finish_connect(struct socket *s)
{
    int error = 0;
    socklen_t len = sizeof(error);

    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        lost(s, strerror(error));
        return;
    }
    s->connecting = false;
    s->events->opened(s);
    if (socket_is_open(s) && write_out(s))
        watch(s, EPOLL_CTL_MOD);
}

static void handle(struct socket *s, uint32_t events)
{
    if (!socket_is_open(s))
        return; /* closed earlier in this turn */
    if (s->connecting) {
        finish_connect(s);
        return;
    }
    if (events & EPOLLOUT) {
        s->waits_to_write = false;
        watch(s, EPOLL_CTL_MOD);
        if (!write_out(s))
            return;
    }
    if (events & (EPOLLHUP | EPOLLERR) && s->paused) {
        lost(s, "reset by the server");
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(s, SCRATCH_SIZE);
}

static void write_unsent(struct poll *p)
{
    while (p->unsent != NULL) {
        struct socket *s = p->unsent;

        p->unsent = s->next_unsent;
        s->queued = false;
        write_out(s);
    }
}

void poll_turn(struct poll *p, int64_t until_ns)
{
    struct epoll_event events[EVENTS_PER_TURN];

    write_unsent(p);
    const int64_t left_ns = until_ns - instant_ns();
    const int wait_ms = left_ns > 0 ? (int)(left_ns / NS_PER_MS) + 1 : 0;
    const int n = epoll_wait(p->epoll, events, EVENTS_PER_TURN, wait_ms);

    if (n < 0 && errno != EINTR)
        fatal("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++)
        handle(events[i].data.ptr, events[i].events);
    write_unsent(p);
}
