#include "bridge/outgoing/webhooks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/outgoing/webhook_private.h"

#define TICK_S 0.1
#define LAG_US                                                                \
    INT64_C(1000000) /* between two looks at how far behind they are */
#define CHANGES 1024
#define BATCH 16
#define LOOKS 64              /* log entries between two looks at the clock */
#define TURN_US INT64_C(5000) /* of reading, per round of the loop */

enum webhook_change_kind { CHANGE_PUT, CHANGE_REMOVE, CHANGE_REDELIVER };

struct webhook_change {
    enum webhook_change_kind kind;
    struct webhook *webhook; /* CHANGE_PUT: ready made */
    uint64_t id;
    size_t tenant_len;
    char tenant[];
};

/* ---- reading the log ----------------------------------------------------- */

static struct webhook *find(struct webhooks *ws, const void *tenant,
                            size_t len)
{
    struct webhook *w;

    HASH_FIND(hh, ws->by_tenant, tenant, len, w);
    return w;
}

/* Whose message it is; NULL: nobody's who is level. */
static struct webhook *level_reader_of(struct webhooks *ws,
                                       const struct message *m)
{
    const char *slash =
        m->topic.len > 0 ? memchr(m->topic.data, '/', m->topic.len) : NULL;

    if (m->kind != MESSAGE_MESSAGE || m->deleted || slash == NULL)
        return NULL;
    struct webhook *w =
        find(ws, m->topic.data, (size_t)(slash - (const char *)m->topic.data));
    return w != NULL && w->level ? w : NULL;
}

/* It goes on by itself once it has room, behind `after`. */
static void fall_behind(struct webhook *w, uint64_t after)
{
    w->level = false;
    w->read = after;
}

/* Once for all that are level. false: there is more. */
static bool read_for_level(struct webhooks *ws, struct store_reader *r,
                           int64_t until_us)
{
    struct record record;

    for (;;) {
        for (unsigned i = 0; i < LOOKS; i++) {
            if (store_next(r, ws->read, &record) != STORE_OK)
                return true;
            struct webhook *w = level_reader_of(ws, &record.m);
            if (w != NULL && !webhook_offer(w, &record.m))
                fall_behind(w, record.m.id - 1);
            ws->read = record.m.id;
        }
        if (clock_mono_us() >= until_us)
            return false;
    }
}

static bool begin_catchup(struct webhook *w)
{
    struct buffer filter = BUFFER_INIT;

    buffer_put_slice(&filter, w->tenant);
    buffer_put_str(&filter, "/#");
    const struct slice one = buffer_slice(&filter);
    if (buffer_ok(&filter))
        w->catchup = catchup_new(&one, 1, w->read, false);
    buffer_release(&filter);
    return w->catchup != NULL;
}

static void end_catchup(struct webhook *w)
{
    catchup_free(w->catchup);
    w->catchup = NULL;
}

/* One that is behind. false: there is more. */
static bool catch_up(struct webhook *w, struct store_reader *r,
                     int64_t until_us)
{
    struct record record;

    if (w->read > w->set->read) { /* put just now; or from the future */
        if (w->read > store_head(r))
            w->read = store_head(r);
        return true;
    }
    if (webhook_is_full(w) || (w->catchup == NULL && !begin_catchup(w)))
        return true; /* later */
    do {
        switch (catchup_next(w->catchup, r, w->set->read, LOOKS, &record)) {
        case CATCHUP_RECORD:
            if (!webhook_offer(w, &record.m)) {
                w->read = record.m.id - 1;
                end_catchup(w);
                return true;
            }
            w->read = record.m.id;
            break;
        case CATCHUP_DONE:
            w->level = true;
            end_catchup(w);
            return true;
        case CATCHUP_MORE: w->read = catchup_position(w->catchup); break;
        case CATCHUP_FAILED: return true; /* later */
        }
    } while (clock_mono_us() < until_us);
    return false;
}

/* ---- a round ------------------------------------------------------------- */

static void free_if_removed(struct webhooks *ws, struct webhook *w)
{
    if (!w->removed || w->in_flight > 0)
        return;
    TAILQ_REMOVE(&ws->all, w, entry);
    webhook_free(w);
}

/* false: there is more to read. */
static bool look_at_all(struct webhooks *ws, struct store_reader *r)
{
    const int64_t now_us = clock_mono_us(), until_us = now_us + TURN_US;
    struct webhook *w, *next;
    struct webhook_list read = TAILQ_HEAD_INITIALIZER(read);

    if (!ws->read_known)
        ws->read = store_head(r); /* nobody is level yet */
    ws->read_known = true;
    bool done = read_for_level(ws, r, until_us);

    for (w = TAILQ_FIRST(&ws->all); w != NULL; w = next) {
        next = TAILQ_NEXT(w, entry);
        if (w->removed) {
            free_if_removed(ws, w);
            continue;
        }
        if (!w->level && clock_mono_us() < until_us) {
            done &= catch_up(w, r, until_us);
            TAILQ_REMOVE(&ws->all, w, entry); /* the others first, next time */
            TAILQ_INSERT_TAIL(&read, w, entry);
        } else {
            done &= w->level || webhook_is_full(w);
        }
        webhook_send_ready(w, r, now_us);
        webhook_tell(w, now_us, false);
    }
    TAILQ_CONCAT(&ws->all, &read, entry);
    return done;
}

/* For the metric: of the one that is furthest behind. */
static void count_lag(struct webhooks *ws, int64_t now_us)
{
    const struct webhook *w;
    uint64_t most = 0;

    if (now_us - ws->lag_us < LAG_US && !TAILQ_EMPTY(&ws->all))
        return;
    TAILQ_FOREACH (w, &ws->all, entry) {
        const uint64_t lag = w->removed ? 0 : webhook_lag(w);
        most = lag > most ? lag : most;
    }
    if (most > ws->lag)
        bridge_count(COUNT_WEBHOOKS_LAG, most - ws->lag);
    else
        bridge_uncount(COUNT_WEBHOOKS_LAG, ws->lag - most);
    ws->lag = most;
    ws->lag_us = now_us;
}

static void round_of_all(struct webhooks *ws)
{
    struct store_reader *r;

    if (store_snapshot(ws->opts.store, &r) != STORE_OK)
        return; /* with the next tick */
    const bool done = look_at_all(ws, r);
    store_reader_release(r);
    if (!done)
        webhooks_again(ws);
    count_lag(ws, clock_mono_us());
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    struct webhooks *ws = w->data;

    (void)events;
    round_of_all(ws);
    if (!TAILQ_EMPTY(&ws->all))
        return;
    ev_timer_stop(loop, &ws->tick);
    ws->read_known = false;
}

/* ---- changes ------------------------------------------------------------- */

/* The webhook that is there keeps its position and gets the new one's settings. */
static void take_settings(struct webhook *w, struct webhook *from)
{
    char *const url = w->url;
    struct slice secrets[SIGNATURE_SECRETS_MAX];

    memcpy(secrets, w->secrets, sizeof(secrets));
    memcpy(w->secrets, from->secrets, sizeof(secrets));
    memcpy(from->secrets, secrets, sizeof(secrets));
    w->secret_count = from->secret_count;
    w->url = from->url;
    from->url = url;
    webhook_free(from);
}

static void put(struct webhooks *ws, struct webhook *fresh)
{
    struct webhook *w = find(ws, fresh->tenant.data, fresh->tenant.len);

    if (w != NULL) {
        take_settings(w, fresh);
        return;
    }
    fresh->told_us = clock_mono_us();
    HASH_ADD_KEYPTR(hh, ws->by_tenant, fresh->tenant.data, fresh->tenant.len,
                    fresh);
    TAILQ_INSERT_TAIL(&ws->all, fresh, entry);
    if (!ev_is_active(&ws->tick))
        ev_timer_again(ws->loop, &ws->tick);
}

static void cancel_all(struct webhook *w)
{
    struct webhook_thing *t;

    TAILQ_FOREACH (t, &w->flying, entry)
        fetch_cancel(t->fetch);
}

static void remove_webhook(struct webhooks *ws, struct webhook *w)
{
    if (w == NULL)
        return;
    HASH_DEL(ws->by_tenant, w);
    w->removed =
        true; /* freed in the next round, or when nothing is in flight */
    cancel_all(w);
}

static void apply(struct webhooks *ws, struct webhook_change *c)
{
    struct webhook *w = find(ws, c->tenant, c->tenant_len);

    switch (c->kind) {
    case CHANGE_PUT: put(ws, c->webhook); break;
    case CHANGE_REMOVE: remove_webhook(ws, w); break;
    case CHANGE_REDELIVER:
        if (w != NULL)
            (void)webhook_add_single(w, c->id);
        break;
    }
    free(c);
}

static void read_changes(struct webhooks *ws)
{
    void *items[BATCH];
    size_t n;

    while ((n = mailbox_receive(ws->changes, items, BATCH)) > 0)
        for (size_t i = 0; i < n; i++)
            apply(ws, items[i]);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
    struct webhooks *ws = w->data;

    (void)loop;
    (void)events;
    read_changes(ws);
    webhooks_again(ws);
}

static bool post(struct webhooks *ws, enum webhook_change_kind kind,
                 struct slice tenant, struct webhook *webhook, uint64_t id)
{
    struct webhook_change *c = calloc(1, sizeof(*c) + tenant.len);

    if (c != NULL) {
        *c = (struct webhook_change){.kind = kind,
                                     .webhook = webhook,
                                     .id = id,
                                     .tenant_len = tenant.len};
        memcpy(c->tenant, tenant.data, tenant.len);
        if (!atomic_load(&ws->stopped) && mailbox_send(ws->changes, c))
            return true;
    }
    free(c);
    return false;
}

bool webhooks_put(struct webhooks *ws, const struct webhook_settings *settings,
                  const struct webhook_position *position)
{
    assert(settings->secret_count > 0 &&
           settings->secret_count <= SIGNATURE_SECRETS_MAX);
    struct webhook *w = webhook_new(ws, settings, position);

    if (w == NULL)
        return false;
    if (post(ws, CHANGE_PUT, settings->tenant, w, 0))
        return true;
    webhook_free(w);
    return false;
}

bool webhooks_remove(struct webhooks *ws, struct slice tenant)
{
    return post(ws, CHANGE_REMOVE, tenant, NULL, 0);
}

bool webhooks_redeliver(struct webhooks *ws, struct slice tenant, uint64_t id)
{
    return post(ws, CHANGE_REDELIVER, tenant, NULL, id);
}

/* ---- start and end ------------------------------------------------------- */

static void wake(void *arg)
{
    struct webhooks *ws = arg;

    ev_async_send(ws->loop, &ws->wake);
}

struct webhooks *webhooks_new(const struct webhooks_opts *opts)
{
    struct webhooks *ws = calloc(1, sizeof(*ws));

    if (ws == NULL)
        return NULL;
    ws->opts = *opts;
    TAILQ_INIT(&ws->all);
    ws->changes = mailbox_new(CHANGES, wake, ws);
    if (ws->changes == NULL) {
        free(ws);
        return NULL;
    }
    return ws;
}

void webhooks_on_start(void *webhooks, struct ev_loop *loop)
{
    struct webhooks *ws = webhooks;

    ev_async_init(&ws->wake, on_wake);
    ev_timer_init(&ws->tick, on_timer, 0, TICK_S);
    ev_timer_init(&ws->soon, on_timer, 0, 0);
    ws->wake.data = ws->tick.data = ws->soon.data = ws;
    ws->loop = loop;
    ev_async_start(loop, &ws->wake);
}

void webhooks_use(struct webhooks *ws, struct fetcher *fetcher)
{
    ws->fetcher = fetcher;
}

void webhooks_on_stop(void *webhooks)
{
    struct webhooks *ws = webhooks;
    struct webhook *w;

    atomic_store(&ws->stopped, true);
    read_changes(ws);
    while ((w = TAILQ_FIRST(&ws->all)) != NULL) {
        if (!w->removed) {
            webhook_tell(w, clock_mono_us(), true);
            HASH_DEL(ws->by_tenant, w);
        }
        TAILQ_REMOVE(&ws->all, w, entry);
        webhook_free(w);
    }
    ev_async_stop(ws->loop, &ws->wake);
    ev_timer_stop(ws->loop, &ws->tick);
    ev_timer_stop(ws->loop, &ws->soon);
}

void webhooks_free(struct webhooks *ws)
{
    void *c;

    if (ws == NULL)
        return;
    /* Whoever posted while it stopped. */
    while (mailbox_receive(ws->changes, &c, 1) > 0) {
        struct webhook_change *change = c;
        if (change->webhook != NULL)
            webhook_free(change->webhook);
        free(change);
    }
    mailbox_free(ws->changes);
    free(ws);
}
