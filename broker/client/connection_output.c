/* Output of a connection: one system call for everything queued, if the
 * socket takes it. */
#include <errno.h>

#include "base/hops.h"
#include "broker/client/backlog.h"
#include "broker/client/connection_private.h"

void connection_touch(struct connection *c)
{
    if (c->touched)
        return;
    c->touched = true;
    c->next_touched = c->worker->touched;
    c->worker->touched = c;
}

bool connection_answer(struct connection *c, const void *packet, size_t size)
{
    struct worker *w = c->worker;

    if (!out_queue_copy(&c->out, &w->pool, slice_of(packet, size)))
        return false;
    counter_add(&w->counters.answers, 1);
    return true;
}

void connection_say(struct connection *c, const void *packet, size_t size)
{
    if (size == 0)
        return;
    if (connection_answer(c, packet, size))
        connection_touch(c);
    else
        connection_close(c, CLOSE_NO_MEMORY, NULL);
}

static void output_write_failed(struct connection *c)
{
    if (c->state == CONNECTION_LINGERING)
        connection_finish(c);
    else
        connection_close(c, CLOSE_HANGUP, NULL);
}

static void output_await_room(struct connection *c)
{
    out_queue_block(&c->out, &c->worker->pool);
    ev_io_start(c->worker->loop, &c->writable);
}

/* Usually one system call. false: the socket is full, or the connection
 * ended. */
static bool output_write_some(struct connection *c)
{
    struct worker *w = c->worker;
    struct iovec runs[TRANSPORT_RUNS_MAX];
    const int count = out_queue_gather(&c->out, runs, TRANSPORT_RUNS_MAX);
    size_t offered = 0;

    for (int i = 0; i < count; i++)
        offered += runs[i].iov_len;
    const ssize_t n = transport_write(&c->transport, runs, count);
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        output_write_failed(c);
        return false;
    }
    if (n > 0) {
        hop_send(c->number, slice_of(c->identity, c->token_len), (size_t)n);
        out_queue_consume(&c->out, &w->pool, (size_t)n);
        counter_add(&w->counters.bytes_sent, (uint64_t)n);
        if (c->stalled) /* a client that reads its answers is alive */
            c->heard_us = w->mono_us;
    }
    if (n >= 0 && (size_t)n == offered)
        return true;
    output_await_room(c);
    return false;
}

void connection_flush(struct connection *c)
{
    if (c->state == CONNECTION_CLOSED || c->out.blocked)
        return;
    while (c->out.count > 0 || transport_owes(&c->transport))
        if (!output_write_some(c))
            return;
    if (c->state == CONNECTION_LINGERING && !transport_end(&c->transport))
        output_await_room(c);
}

void connection_flush_touched(struct worker *w)
{
    struct connection *c = w->touched;

    w->touched = NULL;
    while (c != NULL) {
        struct connection *next = c->next_touched;
        c->touched = false;
        connection_flush(c);
        c = next;
    }
    if (w->encoded == 0)
        return; /* so nothing is in the arenas that was not before */
    w->encoded = 0;
    for (unsigned i = 0; i < IMAGE_SHAPES; i++)
        arena_rewind(&w->arenas[i]);
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
