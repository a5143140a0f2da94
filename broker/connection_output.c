/* What leaves a connection: one system call for all that waits, where the
 * socket takes it. */
#include <errno.h>
#include <sys/socket.h>

#include "broker/backlog.h"
#include "broker/connection_private.h"

#define WRITE_RUNS 256

void connection_touch(struct connection *c)
{
    if (c->touched)
        return;
    c->touched = true;
    c->next_touched = c->worker->touched;
    c->worker->touched = c;
}

static void write_failed(struct connection *c)
{
    if (c->state == CONNECTION_LINGERING)
        connection_finish(c);
    else
        connection_close(c, CLOSE_HANGUP, NULL);
}

/* One system call. false: the socket takes no more, or the connection ended. */
static bool write_some(struct connection *c)
{
    struct worker *w = c->worker;
    struct iovec runs[WRITE_RUNS];
    const int count = out_queue_gather(&c->out, runs, WRITE_RUNS);
    struct msghdr message = {.msg_iov = runs, .msg_iovlen = (size_t)count};
    size_t offered = 0;

    for (int i = 0; i < count; i++)
        offered += runs[i].iov_len;
    /* The usual single run without the cost of a vector. */
    const ssize_t n = count == 1 ? send(c->fd, runs[0].iov_base,
                                        runs[0].iov_len, MSG_NOSIGNAL)
                                 : sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        write_failed(c);
        return false;
    }
    if (n > 0) {
        out_queue_consume(&c->out, &w->pool, (size_t)n);
        counter_add(&w->counters.bytes_sent, (uint64_t)n);
        if (c->stalled) /* who takes its answers is alive */
            c->heard_at = ev_now(w->loop);
    }
    if (n >= 0 && (size_t)n == offered)
        return true;
    out_queue_block(&c->out, &w->pool);
    ev_io_start(w->loop, &c->writable);
    return false;
}

void connection_flush(struct connection *c)
{
    if (c->state == CONNECTION_CLOSED || c->out.blocked)
        return;
    while (c->out.count > 0)
        if (!write_some(c))
            return;
    if (c->state == CONNECTION_LINGERING)
        shutdown(c->fd, SHUT_WR);
}

void connection_on_writable(struct ev_loop *loop, ev_io *io, int events)
{
    struct connection *c = io->data;

    (void)events;
    out_queue_unblock(&c->out);
    connection_flush(c);
    if (c->state == CONNECTION_CLOSED || c->out.blocked)
        return;
    ev_io_stop(loop, &c->writable);
    if (c->state != CONNECTION_OPEN)
        return;
    backlog_wake(c);
    connection_credit(c);
}
