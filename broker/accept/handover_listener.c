#include "broker/accept/handover_listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/net/handover.h"
#include "broker/accept/listener.h"
#include "broker/accept/welcome.h"
#include "broker/client/shard.h"

/* Hand-overs usually complete at once: a peer that waits is not our bridge. */
#define WAITING_MAX 64

struct handover {
    struct worker *worker;
    ev_io readable;
    LIST_ENTRY(handover) waiting;
};

static void handover_end(struct handover *h)
{
    struct worker *w = h->worker;

    ev_io_stop(w->loop, &h->readable);
    close(h->readable.fd);
    LIST_REMOVE(h, waiting);
    w->listeners->handover_count--;
    free(h);
}

/* false: the client has not arrived yet. */
static bool handover_take(struct worker *w, int connection)
{
    struct sockaddr_storage client;
    const int fd = handover_receive(connection, &client);

    if (fd < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (fd >= 0)
        welcome_client(w, fd, &client, LISTEN_WEBSOCKET);
    else
        log_debug("broker",
                  "a hand-over from the bridge carried no connection");
    return true;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    struct handover *h = io->data;

    (void)loop;
    (void)events;
    if (handover_take(h->worker, io->fd))
        handover_end(h);
}

void handover_accept(struct worker *w, int fd)
{
    if (handover_take(w, fd)) {
        close(fd);
        return;
    }
    struct handover *h =
        w->listeners->handover_count < WAITING_MAX ? malloc(sizeof(*h)) : NULL;
    if (h == NULL) {
        close(fd);
        return;
    }
    h->worker = w;
    ev_io_init(&h->readable, on_readable, fd, EV_READ);
    h->readable.data = h;
    ev_io_start(w->loop, &h->readable);
    LIST_INSERT_HEAD(&w->listeners->handovers, h, waiting);
    w->listeners->handover_count++;
}

void handover_forget(struct worker *w)
{
    while (!LIST_EMPTY(&w->listeners->handovers))
        handover_end(LIST_FIRST(&w->listeners->handovers));
}
