/* HTTP requests outside of HTTP: each is held for a parked stream until that has something
 * for its client, then answered, and its connection closed. Calls none of the other
 * files. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/stream/stream_private.h"

#define ANSWER_MS 10000 /* for the client to read the answer, and to close */
#define ANSWERS_MAX (64UL * 1024 * 1024) /* bytes of a streamer's answers */

struct held_request {
    LIST_ENTRY(held_request) entry;
    struct streamer *streamer;
    struct stream *stream; /* NULL: it is being answered */
    ev_io io;
    int fd;
    struct buffer answer; /* what has not been sent yet */
    int64_t until_ms;     /* when to give up, once it is answered */
};

static void free_request(struct held_request *r)
{
    struct streamer *st = r->streamer;

    if (r->stream != NULL)
        r->stream->client->request = NULL;
    st->answer_bytes -= r->answer.len;
    LIST_REMOVE(r, entry);
    ev_io_stop(st->loop, &r->io);
    close(r->fd);
    buffer_release(&r->answer);
    free(r);
}

static void watch(struct held_request *r, int events)
{
    ev_io_stop(r->streamer->loop, &r->io);
    ev_io_set(&r->io, r->fd, events);
    ev_io_start(r->streamer->loop, &r->io);
}

/* Only the end of a connection, or more than a client may send before its answer, makes
 * it readable while it is held. */
static void on_readable(struct held_request *r)
{
    char bytes[4096];
    const ssize_t n = recv(r->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    struct stream *s = r->stream;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (s == NULL && n > 0)
        return; /* dropped, while it lingers */
    free_request(r);
    if (s != NULL && stream_is_open(s))
        s->client->door->request_lost(s->client->state, s);
}

/* Returns false when the connection is gone. */
static bool send_answer(struct held_request *r)
{
    const ssize_t n = send(r->fd, r->answer.data, r->answer.len,
                           MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    r->streamer->answer_bytes -= (size_t)n;
    r->answer.len -= (size_t)n;
    if (r->answer.len > 0)
        memmove(r->answer.data, r->answer.data + n, r->answer.len);
    return true;
}

static void answer_on(struct held_request *r)
{
    if (!send_answer(r)) {
        free_request(r);
    } else if (r->answer.len > 0) {
        watch(r, EV_WRITE);
    } else {
        /* The client closes after it has read the answer: a socket closed with
         * unread bytes would reset the connection. */
        buffer_release(&r->answer);
        shutdown(r->fd, SHUT_WR);
        watch(r, EV_READ);
    }
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
    struct held_request *r = w->data;

    (void)loop;
    streamer_clock(r->streamer);
    if ((events & EV_WRITE) != 0)
        answer_on(r);
    else
        on_readable(r);
}

static struct held_request *request_new(struct streamer *st, int fd)
{
    struct held_request *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        close(fd);
        return NULL;
    }
    r->streamer = st;
    r->fd = fd;
    ev_io_init(&r->io, on_io, fd, EV_READ);
    r->io.data = r;
    LIST_INSERT_HEAD(&st->requests, r, entry);
    return r;
}

static void answer_request(struct held_request *r, struct slice response)
{
    struct streamer *st = r->streamer;

    r->stream = NULL;
    r->until_ms = st->now_ms + ANSWER_MS;
    buffer_put_slice(&r->answer, response);
    st->answer_bytes += r->answer.len;
    if (!buffer_ok(&r->answer) || st->answer_bytes > ANSWERS_MAX)
        free_request(r); /* its client sees that, and comes back */
    else
        answer_on(r);
}

bool stream_hold_request(struct stream *s, int fd)
{
    struct held_request *r = request_new(s->streamer, fd);

    if (r == NULL)
        return false;
    r->stream = s;
    s->client->request = r;
    ev_io_start(s->streamer->loop, &r->io);
    return true;
}

void stream_answer_request(struct stream *s, struct slice response)
{
    struct held_request *r = s->client->request;

    if (r == NULL)
        return;
    s->client->request = NULL;
    answer_request(r, response);
}

void streamer_answer(struct streamer *st, int fd, struct slice response)
{
    struct held_request *r = request_new(st, fd);

    if (r != NULL)
        answer_request(r, response);
}

unsigned stream_streamer(const struct stream *s)
{
    return s->streamer->number;
}

void stream_drop_request(struct stream *s)
{
    if (s->client->request != NULL)
        free_request(s->client->request);
}

void streamer_sweep_requests(struct streamer *st)
{
    struct held_request *r = LIST_FIRST(&st->requests), *next;

    for (; r != NULL; r = next) {
        next = LIST_NEXT(r, entry);
        if (r->stream == NULL && st->now_ms >= r->until_ms)
            free_request(r);
    }
}

void streamer_free_requests(struct streamer *st)
{
    while (!LIST_EMPTY(&st->requests))
        free_request(LIST_FIRST(&st->requests));
}
