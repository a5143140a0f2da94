#include "broker/io/transport.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net/websocket.h"

bool transport_start_tls(struct transport *t, struct tls_context *context)
{
    t->tls = tls_new(context, t->fd);
    return t->tls != NULL;
}

bool transport_start_websocket(struct transport *t)
{
    t->websocket = websocket_new();
    return t->websocket != NULL;
}

const char *transport_error(const struct transport *t)
{
    if (t->tls != NULL)
        return tls_error(t->tls);
    return t->websocket != NULL ? websocket_error(t->websocket) : NULL;
}

/* ---- plain -------------------------------------------------------------- */

static ssize_t send_runs(int fd, const struct iovec *runs, int count)
{
    const struct msghdr message = {.msg_iov = (struct iovec *)runs,
                                   .msg_iovlen = (size_t)count};

    /* The usual single run without the cost of a vector. */
    return count == 1
               ? send(fd, runs[0].iov_base, runs[0].iov_len, MSG_NOSIGNAL)
               : sendmsg(fd, &message, MSG_NOSIGNAL);
}

/* ---- WebSocket ---------------------------------------------------------- */

/* The runs behind the first `skip` bytes, up to `len` bytes. */
static int cut_runs(const struct iovec *runs, int count, size_t skip,
                    size_t len, struct iovec *out)
{
    int n = 0;

    for (; count > 0 && len > 0; runs++, count--) {
        if (skip >= runs->iov_len) {
            skip -= runs->iov_len;
            continue;
        }
        const size_t there = runs->iov_len - skip;
        out[n] = (struct iovec){(char *)runs->iov_base + skip,
                                there < len ? there : len};
        len -= out[n++].iov_len;
        skip = 0;
    }
    return n;
}

/* One frame for all runs, behind control frames: usually one system call. */
static ssize_t write_frames(struct transport *t, const struct iovec *runs,
                            int count)
{
    struct iovec out[1 + TRANSPORT_RUNS_MAX];
    size_t total = 0, done = 0;

    for (int i = 0; i < count; i++)
        total += runs[i].iov_len;
    for (;;) {
        const uint8_t *head;
        size_t payload;
        const size_t head_len =
            websocket_next(t->websocket, total - done, &head, &payload);
        if (head_len + payload == 0)
            break;
        out[0] = (struct iovec){(void *)head, head_len};
        const int n = 1 + cut_runs(runs, count, done, payload, out + 1);
        const ssize_t sent = send_runs(t->fd, out, n);
        if (sent < 0)
            return done > 0 ? (ssize_t)done : -1;
        done += websocket_sent(t->websocket, (size_t)sent);
        if ((size_t)sent < head_len + payload)
            break;
    }
    if (done == total)
        return (ssize_t)done;
    if (websocket_has_closed(t->websocket))
        errno = EPIPE; /* nothing can be sent after the close frame */
    else
        errno = EAGAIN;
    return done > 0 ? (ssize_t)done : -1;
}

/* Sends answers to pings and to a close frame; transport_owes() tells
 * whether some are left. */
static void write_owed(struct transport *t)
{
    if (websocket_owes(t->websocket))
        (void)write_frames(t, NULL, 0);
    /* RFC 6455 §7.1.1: the server closes first. */
    if (websocket_is_closed(t->websocket) &&
        websocket_has_closed(t->websocket))
        shutdown(t->fd, SHUT_WR);
}

static ssize_t read_frames(struct transport *t, char *to, size_t room)
{
    struct websocket *s = t->websocket;

    if (websocket_is_closed(s))
        return 0;
    write_owed(t);
    const ssize_t n = recv(t->fd, to, room, 0);
    if (n <= 0)
        return n;
    const ssize_t payload = websocket_decode(s, to, (size_t)n);
    write_owed(t);
    if (payload < 0) {
        errno = EPROTO;
        return -1;
    }
    if (payload > 0)
        return payload;
    if (websocket_is_closed(s))
        return 0;
    errno = EAGAIN; /* only control frames, or parts of frames */
    return -1;
}

/* ---- any ---------------------------------------------------------------- */

ssize_t transport_read(struct transport *t, char *to, size_t room)
{
    if (t->tls != NULL)
        return tls_read(t->tls, to, room);
    if (t->websocket != NULL)
        return read_frames(t, to, room);
    return recv(t->fd, to, room, 0);
}

ssize_t transport_write(struct transport *t, const struct iovec *runs,
                        int count)
{
    assert(count <= TRANSPORT_RUNS_MAX);
    if (t->tls != NULL)
        return tls_write(t->tls, runs, count);
    if (t->websocket != NULL)
        return write_frames(t, runs, count);
    return send_runs(t->fd, runs, count);
}

bool transport_owes(const struct transport *t)
{
    return t->websocket != NULL && websocket_owes(t->websocket);
}

uint32_t transport_awaits(const struct transport *t)
{
    if (t->tls != NULL && tls_wants_write(t->tls))
        return EPOLLOUT;
    return transport_owes(t) ? EPOLLIN | EPOLLOUT : EPOLLIN;
}

static bool say_goodbye(struct transport *t)
{
    if (t->tls != NULL)
        return tls_end(t->tls);
    if (t->websocket == NULL)
        return true;
    websocket_close(t->websocket, WEBSOCKET_NORMAL);
    if (!websocket_owes(t->websocket))
        return websocket_has_closed(t->websocket);
    if (write_frames(t, NULL, 0) < 0)
        return errno != EAGAIN && errno != EINTR;
    return websocket_has_closed(t->websocket);
}

bool transport_end(struct transport *t)
{
    if (!say_goodbye(t))
        return false;
    shutdown(t->fd, SHUT_WR);
    return true;
}

void transport_close(struct transport *t)
{
    if (t->fd < 0)
        return;
    (void)say_goodbye(t);
    tls_free(t->tls);
    t->tls = NULL;
    websocket_free(t->websocket);
    t->websocket = NULL;
    close(t->fd);
    t->fd = -1;
}
