/* One socket: bytes come in, requests are handled one after the other, answers
 * go out. What a client sends ahead waits until the answer before is sent. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "bridge/http_private.h"

/* After these it is the others' turn. */
/* Of what a connection has sent ahead. An answer may cost a walk over history: 30
 * connections with 20 of these each kept everybody else of the thread waiting for
 * eight seconds when a turn had many. */
#define REQUESTS_PER_TURN 1
#define BLOCKS_PER_TURN 4
#define CHUNK_HEAD_MAX 16U /* "fedcba98\r\n" and some */

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

void http_connection_close(struct http_connection *c, bool reset)
{
    struct http_thread *t = c->thread;
    const struct linger at_once = {1, 0};

    if (c->phase == PHASE_CLOSED)
        return;
    if (reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    watch(c, 0);
    close(c->fd);
    drop_request(c);
    buffer_release(&c->in);
    buffer_release(&c->out);
    if (c->wants_more)
        STAILQ_REMOVE(&t->more, c, http_connection, in_more);
    c->wants_more = false;
    if (c->has_address)
        client_addresses_give(t->server->addresses, &c->address);
    http_connection_give_place(c);
    if (c->refusal != NULL)
        t->reserve_used--;
    http_connection_set_phase(c, PHASE_CLOSED);
}

/* The client gets to see the answer before the socket goes: closing at once,
 * with bytes of the client's unread, would reset the connection and take away
 * what it has not read yet. */
static void linger(struct http_connection *c)
{
    drop_request(c);
    buffer_release(&c->in);
    buffer_release(&c->out);
    if (shutdown(c->fd, SHUT_WR) != 0) {
        http_connection_close(c, false);
        return;
    }
    http_connection_set_phase(c, PHASE_LINGERING);
    watch(c, EV_READ);
}

void http_connection_refuse(struct http_connection *c,
                            const struct http_refusal *refusal)
{
    struct http_thread *t = c->thread;

    buffer_clear(&t->head);
    http_answer_put_refusal(t, refusal, &t->head);
    /* Nothing of an earlier answer is waiting: it fits. */
    if (!buffer_ok(&t->head) ||
        send(c->fd, t->head.data, t->head.len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
            (ssize_t)t->head.len) {
        http_connection_close(c, false);
        return;
    }
    linger(c);
}

/* ---- sending ------------------------------------------------------------- */

/* Bytes taken, 0 when none; -1: the connection is gone, and closed. */
static ssize_t send_now(struct http_connection *c, struct slice first,
                        struct slice second)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)first.data, first.len},
                             {(void *)(uintptr_t)second.data, second.len}};
    const struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    const ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0 && c->phase == PHASE_ANSWERING)
        http_connection_set_phase(c, PHASE_ANSWERING); /* progress */
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    http_connection_close(c, false);
    return -1;
}

static struct slice content_left(const struct http_request *q)
{
    if (!http_answer_sends_content(q) || q->read != NULL)
        return slice_of(NULL, 0);
    return slice_of(q->content.data + q->content_sent,
                    q->content.len - q->content_sent);
}

static bool keep_out(struct http_connection *c, struct slice rest)
{
    buffer_put_slice(&c->out, rest);
    if (buffer_ok(&c->out))
        return true;
    http_connection_close(c, true);
    return false;
}

/* Has the client sent more than was read? */
static bool has_unread(const struct http_connection *c)
{
    int bytes = 0;

    return ioctl(c->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

static void answer_done(struct http_connection *c)
{
    if (!http_answer_keeps(c->request)) {
        if (c->leaves_input || c->in.len > c->in_used || has_unread(c))
            linger(c);
        else
            http_connection_close(c, false);
        return;
    }
    drop_request(c);
    http_connection_set_phase(c, PHASE_IDLE);
    watch(c, EV_READ);
}

/* The next part of a body of unknown length, with what a chunk has around it. */
static bool next_block(struct http_connection *c, struct slice *ret,
                       bool *ret_last)
{
    struct http_request *q = c->request;
    char *data = c->thread->block + CHUNK_HEAD_MAX;
    const ssize_t n = q->read(q->arg, data, HTTP_READ_SIZE);

    if (n < 0)
        return false;
    *ret_last = n == 0;
    if (!http_answer_is_chunked(q)) {
        *ret = slice_of(data, (size_t)n);
        return true;
    }
    if (n == 0) {
        *ret = slice_str("0\r\n\r\n");
        return true;
    }
    char head[CHUNK_HEAD_MAX];
    const int len = snprintf(head, sizeof(head), "%zx\r\n", (size_t)n);
    memcpy(data - len, head, (size_t)len);
    memcpy(data + n, "\r\n", 2);
    *ret = slice_of(data - len, (size_t)(len + n + 2));
    return true;
}

enum sent { SENT_ALL, SENT_SOME, SENT_CLOSED };

static enum sent send_blocks(struct http_connection *c)
{
    for (int i = 0; i < BLOCKS_PER_TURN; i++) {
        struct slice block;
        bool last = false;
        if (!next_block(c, &block, &last)) {
            http_connection_close(c, true); /* a part is not the whole */
            return SENT_CLOSED;
        }
        if (block.len == 0)
            return SENT_ALL;
        const ssize_t n = send_now(c, block, slice_of(NULL, 0));
        if (n < 0)
            return SENT_CLOSED;
        if ((size_t)n < block.len) {
            if (last)
                c->request->read = NULL; /* nothing comes after these bytes */
            if (!keep_out(c, slice_of((const char *)block.data + n,
                                      block.len - (size_t)n)))
                return SENT_CLOSED;
            return SENT_SOME;
        }
        if (last)
            return SENT_ALL;
    }
    return SENT_SOME; /* the others' turn; the socket may still take more */
}

static enum sent send_kept(struct http_connection *c)
{
    struct http_request *q = c->request;
    const struct slice kept =
        slice_of(c->out.data + c->out_sent, c->out.len - c->out_sent);
    const struct slice content = content_left(q);

    if (kept.len + content.len > 0) {
        const ssize_t n = send_now(c, kept, content);
        if (n < 0)
            return SENT_CLOSED;
        const size_t of_kept = (size_t)n < kept.len ? (size_t)n : kept.len;
        c->out_sent += of_kept;
        q->content_sent += (size_t)n - of_kept;
        if ((size_t)n < kept.len + content.len)
            return SENT_SOME;
    }
    buffer_release(&c->out);
    c->out_sent = 0;
    return q->read != NULL && http_answer_sends_content(q) ? send_blocks(c)
                                                           : SENT_ALL;
}

static void send_on(struct http_connection *c)
{
    switch (send_kept(c)) {
    case SENT_ALL: answer_done(c); break;
    case SENT_SOME: watch(c, EV_WRITE); break;
    case SENT_CLOSED: break;
    }
}

static void start_answer(struct http_connection *c)
{
    struct http_thread *t = c->thread;
    struct http_request *q = c->request;

    buffer_clear(&t->head);
    if (q->status != 0)
        http_answer_put_head(t, q, &t->head);
    if (q->status == 0 || !buffer_ok(&t->head)) {
        http_connection_close(c, false); /* out of memory */
        return;
    }
    const struct slice head = buffer_slice(&t->head);
    const ssize_t n = send_now(c, head, content_left(q));
    if (n < 0)
        return;
    if ((size_t)n < head.len) {
        if (!keep_out(c, slice_of((const char *)head.data + n,
                                  head.len - (size_t)n)))
            return;
    } else {
        q->content_sent = (size_t)n - head.len;
    }
    if (c->out.len == 0 && content_left(q).len == 0 &&
        (q->read == NULL || !http_answer_sends_content(q))) {
        answer_done(c);
        return;
    }
    http_connection_set_phase(c, PHASE_ANSWERING);
    send_on(c);
}

/* ---- handling ------------------------------------------------------------ */

int http_detach(struct http_request *q)
{
    struct http_connection *c = q->connection;
    const int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);

    /* Who takes it counts it. */
    if (fd >= 0)
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

static void handle(struct http_connection *c)
{
    const struct http_handler *h = &c->thread->server->handler;

    http_connection_set_phase(c, PHASE_HANDLING);
    switch (h->handle(h->arg, c->request)) {
    case HTTP_ANSWERED:
        take_place_again(c);
        start_answer(c);
        break;
    case HTTP_SUSPENDED: break;
    case HTTP_DETACHED:
        http_forget(c->thread, c->fd);
        http_connection_close(c, false); /* the duplicate lives on */
        break;
    }
}

void http_connection_resumed(struct http_connection *c)
{
    start_answer(c);
    http_connection_go_on(c);
}

void http_connection_cut_body(struct http_connection *c)
{
    c->request->too_long = true;
    c->request->close_after = true;
    c->leaves_input = true;
    handle(c);
}

/* ---- bodies -------------------------------------------------------------- */

static void keep_body(struct http_connection *c, struct slice data)
{
    struct http_request *q = c->request;

    q->body_seen += data.len;
    q->body_at_ms = c->thread->now_ms;
    if (!q->too_long && q->body_seen <= q->body_max) {
        buffer_put_slice(&q->body, data);
        if (!buffer_ok(&q->body))
            http_connection_close(c, false);
    } else if (!q->too_long) {
        q->too_long = true;
        q->discard_until_ms = c->thread->now_ms + HTTP_DISCARD_MS;
        buffer_release(&q->body);
    }
}

static bool has_sent_enough(const struct http_connection *c)
{
    const struct http_request *q = c->request;

    return q->too_long && (q->body_seen > q->body_max + HTTP_DISCARD_MAX ||
                           c->thread->now_ms > q->discard_until_ms);
}

static void take_chunks(struct http_connection *c, struct slice *in)
{
    static const struct http_refusal bad = {
        400, "body: no chunks of RFC 9112 §7.1"};
    struct http_request *q = c->request;
    struct slice data;

    while (c->phase == PHASE_BODY && in->len > 0) {
        switch (http_chunks_next(&q->chunks, in, &data)) {
        case HTTP_CHUNKS_DATA: keep_body(c, data); break;
        case HTTP_CHUNKS_END: handle(c); return;
        case HTTP_CHUNKS_BAD: http_connection_refuse(c, &bad); return;
        case HTTP_CHUNKS_MORE: return;
        }
    }
}

static void take_length(struct http_connection *c, struct slice *in)
{
    struct http_request *q = c->request;
    const size_t n = in->len < q->body_left ? in->len : (size_t)q->body_left;

    keep_body(c, slice_of(in->data, n));
    *in = slice_of((const char *)in->data + n, in->len - n);
    q->body_left -= n;
    if (q->body_left == 0 && c->phase == PHASE_BODY)
        handle(c);
}

static void take_body(struct http_connection *c, struct slice *in)
{
    if (c->request->is_chunked)
        take_chunks(c, in);
    else
        take_length(c, in);
    if (c->phase == PHASE_BODY && has_sent_enough(c))
        http_connection_cut_body(c);
}

static void send_continue(struct http_connection *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const ssize_t len = sizeof(text) - 1;

    if (send_now(c, slice_of(text, sizeof(text) - 1), slice_of(NULL, 0)) !=
        len)
        http_connection_close(c, false);
}

/* ---- requests ------------------------------------------------------------ */

static void begin(struct http_connection *c, bool expects_continue,
                  bool body_is_there)
{
    const struct http_handler *h = &c->thread->server->handler;
    struct http_request *q = c->request;

    const bool has_body = q->is_chunked || q->body_left > 0;

    /* Nobody keeps a place of the reserve by sending a body slowly. */
    if (c->refusal != NULL &&
        (has_body || h->is_vital == NULL || !h->is_vital(q))) {
        http_request_refuse(q, c->refusal);
        c->leaves_input = has_body;
        http_connection_set_phase(c, PHASE_HANDLING);
        start_answer(c);
        return;
    }
    q->begun = true;
    q->body_max = h->begin(h->arg, q);
    if (!has_body) {
        handle(c);
        return;
    }
    q->body_at_ms = c->thread->now_ms;
    http_connection_set_phase(c, PHASE_BODY);
    const bool asks_first = expects_continue && !body_is_there;
    const uint64_t most =
        q->body_max + (asks_first ? 0 : (uint64_t)HTTP_DISCARD_MAX);
    if (q->body_left > most)
        http_connection_cut_body(c); /* there is no point in reading it */
    else if (asks_first)
        send_continue(c);
}

/* false: the rest has to come first. */
static bool take_head(struct http_connection *c, struct slice *in)
{
    struct http_head *head = &c->thread->parsed;
    struct http_refusal refusal;
    size_t len = 0;

    switch (http_head_parse(*in, head, &len, &refusal)) {
    case HTTP_HEAD_PARTIAL:
        if (c->phase == PHASE_IDLE)
            http_connection_set_phase(c, PHASE_HEAD);
        return false;
    case HTTP_HEAD_REFUSED: http_connection_refuse(c, &refusal); return false;
    case HTTP_HEAD_WHOLE: break;
    }
    c->request = http_request_new(c, head, slice_of(in->data, len));
    if (c->request == NULL) {
        http_connection_close(c, false);
        return false;
    }
    *in = slice_of((const char *)in->data + len, in->len - len);
    begin(c, head->expects_continue, in->len > 0);
    return true;
}

static void want_more(struct http_connection *c)
{
    if (c->wants_more)
        return;
    c->wants_more = true;
    STAILQ_INSERT_TAIL(&c->thread->more, c, in_more);
    http_wake(c->thread);
}

/* Some clients end a body with an empty line that belongs to nothing. */
static void skip_empty_lines(struct slice *in)
{
    const char *p = in->data;
    size_t n = 0;

    while (n + 1 < in->len && p[n] == '\r' && p[n + 1] == '\n')
        n += 2;
    *in = slice_of(p + n, in->len - n);
}

/* Takes from *in what can be worked on now. */
static void work_on(struct http_connection *c, struct slice *in)
{
    for (int i = 0; in->len > 0;) {
        if (c->phase == PHASE_BODY) {
            take_body(c, in);
        } else if (c->phase == PHASE_IDLE || c->phase == PHASE_HEAD) {
            if (i++ == REQUESTS_PER_TURN) {
                want_more(c);
                return;
            }
            skip_empty_lines(in);
            if (in->len > 0 && !take_head(c, in))
                return;
        } else {
            return;
        }
    }
}

/* ---- reading ------------------------------------------------------------- */

static bool is_done_with(const struct http_connection *c)
{
    return c->phase == PHASE_CLOSED || c->phase == PHASE_LINGERING;
}

/* What was kept, and `data` behind it. */
static void work_on_kept(struct http_connection *c, struct slice data)
{
    buffer_put_slice(&c->in, data);
    if (!buffer_ok(&c->in)) {
        http_connection_close(c, false);
        return;
    }
    /* out of c, so that closing it does not free what is worked on */
    struct buffer kept = c->in;
    struct slice in = slice_of(kept.data + c->in_used, kept.len - c->in_used);
    c->in = BUFFER_INIT;
    c->in_used = 0;
    work_on(c, &in);
    if (is_done_with(c) || in.len == 0) {
        buffer_release(&kept);
        return;
    }
    c->in = kept;
    c->in_used = (size_t)((const char *)in.data - kept.data);
    if (c->in_used > kept.len / 2) {
        memmove(kept.data, in.data, in.len);
        c->in.len = in.len;
        c->in_used = 0;
    }
}

static void work_on_new(struct http_connection *c, struct slice in)
{
    work_on(c, &in);
    if (is_done_with(c) || in.len == 0)
        return;
    buffer_put_slice(&c->in, in);
    if (!buffer_ok(&c->in))
        http_connection_close(c, false);
}

static bool reads(const struct http_connection *c)
{
    return c->phase == PHASE_IDLE || c->phase == PHASE_HEAD ||
           c->phase == PHASE_BODY;
}

void http_connection_go_on(struct http_connection *c)
{
    if (c->in.len > 0 && reads(c))
        work_on_kept(c, slice_of(NULL, 0));
    if (reads(c) && !c->wants_more)
        watch(c, EV_READ);
}

static void discard(struct http_connection *c, size_t n)
{
    c->discarded += n;
    /* What is left of HTTP_DISCARD_MS is for reading the answer, which closing
     * now would take away. */
    if (c->discarded > HTTP_DISCARD_MAX)
        watch(c, 0);
}

static void read_on(struct http_connection *c)
{
    struct http_thread *t = c->thread;

    if (c->phase == PHASE_HANDLING || c->phase == PHASE_ANSWERING ||
        c->wants_more) {
        watch(c, c->phase == PHASE_ANSWERING ? EV_WRITE : 0);
        return;
    }
    const ssize_t n = recv(c->fd, t->scratch, HTTP_READ_SIZE, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        http_connection_close(c, false);
    else if (c->phase == PHASE_LINGERING)
        discard(c, (size_t)n);
    else if (c->in.len > 0)
        work_on_kept(c, slice_of(t->scratch, (size_t)n));
    else
        work_on_new(c, slice_of(t->scratch, (size_t)n));
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
    struct http_connection *c = io->data;

    (void)loop;
    c->thread->now_ms = clock_mono_us() / 1000;
    if ((events & EV_WRITE) != 0 && c->phase == PHASE_ANSWERING) {
        send_on(c);
        http_connection_go_on(c);
    } else if ((events & EV_READ) != 0) {
        read_on(c);
    }
    http_reap(c->thread);
}

/* ---- the beginning ------------------------------------------------------- */

static const struct http_refusal too_many_of_address = {
    429, "too many connections from your address (limits.connections_per_"
         "address): close some, or retry later"};
static const struct http_refusal too_many = {
    503, "too many connections (limits.connections): retry later"};

static uint64_t most_of(const struct http_server *s,
                        const struct client_address *a)
{
    return client_address_is_loopback(a) ? s->most_of_loopback
                                         : s->most_of_address;
}

/* NULL: it is let in. */
static const struct http_refusal *let_in(struct http_connection *c)
{
    struct http_server *s = c->thread->server;

    c->has_address = client_addresses_take(s->addresses, &c->address,
                                           most_of(s, &c->address));
    if (!c->has_address)
        return &too_many_of_address;
    c->has_place = connection_budget_take(s->budget);
    return c->has_place ? NULL : &too_many;
}

/* false: the reserve is full of requests under way. */
static bool enter_reserve(struct http_thread *t)
{
    if (t->reserve_used >= HTTP_RESERVE && !http_deadlines_clear_reserve(t))
        return false;
    t->reserve_used++;
    return true;
}

void http_connection_begin(struct http_thread *t, int fd,
                           const struct sockaddr_storage *peer)
{
    struct http_connection *c = calloc(1, sizeof(*c));
    const int on = 1;

    if (c == NULL) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c->thread = t;
    c->fd = fd;
    c->peer = *peer;
    c->address = client_address_of((const struct sockaddr *)peer);
    c->refusal = let_in(c);
    if (c->refusal != NULL && !enter_reserve(t)) {
        if (c->has_address)
            client_addresses_give(t->server->addresses, &c->address);
        close(fd);
        free(c);
        return;
    }
    c->since_ms = t->now_ms;
    c->list = list_of(c);
    TAILQ_INSERT_TAIL(&t->lists[c->list], c, in_list);
    t->waiting += is_waiting(c->list);
    http_connection_set_phase(c, PHASE_IDLE);
    ev_io_init(&c->io, on_io, fd, EV_READ);
    c->io.data = c;
    ev_io_start(t->loop, &c->io);
}
