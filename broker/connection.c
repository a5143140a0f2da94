#include "broker/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "broker/backlog.h"
#include "broker/connect.h"
#include "broker/lobby.h"
#include "broker/packet_encode.h"
#include "broker/session.h"
#include "broker/worker.h"

#define WRITE_RUNS 256
#define PARTIAL_MIN 256 /* room for the beginning of a packet */

static const struct {
    uint8_t code;
    bool will;
    const char *text;
} close_reasons[] = {
#define X(name, metric, code, will, text) {code, will, text},
    CLOSE_REASONS(X)
#undef X
};

static void on_readable(struct ev_loop *loop, ev_io *io, int events);
static void on_writable(struct ev_loop *loop, ev_io *io, int events);
static void on_timer(struct ev_loop *loop, ev_timer *timer, int events);

/* ---- life --------------------------------------------------------------------------- */

struct connection *connection_new(int fd, bool peer_is_admin, const char *peer)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->fd = fd;
    c->peer_is_admin = peer_is_admin;
    snprintf(c->peer, sizeof(c->peer), "%s", peer);
    c->state = CONNECTION_NEW;
    c->packet_max = CONNECT_PACKET_MAX;
    c->terms = (struct packet_terms){.maximum_packet_size = UINT32_MAX};
    out_queue_init(&c->out);
    STAILQ_INIT(&c->unacked);
    LIST_INIT(&c->filters);
    TAILQ_INIT(&c->scans);
    ev_io_init(&c->readable, on_readable, fd, EV_READ);
    ev_io_init(&c->writable, on_writable, fd, EV_WRITE);
    ev_init(&c->timer, on_timer);
    c->readable.data = c->writable.data = c->timer.data = c;
    return c;
}

void connection_free(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    message_unref(c->will);
    free(c->identity);
    free(c->in.data);
    free(c);
}

static void start_timer(struct connection *c, double after_s)
{
    ev_timer_stop(c->worker->loop, &c->timer);
    ev_timer_set(&c->timer, after_s, 0.);
    ev_timer_start(c->worker->loop, &c->timer);
}

static bool have_room_for_hit(struct worker *w)
{
    if (w->connection_count < w->hit_cap)
        return true;
    const size_t cap = w->hit_cap == 0 ? 64 : w->hit_cap * 2;
    struct connection **hits = realloc(w->hits, cap * sizeof(*hits));
    if (hits == NULL)
        return false;
    w->hits = hits;
    w->hit_cap = cap;
    return true;
}

void connection_attach(struct connection *c, struct worker *w)
{
    c->worker = w;
    TAILQ_INSERT_TAIL(&w->connections, c, all);
    const bool room = have_room_for_hit(w);
    w->connection_count++;
    c->heard_at = ev_now(w->loop);
    start_timer(c, CONNECT_WITHIN_S);
    if (!room) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    c->stalled = true; /* until resumed: that serves what it brought along */
    connection_resume(c);
}

static void take_off(struct connection *c)
{
    struct worker *w = c->worker;

    lobby_leave(c);
    ev_io_stop(w->loop, &c->readable);
    ev_io_stop(w->loop, &c->writable);
    ev_timer_stop(w->loop, &c->timer);
    TAILQ_REMOVE(&w->connections, c, all);
    w->connection_count--;
}

static void forget_starving(struct connection *c)
{
    if (!c->starving)
        return;
    c->starving = false;
    TAILQ_REMOVE(&c->worker->starving, c, starve);
}

void connection_detach(struct connection *c)
{
    forget_starving(c);
    take_off(c);
}

/* The end of the socket; of the connection, when its commands are back. */
static void finish(struct connection *c)
{
    struct worker *w = c->worker;

    take_off(c);
    out_queue_release(&c->out, &w->pool);
    close(c->fd);
    c->fd = -1;
    c->state = CONNECTION_CLOSED;
    atomic_fetch_sub(&w->hub->connections, 1);
    if (c->commands == 0)
        SLIST_INSERT_HEAD(&w->dead, c, dead);
}

/* ---- closing -------------------------------------------------------------------------- */

enum close_reason connection_reason_of(uint8_t code)
{
    switch (code) {
#define CASE(code, reason)                                                    \
    case code:                                                                \
        return CLOSE_##reason;
        CASE(0x82, PROTOCOL)
        CASE(0x8f, FILTER)
        CASE(0x90, TOPIC)
        CASE(0x94, TOPIC_ALIAS)
        CASE(0x95, TOO_LARGE)
        CASE(0x99, PAYLOAD_FORMAT)
        CASE(0x9b, QOS)
        CASE(0xa1, SUBSCRIPTION_ID)
#undef CASE
    default:
        return CLOSE_MALFORMED;
    }
}

static void say_goodbye(struct connection *c, enum close_reason reason,
                        const char *text)
{
    uint8_t packet[512];
    const struct packet_detail detail = {.reason_string = slice_str(text)};

    if (c->state != CONNECTION_OPEN || close_reasons[reason].code == 0)
        return;
    const size_t size = packet_encode_disconnect(
        &c->terms, close_reasons[reason].code, slice_of(NULL, 0), &detail,
        packet, sizeof(packet));
    if (size > 0)
        (void)out_queue_copy(&c->out, &c->worker->pool,
                             slice_of(packet, size));
}

void connection_end(struct connection *c)
{
    connection_close(c, CLOSE_SHUTDOWN, NULL);
    if (c->state == CONNECTION_LINGERING)
        finish(c);
}

/* Whether the client may still be there to hear why. */
static bool is_worth_lingering(enum close_reason reason)
{
    return reason != CLOSE_CLIENT && reason != CLOSE_CLIENT_WILL &&
           reason != CLOSE_HANGUP && reason != CLOSE_NO_CONNECT;
}

/* Sends what is queued, then our end of the stream, and waits for the
 * client's: closing at once with bytes of its unread would reset the connection
 * and take the goodbye with it. */
static void linger(struct connection *c)
{
    c->state = CONNECTION_LINGERING;
    c->stalled = false;
    start_timer(c, LINGER_S);
    connection_flush(c);
    if (c->state == CONNECTION_LINGERING)
        ev_io_start(c->worker->loop, &c->readable);
}

static void log_end(const struct connection *c, enum close_reason reason,
                    const char *text)
{
    log_debug("broker", "%s %s closed: %s%s%s", c->peer,
              log_token(c->identity, c->token_len).text,
              close_reasons[reason].text, text == NULL ? "" : ": ",
              text == NULL ? "" : text);
}

void connection_close(struct connection *c, enum close_reason reason,
                      const char *text)
{
    struct worker *w = c->worker;

    if (c->state >= CONNECTION_LINGERING)
        return;
    const bool was_open = c->state == CONNECTION_OPEN;
    log_end(c, reason, text);
    atomic_fetch_add_explicit(&w->closed[reason], 1, memory_order_relaxed);
    say_goodbye(c, reason, text == NULL ? close_reasons[reason].text : text);
    c->state = CONNECTION_LINGERING; /* nothing below closes it again */
    lobby_leave(c);
    forget_starving(c);
    backlog_forget(c);
    session_end(c, was_open && close_reasons[reason].will);
    if (is_worth_lingering(reason))
        linger(c);
    else
        finish(c);
}

/* ---- writing ---------------------------------------------------------------------------- */

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
        finish(c);
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
    const ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
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

static void on_writable(struct ev_loop *loop, ev_io *io, int events)
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

/* ---- reading ------------------------------------------------------------------------------ */

static bool is_serving(const struct connection *c)
{
    return c->state <= CONNECTION_OPEN && c->worker->phase == HUB_SERVING;
}

/* May another packet be taken from it now? */
static bool may_read(const struct connection *c)
{
    return is_serving(c) && !c->held && c->commands < CONNECTION_COMMANDS_MAX &&
           c->unacked_count < CONNECTION_COMMANDS_MAX &&
           c->command_bytes < CONNECTION_BYTES_MAX &&
           c->out.bytes < CONNECTION_ANSWERS_MAX &&
           publish_pool_has_room(&c->worker->publishes);
}

static void start_reading(struct connection *c)
{
    if (c->pinned)
        ev_io_start(c->worker->loop, &c->readable);
    else if (!lobby_enter(c))
        connection_close(c, CLOSE_NO_MEMORY, NULL);
}

void connection_stall(struct connection *c)
{
    lobby_leave(c);
    ev_io_stop(c->worker->loop, &c->readable);
    c->stalled = true;
    if (!c->starving && !publish_pool_has_room(&c->worker->publishes)) {
        c->starving = true;
        TAILQ_INSERT_TAIL(&c->worker->starving, c, starve);
    }
}

/* Keeps the bytes that are not consumed yet. `own`: the allocation `data` lies
 * in, which becomes the connection's again, or NULL. */
static bool keep_rest(struct connection *c, char *own, size_t own_cap,
                      const char *data, size_t len)
{
    if (len == 0) {
        free(own);
        return true;
    }
    /* A few bytes must not keep the buffer of a large packet. */
    if (own == NULL || (own_cap > 2 * WORKER_READ_SIZE && len < own_cap / 4)) {
        const size_t cap = len > PARTIAL_MIN ? len : PARTIAL_MIN;
        char *copy = malloc(cap);
        if (copy == NULL) {
            free(own);
            return false;
        }
        memcpy(copy, data, len);
        free(own);
        own = copy;
        own_cap = cap;
    } else {
        memmove(own, data, len);
    }
    c->in.data = own;
    c->in.len = len;
    c->in.cap = own_cap;
    return true;
}

enum feeding {
    FEED_ON,   /* what is left is no whole packet, or must wait */
    FEED_ENDED /* the connection has ended */
};

/* Handles whole packets from data[0…len); *ret_used of it are consumed.
 * *ret_home: the worker the connection has to move to, else NULL. */
static enum feeding take_packets(struct connection *c, const char *data,
                                 size_t len, size_t *ret_used,
                                 struct worker **ret_home)
{
    struct packet_frame frame;
    struct packet_error error;
    size_t used = 0;

    *ret_home = NULL;
    while (used < len && may_read(c)) {
        if (c->state == CONNECTION_NEW &&
            (uint8_t)data[used] >> 4 != PACKET_CONNECT) {
            connection_close(c, CLOSE_PROTOCOL,
                             "the first packet must be CONNECT");
            return FEED_ENDED;
        }
        const enum packet_framing framing = packet_frame(
            data + used, len - used, c->packet_max, &frame, &error);
        if (framing == PACKET_MORE)
            break;
        if (framing == PACKET_BROKEN) {
            session_broken(c, &error);
            return FEED_ENDED;
        }
        if (c->state == CONNECTION_NEW && !c->pinned) {
            struct worker *home = connect_place(c, &frame);
            lobby_leave(c);
            if (home != c->worker) {
                *ret_home = home;
                break;
            }
        }
        session_packet(c, &frame);
        if (c->state >= CONNECTION_LINGERING)
            return FEED_ENDED;
        used += frame.size;
    }
    *ret_used = used;
    return FEED_ON;
}

static void move(struct connection *c, struct worker *home)
{
    struct worker *w = c->worker;

    connection_detach(c);
    if (worker_move(home, c))
        return;
    log_debug("broker", "%s closed: %s", c->peer,
              close_reasons[CLOSE_BUSY].text);
    atomic_fetch_add_explicit(&w->closed[CLOSE_BUSY], 1, memory_order_relaxed);
    atomic_fetch_sub(&w->hub->connections, 1);
    connection_free(c);
}

/* Takes `own` (may be NULL), which data lies in. false: the connection is not
 * this worker's any more and must not be touched. */
static bool feed(struct connection *c, char *own, size_t own_cap,
                 const char *data, size_t len)
{
    struct worker *home;
    size_t used;

    if (take_packets(c, data, len, &used, &home) == FEED_ENDED) {
        free(own);
        return true;
    }
    if (!keep_rest(c, own, own_cap, data + used, len - used)) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return true;
    }
    if (home != NULL) {
        move(c, home);
        return false;
    }
    if (may_read(c))
        start_reading(c);
    else
        connection_stall(c);
    return true;
}

/* Reads behind the beginning of a large packet: its buffer doubles as bytes
 * really arrive, so that announcing a length costs nothing. */
static ssize_t read_large(struct connection *c)
{
    if (c->in.cap - c->in.len < WORKER_READ_SIZE / 2) {
        const size_t cap = c->in.cap * 2;
        char *data = realloc(c->in.data, cap);
        if (data == NULL) {
            errno = ENOMEM;
            return -1;
        }
        c->in.data = data;
        c->in.cap = cap;
    }
    return recv(c->fd, c->in.data + c->in.len, c->in.cap - c->in.len, 0);
}

static ssize_t read_small(struct connection *c)
{
    char *to = c->worker->read_buffer;

    if (c->in.len > 0)
        memcpy(to, c->in.data, c->in.len);
    return recv(c->fd, to + c->in.len, WORKER_READ_SIZE, 0);
}

static void read_failed(struct connection *c, ssize_t n)
{
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    connection_close(c, n < 0 && errno == ENOMEM ? CLOSE_NO_MEMORY
                                                 : CLOSE_HANGUP,
                     NULL);
}

static void discard(struct connection *c)
{
    struct worker *w = c->worker;
    const ssize_t n = recv(c->fd, w->read_buffer, WORKER_READ_SIZE, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK &&
                   errno != EINTR))
        finish(c);
}

void connection_readable(struct connection *c)
{
    struct worker *w = c->worker;
    const bool large = c->in.len > WORKER_READ_SIZE;

    if (c->state == CONNECTION_LINGERING) {
        discard(c);
        return;
    }
    const ssize_t n = large ? read_large(c) : read_small(c);
    if (n <= 0) {
        read_failed(c, n);
        return;
    }
    counter_add(&w->counters.bytes_received, (uint64_t)n);
    c->heard_at = ev_now(w->loop);

    char *own = c->in.data;
    const size_t own_cap = c->in.cap;
    const size_t len = c->in.len + (size_t)n;
    c->in.data = NULL;
    c->in.len = c->in.cap = 0;
    if (large) {
        (void)feed(c, own, own_cap, own, len);
    } else {
        free(own);
        (void)feed(c, NULL, 0, w->read_buffer, len);
    }
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    connection_readable(io->data);
}

void connection_resume(struct connection *c)
{
    if (!c->stalled || !may_read(c))
        return;
    c->stalled = false;
    forget_starving(c);
    if (c->in.len > 0) {
        char *own = c->in.data;
        const size_t own_cap = c->in.cap, len = c->in.len;
        c->in.data = NULL;
        c->in.len = c->in.cap = 0;
        (void)feed(c, own, own_cap, own, len);
    } else {
        start_reading(c);
    }
}

void connection_credit(struct connection *c)
{
    /* Half of them, so that a busy client is not stopped at each packet. */
    if (c->stalled && !c->starving &&
        c->commands <= CONNECTION_COMMANDS_MAX / 2 &&
        c->unacked_count <= CONNECTION_COMMANDS_MAX / 2 &&
        c->command_bytes <= CONNECTION_BYTES_MAX / 2 &&
        c->out.bytes <= CONNECTION_ANSWERS_MAX / 2)
        connection_resume(c);
}

/* ---- time ------------------------------------------------------------------------------------ */

void connection_opened(struct connection *c)
{
    c->state = CONNECTION_OPEN;
    if (c->keep_alive_s > 0)
        start_timer(c, c->keep_alive_s);
    else
        ev_timer_stop(c->worker->loop, &c->timer);
}

void connection_hold(struct connection *c, double seconds)
{
    c->held = true;
    connection_stall(c);
    start_timer(c, seconds);
}

static void hold_over(struct connection *c)
{
    publish_hold_over(c);
    if (c->state != CONNECTION_OPEN)
        return;
    c->heard_at = ev_now(c->worker->loop);
    connection_opened(c);
    connection_resume(c);
}

/* The timer is not set anew for each packet: when it ends, it is set for what
 * is left since the last one. */
static void check_keep_alive(struct connection *c)
{
    const double now = ev_now(c->worker->loop);

    /* Not read from for want of credits: it may well have said something. */
    if (c->stalled && (c->commands > 0 || c->starving))
        c->heard_at = now;
    const double left = c->heard_at + c->keep_alive_s - now;
    if (left > 0)
        start_timer(c, left);
    else
        connection_close(c, CLOSE_KEEP_ALIVE, NULL);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct connection *c = timer->data;

    (void)loop;
    (void)events;
    switch (c->state) {
    case CONNECTION_NEW:
        connection_close(c, CLOSE_NO_CONNECT, NULL);
        break;
    case CONNECTION_OPEN:
        if (c->held)
            hold_over(c);
        else
            check_keep_alive(c);
        break;
    case CONNECTION_LINGERING:
        finish(c);
        break;
    case CONNECTION_CLOSED:
        break;
    }
}
