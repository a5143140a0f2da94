#include "broker/client/lobby.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "broker/client/shard.h"

#define EVENTS_AT_ONCE 64

static void on_lobby(struct ev_loop *loop, ev_io *io, int events)
{
    const struct worker *w = io->data;
    struct epoll_event waiting[EVENTS_AT_ONCE];
    const int count = epoll_wait(io->fd, waiting, EVENTS_AT_ONCE, 0);

    (void)loop;
    (void)events;
    /* Each connection is in the list once, and handling one never ends
     * another. */
    for (int i = 0; i < count; i++)
        w->lobby_readable(waiting[i].data.ptr);
}

bool lobby_open(struct worker *w, void (*on_readable)(struct connection *c))
{
    w->lobby_readable = on_readable;
    w->lobby_fd = epoll_create1(EPOLL_CLOEXEC);
    if (w->lobby_fd < 0)
        return false;
    ev_io_init(&w->lobby, on_lobby, w->lobby_fd, EV_READ);
    w->lobby.data = w;
    ev_io_start(w->loop, &w->lobby);
    return true;
}

void lobby_close(struct worker *w)
{
    if (w->lobby_fd >= 0)
        close(w->lobby_fd);
    w->lobby_fd = -1;
}

bool lobby_enter(struct connection *c)
{
    struct epoll_event event = {.events = transport_awaits(&c->transport),
                                .data.ptr = c};

    if (c->in_lobby && c->lobby_events == event.events)
        return true;
    if (epoll_ctl(c->worker->lobby_fd,
                  c->in_lobby ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->transport.fd,
                  &event) != 0)
        return false;
    c->in_lobby = true;
    c->lobby_events = event.events;
    return true;
}

void lobby_leave(struct connection *c)
{
    if (c->in_lobby)
        (void)epoll_ctl(c->worker->lobby_fd, EPOLL_CTL_DEL, c->transport.fd,
                        NULL);
    c->in_lobby = false;
}
