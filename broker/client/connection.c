#include <stdio.h>
#include <stdlib.h>

#include "base/callers.h"
#include "base/log.h"
#include "broker/client/backlog.h"
#include "broker/client/connection_counts.h"
#include "broker/client/connection_private.h"
#include "broker/client/lobby.h"
#include "broker/client/spare.h"
#include "broker/client/topic_alias.h"
#include "broker/wire/packet_encode.h"

static const struct {
    uint8_t code;
    bool will;
    const char *text;
} close_reasons[] = {
#define X(name, metric, code, will, text) {code, will, text},
    CLOSE_REASONS(X)
#undef X
};

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events);

/* ---- life --------------------------------------------------------------- */

struct connection *connection_new(int fd, bool peer_is_admin, const char *peer)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->transport = transport_of(fd);
    c->peer_is_admin = peer_is_admin;
    snprintf(c->peer, sizeof(c->peer), "%s", peer);
    c->state = CONNECTION_NEW;
    c->packet_max = CONNECT_PACKET_MAX;
    c->terms = (struct packet_terms){.maximum_packet_size = UINT32_MAX};
    out_queue_init(&c->out);
    STAILQ_INIT(&c->unacked);
    LIST_INIT(&c->filters);
    TAILQ_INIT(&c->scans);
    LIST_INIT(&c->shares_paused);
    ev_io_init(&c->readable, connection_on_readable, fd, EV_READ);
    ev_io_init(&c->writable, connection_on_writable, fd, EV_WRITE);
    ev_init(&c->timer, on_timer);
    c->readable.data = c->writable.data = c->timer.data = c;
    return c;
}

void connection_free(struct connection *c)
{
    transport_close(&c->transport);
    caller_unref(c->caller);
    free((void *)c->mount.data);
    free(c->identity);
    free(c->inbound);
    topic_aliases_free(c->aliases_in);
    topic_aliases_free(c->aliases_out);
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
    if (w->connection_count + w->dead_count < w->hit_cap)
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
    c->events = w->events;
    const bool held = held_attach(c);
    held_add_input(c, c->in.cap);
    c->number = atomic_fetch_add(&w->hub->attached, 1) + 1;
    TAILQ_INSERT_TAIL(&w->connections, c, all);
    const bool room = have_room_for_hit(w);
    w->connection_count++;
    c->heard_us = w->mono_us;
    spare_enter(c);
    start_timer(c, CONNECT_WITHIN_S);
    if (!room || !held) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    /* Until resumed, which handles the input it brought along. */
    c->stalled = true;
    connection_resume(c);
}

static void connection_take_off(struct connection *c)
{
    struct worker *w = c->worker;

    turn_share_forget(c);
    spare_leave(c);
    lobby_leave(c);
    ev_io_stop(w->loop, &c->readable);
    ev_io_stop(w->loop, &c->writable);
    ev_timer_stop(w->loop, &c->timer);
    held_give_input(c, c->in.cap);
    held_detach(c);
    if (w->walk.next == c)
        w->walk.next = TAILQ_NEXT(c, all);
    TAILQ_REMOVE(&w->connections, c, all);
    w->connection_count--;
}

void connection_forget_behind(struct connection *c)
{
    if (!c->in_behind)
        return;
    c->in_behind = false;
    TAILQ_REMOVE(&c->worker->behind, c, behind);
}

void connection_detach(struct connection *c)
{
    credits_forget(c);
    connection_take_off(c);
}

void connection_finish(struct connection *c)
{
    struct worker *w = c->worker;

    connection_take_off(c);
    out_queue_release(&c->out, &w->pool);
    free(c->in.data);
    c->in.data = NULL;
    transport_close(&c->transport);
    c->state = CONNECTION_CLOSED;
    connection_counts_closed(w->hub, c);
    if (c->commands == 0)
        SLIST_INSERT_HEAD(&w->dead, c, dead);
}

/* Administrators do not count as clients. */
static void count_client(struct connection *c, int change)
{
    struct worker *w = c->worker;

    if (c->role == ROLE_ADMIN)
        return;
    counter_add(&w->clients, (uint64_t)change);
    if (c->stored != NULL)
        counter_add(&w->clients_stored, (uint64_t)change);
}

/* ---- closing ------------------------------------------------------------ */

enum close_reason connection_reason_of(uint8_t code)
{
    switch (code) {
#define CASE(code, reason)                                                    \
    case code: return CLOSE_##reason;
        CASE(0x82, PROTOCOL)
        CASE(0x8f, FILTER)
        CASE(0x90, TOPIC)
        CASE(0x94, TOPIC_ALIAS)
        CASE(0x95, TOO_LARGE)
        CASE(0x99, PAYLOAD_FORMAT)
        CASE(0x9b, QOS)
        CASE(0xa1, SUBSCRIPTION_ID)
#undef CASE
    default: return CLOSE_MALFORMED;
    }
}

static void say_goodbye(struct connection *c, enum close_reason reason,
                        const char *text)
{
    uint8_t packet[512];
    const struct packet_detail detail = {.reason_string = slice_str(text)};

    if (c->state != CONNECTION_OPEN || close_reasons[reason].code == 0)
        return;
    const size_t size =
        packet_encode_disconnect(&c->terms, close_reasons[reason].code,
                                 slice_of(NULL, 0), &detail, packet,
                                 sizeof(packet));
    if (size > 0)
        (void)connection_answer(c, packet, size);
}

void connection_end(struct connection *c)
{
    connection_close(c, CLOSE_SHUTDOWN, NULL);
    if (c->state == CONNECTION_LINGERING)
        connection_finish(c);
}

/* Whether the client may still be there to read why. One that sent
 * DISCONNECT may still wait for answers, and gets another close message if
 * the transport has one. */
static bool is_worth_lingering(const struct connection *c,
                               enum close_reason reason)
{
    if (reason == CLOSE_CLIENT || reason == CLOSE_CLIENT_WILL)
        return c->out.count > 0 || transport_has_goodbye(&c->transport);
    return reason != CLOSE_HANGUP && reason != CLOSE_NO_CONNECT &&
           reason != CLOSE_NO_PLACE;
}

/* Sends what is queued, ends our stream, and waits for the client to end its
 * own: closing at once with unread input would reset the connection and
 * discard the DISCONNECT. */
static void connection_linger(struct connection *c)
{
    c->state = CONNECTION_LINGERING;
    c->stalled = false;
    spare_enter(c);
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

/* The client sent something that ends the connection, which 3.1.1 does not
 * explain to it. Refused messages are recorded where that is decided. */
static bool is_refusal(enum close_reason reason)
{
    switch (reason) {
    case CLOSE_MALFORMED:
    case CLOSE_PROTOCOL:
    case CLOSE_AUTH_METHOD:
    case CLOSE_FILTER:
    case CLOSE_TOPIC_ALIAS:
    case CLOSE_RECEIVE_MAXIMUM:
    case CLOSE_TOO_LARGE:
    case CLOSE_PAYLOAD_FORMAT:
    case CLOSE_QOS: return true;
    default: return false;
    }
}

void connection_close(struct connection *c, enum close_reason reason,
                      const char *text)
{
    struct worker *w = c->worker;

    if (c->state >= CONNECTION_LINGERING)
        return;
    const bool was_open = c->state == CONNECTION_OPEN;
    if (c->leaving) { /* it was leaving by itself, whatever came in between */
        reason = c->leaves_as;
        text = NULL;
    }
    log_end(c, reason, text);
    if (was_open && is_refusal(reason))
        refusal_note(c, REFUSED_PACKET,
                     text == NULL ? close_reasons[reason].text : text);
    atomic_fetch_add_explicit(&w->closed[reason], 1, memory_order_relaxed);
    say_goodbye(c, reason, text == NULL ? close_reasons[reason].text : text);
    c->state = CONNECTION_LINGERING; /* nothing below closes it again */
    lobby_leave(c);
    credits_forget(c);
    connection_forget_behind(c);
    turn_share_forget(c);
    backlog_forget(c);
    if (was_open)
        count_client(c, -1);
    c->events->ended(c, was_open && close_reasons[reason].will);
    if (is_worth_lingering(c, reason))
        connection_linger(c);
    else
        connection_finish(c);
}

void connection_leave(struct connection *c, enum close_reason reason)
{
    c->leaving = true;
    c->leaves_as = reason;
    connection_credit(c);
}

/* ---- time --------------------------------------------------------------- */

void connection_opened(struct connection *c)
{
    if (c->state != CONNECTION_OPEN) {
        c->opened_us = c->worker->real_us;
        count_client(c, 1);
    }
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
    c->events->hold_over(c);
    if (c->state != CONNECTION_OPEN)
        return;
    c->heard_us = c->worker->mono_us;
    connection_opened(c);
    connection_resume(c);
}

/* The timer is not restarted for each packet: when it fires, it is set to
 * what is left since the last packet. */
static void check_keep_alive(struct connection *c)
{
    const int64_t now_us = c->worker->mono_us;

    /* Not read from for lack of credits: it may well have sent something. */
    if (c->stalled &&
        (c->commands > 0 || c->starving || c->behind_own || c->awaits_turn))
        c->heard_us = now_us;
    const double silent_s = (double)(now_us - c->heard_us) / 1e6;
    if (silent_s < c->keep_alive_s)
        start_timer(c, c->keep_alive_s - silent_s);
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
        if (c->opening || c->starving ||
            c->awaits_turn) /* the server is slow, not the client */
            start_timer(c, CONNECT_WITHIN_S);
        else
            connection_close(c, CLOSE_NO_CONNECT, NULL);
        break;
    case CONNECTION_OPEN:
        if (c->held)
            hold_over(c);
        else
            check_keep_alive(c);
        break;
    case CONNECTION_LINGERING: connection_finish(c); break;
    case CONNECTION_CLOSED: break;
    }
}
