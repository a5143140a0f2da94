#include "broker/share/share_member.h"

#include <assert.h>
#include <stdlib.h>

#include "base/name_hash.h"
#include "base/topic.h"
#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/deliver/delivery.h"
#include "broker/share/share_group.h"

struct share_member {
    UT_hash_handle hh; /* share.members */
    uint64_t handle;
    unsigned owner;            /* number of the worker */
    struct connection *c;      /* NULL: it has left */
    struct subscriber as;      /* granted options; `who` is the connection */
    struct share_place *place; /* JOIN must still be written */
    bool answered;             /* JOINED came */
    bool good;                 /* and it is a member */
    /* No GIVE will follow: LEFT came, or it never became a member. */
    bool gone;

    bool writing; /* in share.writing */
    TAILQ_ENTRY(share_member) entry;
    bool paused; /* in connection.shares_paused: it had no room */
    LIST_ENTRY(share_member) pause;

    uint32_t inflight; /* its entries in the connection's list */
    uint64_t received; /* GIVEs */
    /* for the next report */
    bool news; /* `paused` has changed, or it left */
    uint32_t settled;
    struct share_ids *returned; /* or NULL */
    size_t len;
    char filter[];
};

static struct share_member *member_find(struct worker *w, uint64_t handle)
{
    struct share_member *m;

    HASH_FIND(hh, w->share->members, &handle, sizeof(handle), m);
    return m;
}

/* It has something to report: share_send() writes that at the end of the
 * turn. */
static void member_note(struct worker *w, struct share_member *m)
{
    if (m->writing)
        return;
    m->writing = true;
    TAILQ_INSERT_TAIL(&w->share->writing, m, entry);
}

static void member_free(struct worker *w, struct share_member *m)
{
    HASH_DEL(w->share->members, m);
    share_place_free(m->place);
    free(m->returned);
    free(m);
}

static bool has_report(const struct share_member *m)
{
    return m->news || m->settled > 0 || m->returned != NULL;
}

static void free_when_over(struct worker *w, struct share_member *m)
{
    if (m->c == NULL && m->gone && m->inflight == 0 && !m->writing &&
        !(m->good && has_report(m)))
        member_free(w, m);
}

/* ---- joining and leaving ------------------------------------------------ */

/* Groups belong to a token, so equal names of two tokens are two groups. */
static struct share_place *make_place(const struct connection *c,
                                      struct slice filter, uint64_t handle,
                                      uint64_t since)
{
    struct slice group, inner;
    const uint32_t window = c->inflight.window;
    const bool good = filter_share(filter, &group, &inner);

    assert(good);
    (void)good;
    return share_place_new(connection_token(c), group, inner, handle,
                           window < SHARE_CREDIT_MAX ? window
                                                     : SHARE_CREDIT_MAX,
                           since, c->stored != NULL);
}

struct share_member *share_member_new(struct connection *c,
                                      struct slice filter,
                                      const struct subscriber *s)
{
    struct worker *w = c->worker;
    struct share_member *m = calloc(1, sizeof(*m) + filter.len);

    if (m == NULL)
        return NULL;
    m->len = filter.len;
    memcpy(m->filter, filter.data, filter.len);
    m->handle = share_handle_new(w);
    m->as = *s;
    m->place = make_place(c, filter, m->handle, s->since_id);
    if (m->place == NULL) {
        free(m);
        return NULL;
    }
    m->owner = share_place_owner(w->hub, m->place);
    HASH_ADD(hh, w->share->members, handle, sizeof(m->handle), m);
    if (m->hh.tbl == NULL) { /* out of memory in the table */
        share_place_free(m->place);
        free(m);
        return NULL;
    }
    m->c = c;
    c->shares++;
    c->joining++;
    w->share->subscribed++;
    member_note(w, m);
    return m;
}

struct subscriber *share_member_options(struct share_member *m)
{
    return &m->as;
}

bool share_member_is_good(const struct share_member *m)
{
    return m->good;
}

static void member_unpause(struct share_member *m)
{
    if (!m->paused)
        return;
    m->paused = false;
    m->news = true;
    LIST_REMOVE(m, pause);
}

void share_member_leave(struct share_member *m)
{
    struct connection *c = m->c;
    struct worker *w = c->worker;

    member_unpause(m);
    c->shares--;
    if (!m->answered)
        c->joining--;
    m->c = NULL;
    m->news = true;
    w->share->subscribed--;
    if (m->place != NULL) { /* JOIN was not sent yet */
        TAILQ_REMOVE(&w->share->writing, m, entry);
        member_free(w, m);
        return;
    }
    if (m->good)
        member_note(w, m); /* otherwise when JOINED comes, or it is over */
    free_when_over(w, m);
}

void share_member_joined(struct worker *w, uint64_t handle, bool good)
{
    struct share_member *m = member_find(w, handle);
    struct connection *c;

    assert(m != NULL && !m->answered);
    c = m->c;
    m->answered = true;
    m->good = good;
    m->gone = !good;
    if (c == NULL) { /* it has left meanwhile */
        if (good)
            member_note(w, m);
        free_when_over(w, m);
        return;
    }
    if (--c->joining == 0)
        connection_resume(c); /* its SUBSCRIBE is handled again */
}

void share_member_left(struct worker *w, uint64_t handle)
{
    struct share_member *m = member_find(w, handle);

    assert(m != NULL);
    m->gone = true;
    free_when_over(w, m);
}

/* ---- returning messages
 * --------------------------------------------------- */

static void member_settle(struct worker *w, struct share_member *m)
{
    m->settled++;
    member_note(w, m);
}

/* Events are not in the log, so they cannot be given to another member. */
static void give_back(struct worker *w, struct share_member *m, uint64_t id)
{
    if (id != 0 && m->returned == NULL)
        m->returned = calloc(1, sizeof(*m->returned));
    if (id == 0 || m->returned == NULL) {
        counter_add(id == 0 ? &w->counters.dropped.event_slow
                            : &w->counters.dropped.memory,
                    1);
        member_settle(w, m);
        return;
    }
    /* There is room: it never has more unsettled than it has credit. */
    assert(m->returned->count < SHARE_CREDIT_MAX);
    m->returned->ids[m->returned->count++] = id;
    counter_add(&w->counters.share_returned, 1);
    member_note(w, m);
}

void share_member_settle(struct worker *w, struct inflight_entry *entry)
{
    struct share_member *m =
        entry->share == 0 ? NULL : member_find(w, entry->share);

    if (m == NULL)
        return;
    entry->share = 0;
    m->inflight--;
    member_settle(w, m);
}

void share_member_return_all(struct connection *c)
{
    for (unsigned i = 0; i < c->inflight.count; i++) {
        struct inflight_entry *entry = inflight_at(&c->inflight, i);
        struct share_member *m =
            entry->share == 0 ? NULL : member_find(c->worker, entry->share);

        if (m == NULL)
            continue;
        if (entry->qos != 1)
            continue;
        entry->share = 0;
        m->inflight--;
        give_back(c->worker, m, entry->log_id);
        if (c->stored == NULL)
            continue;
        /* It belongs to the group again: the session must not send it, too. */
        stored_session_forgets(c, entry);
        inflight_remove(&c->inflight, entry);
        i--;
    }
}

void share_member_settle_all(struct connection *c)
{
    for (unsigned i = 0; i < c->inflight.count; i++)
        share_member_settle(c->worker, inflight_at(&c->inflight, i));
}

struct slice share_member_filter(struct worker *w,
                                 const struct inflight_entry *entry)
{
    const struct share_member *m =
        entry->share == 0 ? NULL : member_find(w, entry->share);

    return m == NULL ? slice_of(NULL, 0) : slice_of(m->filter, m->len);
}

/* ---- receiving messages
 * --------------------------------------------------- */

static bool connection_has_room(struct connection *c)
{
    /* c->resend counts from the newest, so nothing may be added behind it. */
    return c->state == CONNECTION_OPEN && !c->out.blocked && c->resend == 0 &&
           delivery_has_room(c);
}

static bool has_room(const struct share_member *m)
{
    struct connection *c = m->c;

    if (c == NULL || m->paused)
        return false;
    if (connection_has_room(c))
        return true;
    /* A burst must not be taken for a slow client. */
    if (c->state == CONNECTION_OPEN && !c->out.blocked)
        connection_flush(c); /* may end it: then it has left */
    return m->c != NULL && connection_has_room(c);
}

static void ask_for_pause(struct share_member *m)
{
    if (m->c == NULL || m->paused)
        return;
    m->paused = true;
    m->news = true;
    LIST_INSERT_HEAD(&m->c->shares_paused, m, pause);
}

static void member_deliver(struct worker *w, struct share_member *m,
                           const struct message *message)
{
    struct connection *c = m->c;
    const uint32_t order = c->inflight.order;

    const struct grant grant = {
        .qos = m->as.qos,
        .retain = message->retain && m->as.retain_as_published,
        .identifiers = &m->as.identifier,
        .identifier_count = m->as.identifier != 0,
    };

    if (!delivery_give(c, message, &grant)) {
        give_back(w, m, message->id);
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    counter_add(&w->counters.share_given, 1);
    if (c->inflight.order == order) { /* QoS 0, or not for this client */
        member_settle(w, m);
        return;
    }
    struct inflight_entry *entry =
        inflight_at(&c->inflight, c->inflight.count - 1U);
    entry->share = m->handle;
    entry->settled = share_member_settle;
    m->inflight++;
}

void share_member_take(struct worker *w, uint64_t handle,
                       struct message *message)
{
    struct share_member *m = member_find(w, handle);

    assert(m != NULL && !m->gone);
    m->received++;
    if (has_room(m)) {
        member_deliver(w, m, message);
    } else {
        ask_for_pause(m);
        give_back(w, m, message->id);
    }
    message_unref(message);
}

/* Waits for more than one free packet id: otherwise each would cost the
 * group a message given and most of them returned. */
static bool has_room_again(struct connection *c)
{
    const unsigned window = c->inflight.window;

    return connection_has_room(c) &&
           c->inflight.count + (window + 3) / 4 <= window;
}

void share_member_wake(struct connection *c)
{
    struct share_member *m;

    if (LIST_EMPTY(&c->shares_paused) || !has_room_again(c))
        return;
    while ((m = LIST_FIRST(&c->shares_paused)) != NULL) {
        member_unpause(m);
        member_note(c->worker, m);
    }
}

/* ---- letters ------------------------------------------------------------ */

static bool write_join(struct worker *w, struct share_member *m)
{
    const struct share_letter l = {.kind = SHARE_JOIN,
                                   .member = m->handle,
                                   .place = m->place};

    if (!share_write(w, m->owner, &l))
        return false;
    m->place = NULL;
    return true;
}

/* The least id in flight that is not on disk as such. After a subscription
 * has ended nobody keeps track, so all of it may be unsafe. */
static uint64_t unsafe_id(const struct share_member *m)
{
    uint64_t least = 0;

    if (m->inflight == 0)
        return 0;
    if (m->c == NULL)
        return 1;
    for (unsigned i = 0; i < m->c->inflight.count; i++) {
        const struct inflight_entry *e = inflight_at(&m->c->inflight, i);
        if (e->share == m->handle && !e->saved && e->log_id != 0 &&
            (least == 0 || e->log_id < least))
            least = e->log_id;
    }
    return least;
}

static bool write_report(struct worker *w, struct share_member *m)
{
    const struct share_letter l = {.kind = SHARE_REPORT,
                                   .member = m->handle,
                                   .paused = m->paused,
                                   .left = m->c == NULL,
                                   .settled = m->settled,
                                   .received = m->received,
                                   .unsafe = unsafe_id(m),
                                   .ids = m->returned};

    if (!share_write(w, m->owner, &l))
        return false;
    m->news = false;
    m->settled = 0;
    m->returned = NULL;
    return true;
}

static bool write_news(struct worker *w, struct share_member *m)
{
    if (m->place != NULL)
        return write_join(w, m);
    return !m->good || !has_report(m) || write_report(w, m);
}

bool share_member_write(struct worker *w)
{
    struct share_member *m, *next;
    bool all = true;

    for (m = TAILQ_FIRST(&w->share->writing); m != NULL; m = next) {
        next = TAILQ_NEXT(m, entry);
        if (!write_news(w, m)) {
            all = false; /* this owner has no room; another may have */
            continue;
        }
        TAILQ_REMOVE(&w->share->writing, m, entry);
        m->writing = false;
        free_when_over(w, m);
    }
    return all;
}

void share_member_release(struct worker *w)
{
    struct share_member *m, *next;

    HASH_ITER (hh, w->share->members, m, next)
        member_free(w, m);
}
