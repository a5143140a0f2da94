#include "broker/session/will.h"

#include <stdlib.h>

#include "base/clock.h"
#include "broker/client/client_identity.h"
#include "broker/client/shard.h"
#include "broker/publish/publish.h"
#include "broker/publish/publish_will.h"

#define SECOND_US INT64_C(1000000)
#define SHORTEST_S 0.001

/* Most due wills that are read and with the writer at a time: after a
 * restart the wills of all clients may be due. */
#define WILLS_AT_ONCE 32

/* Numbers only: the will and its owner are in the store. A client id may
 * have 65,535 bytes, and a will more. */
struct pending_will {
    UT_hash_handle hh;             /* worker.wills */
    TAILQ_ENTRY(pending_will) due; /* worker.due_wills */
    ev_timer timer;
    struct worker *worker;
    uint64_t client; /* hash of token and client id (connection.publisher) */
    uint64_t number; /* of the session */
    bool overdue;    /* it was due when it was loaded */
    bool is_due;     /* in worker.due_wills */
    size_t token_len;
    char token[]; /* followed by a NUL; empty: a client without a token */
};

static void will_forget(struct pending_will *p)
{
    ev_timer_stop(p->worker->loop, &p->timer);
    if (p->is_due)
        TAILQ_REMOVE(&p->worker->due_wills, p, due);
    HASH_DEL(p->worker->wills, p);
    free(p);
}

void wills_release(struct worker *w)
{
    struct pending_will *p, *next;

    HASH_ITER (hh, w->wills, p, next)
        will_forget(p);
}

/* ---- publishing ------------------------------------------------------------ */

/* NULL: it is gone, or cannot be read. */
static struct message *read_will(const struct pending_will *p)
{
    struct store_reader *r;
    struct message *m = NULL;
    struct record record;

    if (store_snapshot(p->worker->hub->store, &r) != STORE_OK)
        return NULL;
    if (store_session_will(r, p->number, &record) == STORE_OK)
        m = message_new(&record.m);
    store_reader_release(r);
    return m;
}

static void publish_pending(struct pending_will *p)
{
    struct worker *w = p->worker;
    struct message *m = read_will(p);

    if (m == NULL ||
        !publish_stored_will(w, m, slice_of(p->token, p->token_len),
                             p->number))
        counter_add(&w->counters.dropped.will, 1);
    will_forget(p);
}

static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct pending_will *p = timer->data;

    (void)loop;
    (void)events;
    p->is_due = true;
    TAILQ_INSERT_TAIL(&p->worker->due_wills, p, due);
}

void wills_turn(struct worker *w)
{
    struct pending_will *p;

    while ((p = TAILQ_FIRST(&w->due_wills)) != NULL &&
           w->wills_submitted < WILLS_AT_ONCE && credits_left(&w->credits))
        publish_pending(p);
}

/* ---- waiting --------------------------------------------------------------- */

static bool wait_for(struct worker *w, struct slice token, uint64_t client,
                     uint64_t number, int64_t wait_us)
{
    struct pending_will *p = calloc(1, sizeof(*p) + token.len + 1);
    const double wait_s = (double)wait_us / (double)SECOND_US;

    if (p == NULL)
        return false;
    p->worker = w;
    p->number = number;
    p->overdue = wait_us <= 0;
    p->client = client;
    p->token_len = token.len;
    memcpy(p->token, token.data, token.len);
    HASH_ADD(hh, w->wills, client, sizeof(p->client), p);
    if (p->hh.tbl == NULL) {
        free(p);
        return false;
    }
    ev_timer_init(&p->timer, on_due, wait_s > SHORTEST_S ? wait_s : SHORTEST_S,
                  0.);
    p->timer.data = p;
    ev_timer_start(w->loop, &p->timer);
    return true;
}

int64_t will_connection_ended(struct connection *c)
{
    struct worker *w = c->worker;
    const uint32_t wait_s = c->will_delay_s < c->session_expiry_s
                                ? c->will_delay_s
                                : c->session_expiry_s;

    if (c->will == NULL)
        return 0;
    /* The session ends with the connection, or the will has no delay. */
    if (c->stored == NULL || wait_s == 0 ||
        !wait_for(w, connection_token(c), c->publisher, c->stored->number,
                  wait_s * SECOND_US)) {
        publish_will(c);
        return 0;
    }
    return w->real_us + wait_s * SECOND_US;
}

/* Whether it is due, even if its timer has not fired yet: after a start
 * clients may be served before any timer. */
static bool is_due(struct pending_will *p)
{
    return p->overdue || p->is_due ||
           ev_timer_remaining(p->worker->loop, &p->timer) <= 0.;
}

void will_client_returned(struct connection *c, bool clean)
{
    struct pending_will *p;

    HASH_FIND(hh, c->worker->wills, &c->publisher, sizeof(p->client), p);
    if (p == NULL)
        return;
    if (clean || is_due(p))
        publish_pending(p);
    else
        will_forget(p);
}

/* ---- at start -------------------------------------------------------------- */

static bool load_all(struct hub *hub, struct store_reader *r)
{
    const int64_t now_us = clock_real_us();
    struct session_walk walk = {0};
    struct session_row row;
    enum store_err err;

    while ((err = store_session_next(r, &walk, &row)) == STORE_OK) {
        struct record will;
        if (!row.has_will || row.ended_us == 0 ||
            store_session_will(r, row.number, &will) != STORE_OK)
            continue; /* none, or it was published */
        const uint64_t client = client_identity_hash(row.identity);
        struct worker *w = client_identity_home(hub, client);
        /* By a clock that may have been set back: never longer than its
         * whole delay. */
        const int64_t most_us = row.will_due_us - row.ended_us;
        const int64_t left_us = row.will_due_us - now_us;
        if (!wait_for(w, session_token(row.identity), client, row.number,
                      left_us < most_us ? left_us : most_us))
            return false;
    }
    return err == STORE_NOTFOUND;
}

bool wills_load(struct hub *hub)
{
    struct store_reader *r;

    if (store_snapshot(hub->store, &r) != STORE_OK)
        return false;
    const bool good = load_all(hub, r);
    store_reader_release(r);
    return good;
}
