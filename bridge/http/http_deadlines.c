/* Deadlines: which connections have waited too long, and which give up their place for
 * others.
 *
 * A head must be complete http.header_timeout after its first byte. A body has
 * http.body_timeout, and a second more for each MIN_RATE bytes that have come: so a byte
 * now and then keeps no connection open, while a slow modem that keeps sending is
 * served (Apache's mod_reqtimeout counts like this). But no pause in a body may last
 * http.body_timeout, however much came before. A client may read its answer as slowly
 * as it likes, but must not pause for http.write_timeout. */
#include "bridge/http/http_private.h"

#define MIN_RATE 256 /* bytes per second; GPRS has four times as much */
/* When places are short, these give up theirs: a body that has been slower than
 * MIN_RATE for so long, a body of which nothing has come, and a client that has read
 * nothing. */
#define STALLED_BODY_MS 5000
#define SILENT_BODY_MS 30000
#define STALLED_READER_MS 30000

static const struct http_refusal head_late = {
    408, "the request did not come within http.header_timeout"};
static const struct http_refusal body_late = {
    408, "the body came too slowly (http.body_timeout)"};
static const struct http_refusal given_up = {
    503, "too many connections (limits.connections), and this one waited "
         "longest: retry later"};

static struct http_connection *oldest_in(struct http_thread *t, unsigned list)
{
    return TAILQ_FIRST(&t->lists[list]);
}

static int64_t waited_ms(const struct http_connection *c)
{
    return c->thread->now_ms - c->since_ms;
}

/* ---- deadlines ----------------------------------------------------------- */

/* Idle connections are closed without an answer: a client whose request is just on its
 * way would take an answer for the answer to that request. */
static void end_idle(struct http_thread *t, unsigned list, int64_t most_ms)
{
    struct http_connection *c;

    while ((c = oldest_in(t, list)) != NULL && waited_ms(c) > most_ms)
        http_connection_close(c, false);
}

/* After a request came only an empty line, which belongs to nothing. */
static bool is_blank_line(struct http_connection *c)
{
    const int64_t unread = http_engine_unread(c);

    if (unread < 1 || unread > 2 || c->request != NULL)
        return false;
    c->engine.bytes_known += (uint64_t)unread;
    return true;
}

static void end_heads(struct http_thread *t)
{
    struct http_connection *c;

    while ((c = oldest_in(t, PHASE_HEAD)) != NULL &&
           waited_ms(c) > t->server->head_ms) {
        if (is_blank_line(c))
            http_connection_set_phase(c, PHASE_IDLE);
        else
            http_connection_refuse(c, &head_late);
    }
}

/* Stops the library's daemons of idle connections: each has 32 KiB and two
 * descriptors. */
static void stop_idle_engines(struct http_thread *t)
{
    struct http_connection *c;

    TAILQ_FOREACH (c, &t->lists[PHASE_IDLE], in_list) {
        if (waited_ms(c) < HTTP_REST_MS)
            break; /* all others have waited for less */
        if (c->engine.daemon != NULL)
            http_engine_rest(c);
    }
}

static int64_t earned_ms(const struct http_request *q)
{
    return (int64_t)(q->body_seen * 1000 / MIN_RATE);
}

static int64_t silent_ms(const struct http_connection *c)
{
    return c->thread->now_ms - c->request->body_at_ms;
}

static void end_bodies(struct http_thread *t)
{
    struct http_connection *c, *next;

    for (c = oldest_in(t, PHASE_BODY); c != NULL; c = next) {
        struct http_request *q = c->request;
        next = TAILQ_NEXT(c, in_list);
        if (q->too_long && t->now_ms > q->discard_until_ms)
            http_connection_cut_body(c);
        else if (waited_ms(c) > t->server->body_ms + earned_ms(q) ||
                 silent_ms(c) > t->server->body_ms)
            http_connection_refuse(c, &body_late);
    }
}

static void end_answers(struct http_thread *t)
{
    struct http_connection *c;

    while ((c = oldest_in(t, PHASE_ANSWERING)) != NULL &&
           waited_ms(c) > t->server->write_ms)
        http_connection_close(c, true);
}

/* ---- making room --------------------------------------------------------- */

static bool is_stalled_body(const struct http_connection *c)
{
    return (waited_ms(c) > STALLED_BODY_MS &&
            waited_ms(c) > earned_ms(c->request)) ||
           silent_ms(c) > SILENT_BODY_MS;
}

static struct http_connection *stalled_body(struct http_thread *t)
{
    struct http_connection *c;

    TAILQ_FOREACH (c, &t->lists[PHASE_BODY], in_list)
        if (is_stalled_body(c))
            return c;
    return NULL;
}

static struct http_connection *stalled_reader(struct http_thread *t)
{
    struct http_connection *c = oldest_in(t, PHASE_ANSWERING);

    return c != NULL && waited_ms(c) > STALLED_READER_MS ? c : NULL;
}

static void count_stalled(struct http_thread *t)
{
    struct http_connection *c;

    t->stalled = 0;
    TAILQ_FOREACH (c, &t->lists[PHASE_BODY], in_list)
        t->stalled += is_stalled_body(c);
    TAILQ_FOREACH (c, &t->lists[PHASE_ANSWERING], in_list) {
        if (waited_ms(c) <= STALLED_READER_MS)
            break; /* all others have waited for less */
        t->stalled++;
    }
    atomic_store_explicit(&t->spare, t->waiting + t->stalled,
                          memory_order_relaxed);
}

/* The connection that can be spared best: one with an incomplete request before one that
 * is only kept open, and among these the one that has waited longest. NULL: none. */
static struct http_connection *longest_waiting(struct http_thread *t)
{
    struct http_connection *idle = oldest_in(t, PHASE_IDLE);
    struct http_connection *head = oldest_in(t, PHASE_HEAD);

    if (head != NULL && (idle == NULL || head->since_ms <= idle->since_ms ||
                         waited_ms(head) > STALLED_BODY_MS))
        return head;
    if (idle != NULL)
        return idle;
    struct http_connection *body = stalled_body(t);
    return body != NULL ? body : stalled_reader(t);
}

static void give_up(struct http_connection *c)
{
    http_connection_give_place(c); /* to the one it was promised to */
    if (c->phase == PHASE_HEAD || c->phase == PHASE_BODY)
        http_connection_refuse(c, &given_up);
    else
        http_connection_close(c, c->phase == PHASE_ANSWERING);
}

void http_deadlines_pay(struct http_thread *t)
{
    struct http_connection *c;

    while (atomic_load(&t->owed) > 0 && (c = longest_waiting(t)) != NULL)
        give_up(c);
}

bool http_deadlines_make_room(void *arg)
{
    struct http_server *s = arg;
    struct http_thread *found = NULL;
    unsigned most = 0;

    for (unsigned i = 0; i < s->count; i++) {
        struct http_thread *t = s->threads[i];
        const unsigned spare = atomic_load(&t->spare);
        const unsigned owed = atomic_load(&t->owed);
        if (spare > owed && spare - owed > most) {
            most = spare - owed;
            found = t;
        }
    }
    if (found == NULL)
        return false;
    atomic_fetch_add(&found->owed, 1);
    http_wake(found);
    return true;
}

void http_deadlines_check(struct http_thread *t)
{
    end_idle(t, PHASE_IDLE, t->server->idle_ms);
    end_idle(t, LIST_RESERVE, HTTP_RESERVE_MS);
    end_idle(t, PHASE_LINGERING, HTTP_LINGER_SILENT_MS);
    stop_idle_engines(t);
    end_heads(t);
    end_bodies(t);
    end_answers(t);
    count_stalled(t);
    http_deadlines_pay(t);
}
