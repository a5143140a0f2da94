/* Input from a client: splits it into packets, handles these as far as
 * credits allow, and keeps the rest.
 *
 * Packets take effect in the order in which they arrive. A PUBLISH takes
 * effect when the writer has stored it and this worker has fanned it out. So
 * a SUBSCRIBE or an UNSUBSCRIBE behind it is not handled until then: a new
 * subscription gets messages published before it as retained ones or not at
 * all (MQTT-3.3.1-9 to -11), one that ends or changes has already got them,
 * and SUBACK does not overtake PUBACK. This takes as long as a PUBACK, and
 * no time if nothing was published. An UNSUBSCRIBE also waits for
 * acknowledged messages of others. With a stored session, a packet that
 * names a filter whose SUBSCRIBE is not answered yet waits for that answer. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "broker/client/connection_counts.h"
#include "broker/client/connection_private.h"
#include "broker/client/lobby.h"

#define PARTIAL_MIN 256 /* room for the beginning of a packet */

static bool is_serving(const struct connection *c)
{
    return c->state <= CONNECTION_OPEN && c->worker->phase == HUB_SERVING;
}

/* A message it published is not answered yet. Administrators never wait for
 * that: the bridge's link carries many clients, who would all wait for each
 * other; their order is kept elsewhere (stream_catchup.c). */
static bool awaits_answers(const struct connection *c)
{
    return c->role != ROLE_ADMIN && (c->messages > 0 || c->unacked_count > 0);
}

static bool awaits_own(const struct connection *c)
{
    return awaits_answers(c) ||
           (c->role != ROLE_ADMIN && c->awaited_id > c->worker->head);
}

/* Whether the packet must wait. It may have been looked at before; entries
 * added to the log since then do not count for it. */
static bool input_must_wait(struct connection *c, const struct packet_frame *f)
{
    uint64_t head;

    if (f->type == PACKET_UNSUBSCRIBE && c->role != ROLE_ADMIN &&
        !c->behind_own && worker_read_log_head(c->worker, &head) &&
        head > c->awaited_id)
        c->awaited_id = head;
    return (f->type == PACKET_SUBSCRIBE || f->type == PACKET_UNSUBSCRIBE) &&
           awaits_own(c);
}

/* Whether another packet may be handled now. */
static bool input_may_read(const struct connection *c)
{
    return is_serving(c) && !c->held && !c->opening && !c->leaving &&
           c->joining == 0 && !c->behind_store &&
           !(c->behind_own && awaits_own(c)) && credits_allow_reading(c) &&
           !credits_are_short(c);
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
    if (!c->stalled && (credits_are_short(c) || !credits_allow_reading(c)))
        counter_add(&c->worker->counters.credit_stalls, 1);
    c->stalled = true;
    if (credits_are_short(c))
        credits_await(c);
    /* The last answer does not resume it: fan-out does. */
    if (c->behind_own && !c->in_behind && !awaits_answers(c)) {
        c->in_behind = true;
        TAILQ_INSERT_TAIL(&c->worker->behind, c, behind);
    }
}

static void await_turn(struct connection *c)
{
    connection_stall(c);
    turn_share_wait(c);
}

void connection_resume_behind(struct worker *w)
{
    struct connection *c;

    while ((c = TAILQ_FIRST(&w->behind)) != NULL && c->awaited_id <= w->head) {
        connection_forget_behind(c);
        connection_resume(c);
    }
}

/* Bytes read and not consumed, with the buffer they are in. */
struct kept {
    char *data;
    size_t len, cap;
};

static struct kept input_take(struct connection *c)
{
    const struct kept in = {c->in.data, c->in.len, c->in.cap};

    held_give_input(c, in.cap);
    c->in.data = NULL;
    c->in.len = c->in.cap = 0;
    return in;
}

static void input_put(struct connection *c, char *data, size_t len, size_t cap)
{
    held_add_input(c, cap);
    c->in.data = data;
    c->in.len = len;
    c->in.cap = cap;
}

/* Keeps the end of data[0…), which may be inside `own` (reused or freed).
 * Closes the connection if memory is short. */
static void input_keep_rest(struct connection *c, struct kept own,
                            const char *data, size_t len)
{
    /* A few bytes must not keep the buffer of a large packet. */
    const bool reuse = own.data != NULL && len > 0 &&
                       (own.cap <= 2 * WORKER_READ_SIZE || len >= own.cap / 4);
    const size_t cap = reuse ? own.cap : len > PARTIAL_MIN ? len : PARTIAL_MIN;
    char *to = reuse ? own.data : len > 0 ? malloc(cap) : NULL;

    if (len > 0 && to != NULL && held_input_has_room(c, cap)) {
        memmove(to, data, len);
        input_put(c, to, len, cap);
        if (!reuse)
            free(own.data);
        return;
    }
    if (len > 0)
        connection_close(c, to == NULL ? CLOSE_NO_MEMORY : CLOSE_BUSY, NULL);
    if (!reuse)
        free(to);
    free(own.data);
}

/* Each may take as long as many other packets. */
static bool is_costly(enum packet_type type)
{
    return type == PACKET_SUBSCRIBE || type == PACKET_UNSUBSCRIBE ||
           type == PACKET_CONNECT;
}

enum input_result {
    INPUT_PAUSED, /* the rest is not a complete packet, or must wait */
    INPUT_ENDED   /* the connection has ended */
};

/* Handles complete packets in data[0…len); *ret_used bytes are consumed.
 * *ret_home: the worker that the connection must move to, or NULL. */
static enum input_result input_take_packets(struct connection *c,
                                            const char *data, size_t len,
                                            size_t *ret_used,
                                            struct worker **ret_home)
{
    struct turn_meter meter = turn_meter_begin(c, len);
    struct packet_frame frame;
    struct packet_error error;
    size_t used = 0;
    bool goes_on = turn_share_is_left(c);

    *ret_home = NULL;
    while (used < len && goes_on && input_may_read(c)) {
        if (c->state == CONNECTION_NEW &&
            (uint8_t)data[used] >> 4 != PACKET_CONNECT) {
            connection_close(c, CLOSE_PROTOCOL,
                             "the first packet must be CONNECT");
            return INPUT_ENDED;
        }
        const enum packet_framing framing =
            packet_frame(data + used, len - used, c->packet_max, &frame,
                         &error);
        if (framing == PACKET_MORE)
            break;
        if (framing == PACKET_BROKEN) {
            c->events->broken(c, &error);
            return INPUT_ENDED;
        }
        if (c->state == CONNECTION_NEW && !c->pinned) {
            struct worker *home = c->events->place(c, &frame);
            lobby_leave(c);
            if (home != c->worker) {
                *ret_home = home;
                break;
            }
        }
        c->behind_own = input_must_wait(c, &frame);
        if (c->behind_own)
            break;
        c->events->packet(c, &frame);
        const bool again = c->joining > 0 || c->behind_store;
        if (!again)
            counter_add(&c->worker->counters.packets, 1);
        if (c->state >= CONNECTION_LINGERING) {
            turn_meter_end(&meter, c);
            return INPUT_ENDED;
        }
        if (again)
            break; /* this SUBSCRIBE is read again (subscribe.h) */
        used += frame.size;
        goes_on = turn_meter_goes_on(&meter, c, is_costly(frame.type));
    }
    turn_meter_end(&meter, c);
    *ret_used = used;
    return INPUT_PAUSED;
}

static void input_move(struct connection *c, struct worker *home)
{
    struct worker *w = c->worker;

    connection_detach(c);
    if (worker_move(home, c))
        return;
    log_debug("broker", "%s closed: its worker is busy", c->peer);
    atomic_fetch_add_explicit(&w->closed[CLOSE_BUSY], 1, memory_order_relaxed);
    connection_counts_closed(w->hub, c);
    connection_free(c);
}

/* Takes `own` (may be empty), which may contain data. Afterwards the
 * connection may belong to another worker: do not touch it. */
static void input_handle(struct connection *c, struct kept own,
                         const char *data, size_t len)
{
    struct worker *home;
    size_t used;

    if (input_take_packets(c, data, len, &used, &home) == INPUT_ENDED) {
        free(own.data);
        return;
    }
    c->events->read(c->worker);
    input_keep_rest(c, own, data + used, len - used);
    if (c->state >= CONNECTION_LINGERING)
        return;
    if (home != NULL)
        input_move(c, home);
    else if (!input_may_read(c))
        connection_stall(c);
    else if (used < len && !turn_share_is_left(c))
        await_turn(c);
    else
        start_reading(c);
}

/* Reads the rest of a large packet. Its buffer doubles as bytes arrive, so
 * that announcing a length costs nothing. */
static ssize_t input_read_large(struct connection *c, struct kept *in)
{
    if (in->cap - in->len < WORKER_READ_SIZE / 2) {
        char *data = held_input_has_room(c, in->cap * 2)
                         ? realloc(in->data, in->cap * 2)
                         : NULL;
        if (data == NULL) {
            errno = ENOMEM;
            return -1;
        }
        in->data = data;
        in->cap *= 2;
    }
    return transport_read(&c->transport, in->data + in->len,
                          in->cap - in->len);
}

static ssize_t input_read_small(struct connection *c, const struct kept *in)
{
    char *to = c->worker->read_buffer;

    if (in->len > 0)
        memcpy(to, in->data, in->len);
    return transport_read(&c->transport, to + in->len, WORKER_READ_SIZE);
}

/* Nothing to read; a handshake may have to write first, or a pong may be
 * waiting. */
static void input_read_on(struct connection *c)
{
    if (!c->pinned)
        start_reading(c);
    else if (transport_owes(&c->transport))
        connection_flush(c);
}

static void input_read_failed(struct connection *c, ssize_t n)
{
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        input_read_on(c);
    else if (n < 0 && errno == EPROTO)
        connection_close(c, CLOSE_TRANSPORT, transport_error(&c->transport));
    else
        connection_close(c,
                         n < 0 && errno == ENOMEM ? CLOSE_BUSY : CLOSE_HANGUP,
                         NULL);
}

static void input_discard(struct connection *c)
{
    struct worker *w = c->worker;
    /* Reads below TLS and frames: this input is discarded. */
    const ssize_t n =
        recv(c->transport.fd, w->read_buffer, WORKER_READ_SIZE, 0);

    if (n > 0)
        c->discarded += (uint32_t)n;
    if (n == 0 || c->discarded > LINGER_BYTES_MAX ||
        (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        connection_finish(c);
}

void connection_readable(struct connection *c)
{
    struct worker *w = c->worker;

    if (c->state == CONNECTION_LINGERING) {
        input_discard(c);
        return;
    }
    if (!turn_share_is_left(c)) {
        await_turn(c);
        return;
    }
    struct kept in = input_take(c);
    const bool large = in.len > WORKER_READ_SIZE;
    const ssize_t n =
        large ? input_read_large(c, &in) : input_read_small(c, &in);
    if (n <= 0) {
        input_put(c, in.data, in.len, in.cap);
        input_read_failed(c, n);
        return;
    }
    counter_add(&w->counters.bytes_received, (uint64_t)n);
    c->heard_us = w->mono_us;
    /* Only if it stays here: a touched connection must not move. */
    if (c->pinned && transport_owes(&c->transport))
        connection_touch(c);
    in.len += (size_t)n;
    if (large)
        input_handle(c, in, in.data, in.len);
    else {
        free(in.data);
        input_handle(c, (struct kept){0}, w->read_buffer, in.len);
    }
}

void connection_on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    connection_readable(io->data);
}

void connection_resume(struct connection *c)
{
    if (!c->stalled || c->awaits_turn)
        return;
    if (!input_may_read(c)) {
        /* It is stalled for another reason now. If that reason is its
         * worker's credits, no result of its own will resume it: it must
         * join that list. */
        if (is_serving(c))
            connection_stall(c);
        return;
    }
    c->stalled = false;
    credits_forget(c);
    if (c->in.len > 0) {
        const struct kept in = input_take(c);
        input_handle(c, in, in.data, in.len);
    } else {
        start_reading(c);
    }
}

void connection_take_turn(struct connection *c)
{
    const bool is_unread = c->in.len == 0;

    connection_resume(c);
    /* Its socket still has the input it waited with: read that now, before
     * other connections of its token use up the share. */
    if (is_unread && !c->stalled && c->state <= CONNECTION_OPEN)
        connection_readable(c);
}

static bool has_answers(const struct connection *c)
{
    return c->unacked_count == 0 && c->answers_due == 0;
}

void connection_credit(struct connection *c)
{
    if (c->leaving && has_answers(c)) {
        connection_close(c, c->leaves_as, NULL);
        return;
    }
    if (c->stalled && !c->starving && credits_half_back(c))
        connection_resume(c);
}
