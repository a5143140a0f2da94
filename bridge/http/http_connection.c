/* One socket: in which phase it is, what the library may do next, and how it
 * ends. What a client sends ahead waits until the answer before is sent. */
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

/* After these, or one answer, it is the others' turn. An answer may cost a walk
 * over history: 30 connections that had each sent 20 of these ahead kept
 * everybody else of the thread waiting for eight seconds. */
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
    /* The reserve counts from the beginning. */
    if (c->list != LIST_RESERVE || !is_waiting(phase))
        c->since_ms = t->now_ms;
    c->phase = phase;
    c->list = list_of(c);
    TAILQ_INSERT_TAIL(&t->lists[c->list], c, in_list);
    t->waiting += is_waiting(c->list);
    atomic_store_explicit(&t->spare, t->waiting + t->stalled,
                          memory_order_relaxed);
}

static void watch(struct http_connection *c, int events)
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

/* Whoever has been promised a place gets this one. */
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

/* At once, whatever duplicates there are. */
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
    watch(c, 0);
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

/* The client gets to see the answer before the socket goes: closing at once,
 * with bytes of the client's unread, would reset the connection and take away
 * what it has not read yet. What the library knows of it is left as it is. */
static void linger(struct http_connection *c)
{
    if (shutdown(c->fd, SHUT_WR) != 0) {
        http_connection_close(c, false);
        return;
    }
    if (c->request != NULL)
        buffer_release(&c->request->body);
    http_connection_set_phase(c, PHASE_LINGERING);
    c->linger_until_ms = c->since_ms + HTTP_LINGER_MS;
    watch(c, EV_READ);
}

/* Nothing of an earlier answer is waiting: it fits. */
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
    bridge_count_response(0, refusal->status); /* its door has none to count */
    buffer_clear(&c->thread->out);
    http_refusal_put(c->thread, refusal, &c->thread->out);
    return send_by_hand(c);
}

void http_connection_refuse(struct http_connection *c,
                            const struct http_refusal *refusal)
{
    if (send_refusal(c, refusal))
        linger(c);
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
            linger(c);
        else
            http_connection_close(c, false);
    }
}

/* Has the client sent more than was read? */
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

    /* Who takes it counts it. */
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    http_connection_give_place(c);
    return fd;
}

/* It stayed after all. */
static void take_place_again(struct http_connection *c)
{
    if (c->has_place || c->refusal != NULL)
        return;
    connection_budget_add(c->thread->server->budget);
    c->has_place = true;
}

static enum http_next handle(struct http_connection *c)
{
    const struct http_handler *h = &c->thread->server->handler;

    http_connection_set_phase(c, PHASE_HANDLING);
    const enum http_next next = h->handle(h->arg, c->request);
    c->request->waits = next == HTTP_SUSPENDED;
    if (next == HTTP_ANSWERED)
        take_place_again(c);
    return next;
}

/* The library answers no more: it is in the middle of a body. */
void http_connection_cut_body(struct http_connection *c)
{
    c->outcome = OUTCOME_CUT;
    c->request->too_long = true;
    c->request->close_after = true;
    switch (handle(c)) {
    case HTTP_ANSWERED: send_own_answer(c); break;
    case HTTP_SUSPENDED: break;
    case HTTP_DETACHED: http_connection_close(c, false); break;
    }
}

/* ---- what the library tells ---------------------------------------------- */

static enum http_step leave(struct http_connection *c, struct http_refusal why)
{
    c->outcome = OUTCOME_REFUSE;
    c->why = why;
    return STEP_LEAVE;
}

static enum http_step cut(struct http_connection *c)
{
    c->outcome = OUTCOME_CUT;
    return STEP_LEAVE;
}

static enum http_step on_head(struct http_connection *c,
                              const struct http_head *head)
{
    const struct http_handler *h = &c->thread->server->handler;
    struct http_request *q = c->request;
    const bool has_body = head->is_chunked || head->length > 0;

    /* Nobody keeps a place of the reserve by sending a body slowly. */
    if (c->refusal != NULL &&
        (has_body || h->is_vital == NULL || !h->is_vital(h->arg, q)))
        return leave(c, *c->refusal);
    q->begun = true;
    q->body_max = h->begin(h->arg, q);
    if (!has_body)
        return STEP_ON;
    q->body_at_ms = c->thread->now_ms;
    http_connection_set_phase(c, PHASE_BODY);
    const uint64_t most =
        q->body_max +
        (head->expects_continue ? 0 : (uint64_t)HTTP_DISCARD_MAX);
    return head->length > most ? cut(c) /* there is no point in reading it */
                               : STEP_ON;
}

static enum http_step on_body(struct http_connection *c, struct slice data)
{
    struct http_request *q = c->request;

    q->body_seen += data.len;
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
               ? cut(c)
               : STEP_ON;
}

static enum http_step on_end(struct http_connection *c)
{
    if (c->request->waits)
        return STEP_ON;
    if (c->phase != PHASE_HANDLING) {
        switch (handle(c)) {
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
        return; /* it goes on without the library */
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
    case 413: return "body: longer than can be taken";
    case 414: return "request target: longer than 8192 bytes";
    case 431:
        return "header: longer than 16384 bytes, where cookies count twice and "
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
    /* Of an answer that the library gives up while its head is made nothing was
     * sent. */
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

/* The library has closed its side without saying why: the request line was none,
 * the client has gone, or the answer was the last. */
static void settle_closed(struct http_connection *c)
{
    if (c->answered > 0 && has_unread(c))
        linger(c);
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
    case OUTCOME_REFUSED: linger(c); break;
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
    case PHASE_BODY: watch(c, EV_READ); break;
    case PHASE_ANSWERING: watch(c, EV_WRITE); break;
    default: break; /* what comes while it is handled stops the watch then */
    }
}

/* Lets the library work, for one answer or what a turn has room for. */
static void run(struct http_connection *c)
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
    if (c->outcome == OUTCOME_CUT)
        send_own_answer(c);
    else
        run(c);
}

/* ---- reading ------------------------------------------------------------- */

/* Before the library is there: false when there is nothing for it. Some clients
 * end a body with an empty line that belongs to nothing. */
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
        return false; /* the rest is there in the next turn */
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
    run(c);
    /* Something came, and no whole head is there. */
    if (c->phase == PHASE_IDLE && c->answered == 0)
        http_connection_set_phase(c, PHASE_HEAD);
}

static void discard(struct http_connection *c)
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
    /* What is left of its time is for reading the answer, which closing now
     * would take away. */
    if (c->discarded > HTTP_DISCARD_MAX)
        watch(c, 0);
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
        run(c);
        break;
    case PHASE_LINGERING: discard(c); break;
    default: watch(c, 0); break;
    }
    http_reap(c->thread);
}

/* ---- the beginning ------------------------------------------------------- */

static const struct http_engine_events engine_events = {
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .done = on_done,
    .refused = on_refused,
    .leave = leave,
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
