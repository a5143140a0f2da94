/* One socket: its phase, what the library may do next, and how it ends. What a client
 * sends ahead stays unread until the answer before it has been sent. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/http/http_private.h"

/* After this many runs of the library, or one answer, other connections get their
 * turn. An answer may walk over history: 30 connections that had each sent 20 such
 * requests ahead once kept all others of the thread waiting for eight seconds. */
#define RUNS_PER_TURN 8
#define SNIFF_SIZE 64

/* ---- phases -------------------------------------------------------------- */

static bool is_waiting(unsigned list)
{
    return list == PHASE_IDLE || list == PHASE_HEAD;
}

static unsigned list_of(const struct http_connection *c)
{
    return c->refusal != NULL && is_waiting(c->phase) ? LIST_RESERVE
                                                      : (unsigned)c->phase;
}

void http_connection_set_phase(struct http_connection *c,
                               enum http_phase phase)
{
    struct http_thread *t = c->thread;

    TAILQ_REMOVE(&t->lists[c->list], c, in_list);
    t->waiting -= is_waiting(c->list);
    /* In the reserve the time counts from the beginning of the connection. */
    if (c->list != LIST_RESERVE || !is_waiting(phase))
        c->since_ms = t->now_ms;
    c->phase = phase;
    c->list = list_of(c);
    TAILQ_INSERT_TAIL(&t->lists[c->list], c, in_list);
    t->waiting += is_waiting(c->list);
    atomic_store_explicit(&t->spare, t->waiting + t->stalled,
                          memory_order_relaxed);
}

static void watch_socket(struct http_connection *c, int events)
{
    const int now =
        ev_is_active(&c->io) ? c->io.events & (EV_READ | EV_WRITE) : 0;

    if (events == now)
        return;
    ev_io_stop(c->thread->loop, &c->io);
    if (events == 0)
        return;
    ev_io_set(&c->io, c->fd, events);
    ev_io_start(c->thread->loop, &c->io);
}

/* ---- the end ------------------------------------------------------------- */

/* Frees the connection's place, or passes it to whoever was promised one. */
void http_connection_give_place(struct http_connection *c)
{
    struct http_thread *t = c->thread;

    if (!c->has_place)
        return;
    c->has_place = false;
    if (atomic_load_explicit(&t->owed, memory_order_relaxed) > 0)
        atomic_fetch_sub(&t->owed, 1);
    else
        connection_budget_give(t->server->budget);
}

static void drop_request(struct http_connection *c)
{
    if (c->request != NULL)
        http_request_free(c->request);
    c->request = NULL;
}

/* Resets the connection at once, even if its socket has duplicates. */
static void reset_socket(int fd)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    (void)connect(fd, &nobody, sizeof(nobody));
}

void http_connection_close(struct http_connection *c, bool reset)
{
    struct http_thread *t = c->thread;

    if (c->phase == PHASE_CLOSED)
        return;
    if (reset)
        reset_socket(c->fd);
    watch_socket(c, 0);
    http_engine_stop(c);
    close(c->fd);
    drop_request(c);
    if (c->has_address)
        client_addresses_give(t->server->addresses, &c->address);
    http_connection_give_place(c);
    if (c->refusal != NULL)
        t->reserve_used--;
    http_connection_set_phase(c, PHASE_CLOSED);
}

/* Half-closes the socket, so that the client can read the answer. Closing it while
 * bytes of the client are unread would reset the connection and discard what the
 * client has not read yet. The library's daemon is left as it is. */
static void start_lingering(struct http_connection *c)
{
    if (shutdown(c->fd, SHUT_WR) != 0) {
        http_connection_close(c, false);
        return;
    }
    if (c->request != NULL)
        buffer_release(&c->request->body);
    http_connection_set_phase(c, PHASE_LINGERING);
    c->linger_until_ms = c->since_ms + HTTP_LINGER_MS;
    watch_socket(c, EV_READ);
}

/* No earlier answer is waiting to be sent, so this one fits the socket's buffer. */
static bool send_by_hand(struct http_connection *c)
{
    const struct buffer *out = &c->thread->out;

    return buffer_ok(out) &&
           send(c->fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
               (ssize_t)out->len;
}

static bool send_refusal(struct http_connection *c,
                         const struct http_refusal *refusal)
{
    bridge_count_response(0, refusal->status); /* no call counts it */
    buffer_clear(&c->thread->out);
    http_refusal_put(c, refusal, &c->thread->out);
    return send_by_hand(c);
}

void http_connection_refuse(struct http_connection *c,
                            const struct http_refusal *refusal)
{
    if (send_refusal(c, refusal))
        start_lingering(c);
    else
        http_connection_close(c, false);
}

static void send_own_answer(struct http_connection *c)
{
    buffer_clear(&c->thread->out);
    if (c->request->unsendable)
        http_request_fail(c->request, NULL);
    if (c->request->status == 0)
        http_connection_close(c, false); /* out of memory */
    else {
        http_refusal_put_answer(c->thread, c->request, &c->thread->out);
        if (send_by_hand(c))
            start_lingering(c);
        else
            http_connection_close(c, false);
    }
}

/* Whether the client has sent more than was read. */
static bool has_unread(const struct http_connection *c)
{
    int bytes = 0;

    return ioctl(c->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

static bool has_ended(const struct http_connection *c)
{
    char byte;
    const ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* ---- handling ------------------------------------------------------------ */

int http_detach(struct http_request *q)
{
    struct http_connection *c = q->connection;
    const int on = 1;
    const int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);

    /* Whoever takes the socket over counts the connection. */
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    http_connection_give_place(c);
    return fd;
}

/* Takes a place again for a connection that was not detached after all. */
static void take_place_again(struct http_connection *c)
{
    if (c->has_place || c->refusal != NULL)
        return;
    connection_budget_add(c->thread->server->budget);
    c->has_place = true;
}

static enum http_next handle_request(struct http_connection *c)
{
    const struct http_handler *h = &c->listener->handler;

    http_connection_set_phase(c, PHASE_HANDLING);
    c->request->again = false;
    const enum http_next next = h->handle(h->arg, c->request);
    c->request->waits = next == HTTP_SUSPENDED;
    if (next == HTTP_ANSWERED)
        take_place_again(c);
    return next;
}

/* For the case that the library is in the middle of a body and cannot answer. */
void http_connection_cut_body(struct http_connection *c)
{
    c->outcome = OUTCOME_CUT;
    c->request->too_long = true;
    c->request->close_after = true;
    switch (handle_request(c)) {
    case HTTP_ANSWERED: send_own_answer(c); break;
    case HTTP_SUSPENDED: break;
    case HTTP_DETACHED: http_connection_close(c, false); break;
    }
}

/* ---- the library's events ------------------------------------------------ */

static enum http_step refuse_and_leave(struct http_connection *c,
                                       struct http_refusal why)
{
    c->outcome = OUTCOME_REFUSE;
    c->why = why;
    return STEP_LEAVE;
}

static enum http_step cut_and_leave(struct http_connection *c)
{
    c->outcome = OUTCOME_CUT;
    return STEP_LEAVE;
}

static enum http_step on_head(struct http_connection *c,
                              const struct http_head *head)
{
    const struct http_handler *h = &c->listener->handler;
    struct http_request *q = c->request;
    const bool has_body = head->is_chunked || head->length > 0;

    /* A slow body must not keep a place of the reserve. */
    if (c->refusal != NULL &&
        (has_body || h->is_vital == NULL || !h->is_vital(h->arg, q)))
        return refuse_and_leave(c, *c->refusal);
    q->begun = true;
    q->body_max = h->begin(h->arg, q);
    if (!has_body)
        return STEP_ON;
    q->body_at_ms = c->thread->now_ms;
    http_connection_set_phase(c, PHASE_BODY);
    const uint64_t most =
        q->body_max +
        (head->expects_continue ? 0 : (uint64_t)HTTP_DISCARD_MAX);
    return head->length > most
               ? cut_and_leave(c) /* too long even to read and drop */
               : STEP_ON;
}

static enum http_step on_body(struct http_connection *c, struct slice data)
{
    struct http_request *q = c->request;

    q->body_seen += data.len;
    bridge_count(COUNT_HTTP_BODY_RECEIVED, data.len);
    q->body_at_ms = c->thread->now_ms;
    if (!q->too_long && q->body_seen <= q->body_max) {
        buffer_put_slice(&q->body, data);
        return buffer_ok(&q->body) ? STEP_ON : STEP_LEAVE;
    }
    if (!q->too_long) {
        q->too_long = true;
        q->discard_until_ms = c->thread->now_ms + HTTP_DISCARD_MS;
        buffer_release(&q->body);
    }
    return q->body_seen > q->body_max + HTTP_DISCARD_MAX ||
                   c->thread->now_ms > q->discard_until_ms
               ? cut_and_leave(c)
               : STEP_ON;
}

static enum http_step on_end(struct http_connection *c)
{
    if (c->request->waits)
        return STEP_ON;
    if (c->phase != PHASE_HANDLING || c->request->again) {
        switch (handle_request(c)) {
        case HTTP_ANSWERED: break;
        case HTTP_SUSPENDED: return STEP_ON;
        case HTTP_DETACHED: c->outcome = OUTCOME_DETACHED; return STEP_LEAVE;
        }
    }
    http_connection_set_phase(c, PHASE_ANSWERING);
    return STEP_ANSWER;
}

static void on_done(struct http_connection *c, bool is_whole)
{
    if (c->outcome == OUTCOME_CUT)
        return; /* the answer is sent without the library */
    if (is_whole)
        c->answered++;
    else if (c->phase == PHASE_ANSWERING && c->request->read != NULL &&
             c->outcome == OUTCOME_NONE)
        c->outcome = OUTCOME_FAILED;
    drop_request(c);
    if (is_whole && c->phase == PHASE_ANSWERING)
        http_connection_set_phase(c, PHASE_IDLE);
}

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 413: return "body: longer than the server accepts";
    case 414: return "request target: longer than 8192 bytes";
    case 431:
        return "header: longer than 16384 bytes, counting cookies twice and "
               "each query parameter as 64";
    case 505: return "HTTP version: must be 1.1 or 1.0";
    case 500: return HTTP_UNSENDABLE;
    default: break;
    }
    return status < 500
               ? "not a request of HTTP/1.1 (RFC 9112): see the request "
                 "line, the header lines and the chunks of the body"
               : "the request could not be read";
}

static void on_refused(struct http_connection *c, unsigned status)
{
    /* 500 while the head is made: the library gives the answer up, and nothing of it
     * has been sent. */
    if ((c->phase == PHASE_ANSWERING && status != 500) ||
        c->outcome == OUTCOME_REFUSED)
        return;
    if (c->outcome != OUTCOME_REFUSE)
        c->why = (struct http_refusal){status, reason_of(status)};
    c->outcome = OUTCOME_REFUSED;
    send_refusal(c, &c->why);
    shutdown(c->fd, SHUT_WR);
}

/* ---- turns --------------------------------------------------------------- */

static const struct http_refusal malformed = {
    400, "not HTTP: a request must begin like GET /health HTTP/1.1"};

/* The library has closed its side without saying why: it read no request line, the
 * client has gone, or that was the last answer. */
static void settle_closed(struct http_connection *c)
{
    if (c->answered > 0 && has_unread(c))
        start_lingering(c);
    else if (c->answered == 0 &&
             (c->phase == PHASE_IDLE || c->phase == PHASE_HEAD) &&
             !has_ended(c))
        http_connection_refuse(c, &malformed);
    else
        http_connection_close(c, false);
}

static void settle_outcome(struct http_connection *c)
{
    switch (c->outcome) {
    case OUTCOME_NONE: settle_closed(c); break;
    case OUTCOME_REFUSE: http_connection_refuse(c, &c->why); break;
    case OUTCOME_REFUSED: start_lingering(c); break;
    case OUTCOME_CUT: http_connection_cut_body(c); break;
    case OUTCOME_DETACHED:
        if (!http_engine_is_done(
                c)) /* stopping it would shut the socket down */
            http_engine_run(c);
        http_forget(c->thread, c->fd);
        http_connection_close(c, false); /* the duplicate lives on */
        break;
    case OUTCOME_FAILED: http_connection_close(c, true); break;
    }
}

static void watch_phase(struct http_connection *c)
{
    switch (c->phase) {
    case PHASE_IDLE:
    case PHASE_HEAD:
    case PHASE_BODY: watch_socket(c, EV_READ); break;
    case PHASE_ANSWERING: watch_socket(c, EV_WRITE); break;
    default: break; /* while it is handled, the first event stops the watch */
    }
}

/* Lets the library work until it has given an answer, or for RUNS_PER_TURN runs. */
static void run_engine(struct http_connection *c)
{
    bool has_more = true;

    c->answered = 0;
    for (int i = 0; i < RUNS_PER_TURN && has_more && c->answered == 0 &&
                    (i == 0 || c->phase != PHASE_HANDLING);
         i++) {
        has_more = http_engine_run(c);
        if (c->outcome != OUTCOME_NONE || http_engine_is_done(c)) {
            settle_outcome(c);
            return;
        }
    }
    watch_phase(c);
}

void http_connection_resumed(struct http_connection *c)
{
    c->request->waits = false;
    if (c->outcome == OUTCOME_CUT && c->request->again)
        http_connection_cut_body(c);
    else if (c->outcome == OUTCOME_CUT)
        send_own_answer(c);
    else
        run_engine(c);
}

/* ---- reading ------------------------------------------------------------- */

/* Before a daemon is started: whether there is anything for it to read. Some clients
 * send an empty line after a body, which belongs to nothing. */
static bool is_worth_reading(struct http_connection *c)
{
    static const char empty[] = "\r\n";
    char bytes[SNIFF_SIZE];
    const ssize_t n =
        recv(c->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        http_connection_close(c, false);
        return false;
    }
    size_t blank = 0;
    while (blank < (size_t)n && memchr(empty, bytes[blank], 2) != NULL)
        blank++;
    if (blank > 0) {
        recv(c->fd, bytes, blank, MSG_DONTWAIT);
        c->engine.bytes_known += blank;
        return false; /* what follows is read in the next turn */
    }
    if (http_head_may_begin(slice_of(bytes, (size_t)n)))
        return true;
    http_connection_refuse(c, &malformed);
    return false;
}

static const struct http_refusal no_room = {
    503, "no descriptors or memory for another request: retry later"};

static void read_on(struct http_connection *c)
{
    if (c->engine.daemon == NULL) {
        if (!is_worth_reading(c))
            return;
        if (!http_engine_start(c)) {
            http_connection_refuse(c, &no_room);
            return;
        }
    }
    run_engine(c);
    /* Some bytes have come, but no complete head. */
    if (c->phase == PHASE_IDLE && c->answered == 0)
        http_connection_set_phase(c, PHASE_HEAD);
}

static void discard_input(struct http_connection *c)
{
    const ssize_t n =
        recv(c->fd, c->thread->scratch, HTTP_READ_SIZE, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        http_connection_close(c, false);
        return;
    }
    c->discarded += (uint64_t)n;
    /* The remaining time is for reading the answer, which closing now would
     * discard. */
    if (c->discarded > HTTP_DISCARD_MAX)
        watch_socket(c, 0);
    else if (c->thread->now_ms < c->linger_until_ms)
        http_connection_set_phase(c, PHASE_LINGERING); /* not silent */
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
    struct http_connection *c = io->data;

    (void)loop, (void)events;
    c->thread->now_ms = clock_mono_us() / 1000;
    switch (c->phase) {
    case PHASE_IDLE:
    case PHASE_HEAD:
    case PHASE_BODY: read_on(c); break;
    case PHASE_ANSWERING:
        http_connection_set_phase(c, PHASE_ANSWERING); /* progress */
        run_engine(c);
        break;
    case PHASE_LINGERING: discard_input(c); break;
    default: watch_socket(c, 0); break;
    }
    http_reap(c->thread);
}

/* ---- start ------------------------------------------------------------------ */

static const struct http_engine_events engine_events = {
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .done = on_done,
    .refused = on_refused,
    .leave = refuse_and_leave,
};

void http_connection_begin(struct http_connection *c)
{
    struct http_thread *t = c->thread;

    c->engine.events = &engine_events;
    c->engine.is_countable = true;
    c->since_ms = t->now_ms;
    c->list = list_of(c);
    TAILQ_INSERT_TAIL(&t->lists[c->list], c, in_list);
    t->waiting += is_waiting(c->list);
    http_connection_set_phase(c, PHASE_IDLE);
    ev_io_init(&c->io, on_io, c->fd, EV_READ);
    c->io.data = c;
    ev_io_start(t->loop, &c->io);
}
