#include "broker/session/subscribe.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/topic.h"
#include "broker/deliver/catch_up.h"
#include "broker/deliver/retained.h"
#include "broker/session/session_restore.h"
#include "broker/session/stored_session.h"
#include "broker/session/subscribe_private.h"
#include "broker/share/share_member.h"
#include "broker/wire/reason.h"
#include "broker/worker.h"

/* ---- one filter --------------------------------------------------------- */

/* The key of worker.filters: the owner's address, then the filter. */
static struct slice make_key(struct worker *w, const struct connection *c,
                             struct slice filter)
{
    buffer_clear(&w->scratch);
    buffer_put(&w->scratch, &c, sizeof(c));
    buffer_put_slice(&w->scratch, filter);
    return buffer_ok(&w->scratch) ? buffer_slice(&w->scratch)
                                  : slice_of(NULL, 0);
}

static struct session_filter *find(struct connection *c, struct slice filter)
{
    struct worker *w = c->worker;
    const struct slice key = make_key(w, c, filter);
    struct session_filter *f = NULL;

    if (key.len > 0)
        HASH_FIND(hh, w->filters, key.data, key.len, f);
    return f;
}

static size_t cost_of(struct slice filter)
{
    const char *p = filter.data;
    size_t levels = 1;

    for (size_t i = 0; i < filter.len; i++)
        levels += p[i] == '/';
    return filter.len + levels * FILTER_LEVEL_COST;
}

static size_t filters_max(const struct connection *c)
{
    if (c->role == ROLE_ADMIN)
        return FILTERS_MAX_ADMIN;
    return c->plan->filters_max == 0 || c->plan->filters_max > FILTERS_MAX
               ? FILTERS_MAX
               : (size_t)c->plan->filters_max;
}

static bool has_room(const struct connection *c, struct slice filter)
{
    const bool admin = c->role == ROLE_ADMIN;

    /* A few filters are always granted: who has many must not keep everybody
     * else from having any. */
    if (!admin && c->filter_cost + cost_of(filter) > FILTER_COST_SHORT &&
        !held_filters_have_room(c, cost_of(filter)))
        return false;
    if (filter_is_shared(filter)
            ? c->shares >= SHARES_MAX
            : !subscription_index_takes(c->worker->index, filter))
        return false;
    return c->filter_count < filters_max(c) &&
           c->filter_cost + cost_of(filter) <=
               (admin ? FILTER_COST_MAX_ADMIN : FILTER_COST_MAX);
}

static void count_filters(struct worker *w)
{
    atomic_store_explicit(&w->subscriptions,
                          subscription_index_count(w->index) +
                              w->share.subscribed,
                          memory_order_relaxed);
    atomic_store_explicit(&w->shared_subscriptions, w->share.subscribed,
                          memory_order_relaxed);
}

static bool enlist(struct connection *c, struct session_filter *f,
                   const struct subscriber *s)
{
    const struct slice filter = session_filter_slice(f);

    if (!filter_is_shared(filter))
        return subscription_index_add(c->worker->index, filter, s, &f->where);
    f->share = share_member_new(c, filter, s);
    return f->share != NULL;
}

static struct session_filter *add(struct connection *c, struct slice filter,
                                  const struct subscriber *s)
{
    struct worker *w = c->worker;
    struct session_filter *f = calloc(1, sizeof(*f) + filter.len);

    if (f == NULL)
        return NULL;
    f->owner = c;
    f->len = filter.len;
    memcpy(f->filter, filter.data, filter.len);
    HASH_ADD_KEYPTR(hh, w->filters, &f->owner, sizeof(f->owner) + f->len, f);
    if (f->hh.tbl == NULL) { /* out of memory in the table */
        free(f);
        return NULL;
    }
    if (sys_concerns(filter))
        sys_subscribing(w);
    if (!enlist(c, f, s)) {
        if (sys_concerns(filter))
            sys_unsubscribed(w);
        HASH_DEL(w->filters, f);
        free(f);
        return NULL;
    }
    LIST_INSERT_HEAD(&c->filters, f, entry);
    c->filter_count++;
    c->filter_cost += cost_of(filter);
    held_add_filter(c, cost_of(filter));
    count_filters(w);
    return f;
}

static void drop(struct connection *c, struct session_filter *f)
{
    struct worker *w = c->worker;

    if (f->share != NULL)
        share_member_leave(f->share);
    else
        subscription_index_remove(w->index, &f->where);
    c->ended_filters -= f->ended;
    if (sys_concerns(session_filter_slice(f)))
        sys_unsubscribed(w);
    HASH_DEL(w->filters, f);
    LIST_REMOVE(f, entry);
    c->filter_count--;
    c->filter_cost -= cost_of(session_filter_slice(f));
    held_give_filter(c, cost_of(session_filter_slice(f)));
    count_filters(w);
    free(f);
}

/* ---- SUBSCRIBE ---------------------------------------------------------- */

/* Where the log ended when a packet came. Not the worker's head: messages
 * acknowledged before, but not fanned out here yet, are old ones to a new
 * subscription, and among them may be the retained one it is about to get. */
bool subscribe_read_head(struct worker *w, uint64_t *ret_head)
{
    struct store_reader *r = store_reader_acquire(w->hub->store);
    bool good = false;

    if (r == NULL)
        return false;
    if (store_reader_begin(r) == STORE_OK) {
        *ret_head = store_head(r);
        good = true;
    }
    store_reader_release(r);
    return good;
}

static void take_options(struct subscriber *as, const struct packet_filter *p,
                         uint32_t identifier)
{
    as->qos = p->qos;
    as->retain_as_published = p->retain_as_published;
    as->identifier = identifier;
}

/* Joins the groups of the SUBSCRIBE that the client is not in. The first may
 * give messages before the last has answered. */
static void join_groups(struct connection *c, const struct packet_subscribe *s,
                        uint64_t head)
{
    struct subscriber as = {.who = c, .since_id = head};
    struct packet_filter_cursor at = s->filters;
    struct packet_filter p;

    while (packet_filter_next(&at, &p)) {
        if (!filter_is_shared(p.filter) ||
            auth_subscribe(c->role, connection_token(c), p.filter) != 0 ||
            find(c, p.filter) != NULL || !has_room(c, p.filter))
            continue;
        take_options(&as, &p, s->subscription_id);
        struct session_filter *f = add(c, p.filter, &as);
        if (f != NULL)
            f->fresh = true;
    }
}

/* After join_groups() and what came of it. There are no retained messages for
 * groups (MQTT 5 §4.8.2). */
static uint8_t subscribe_shared(struct connection *c,
                                const struct packet_filter *p,
                                uint32_t identifier)
{
    struct session_filter *f = find(c, p->filter);

    if (f == NULL)
        return has_room(c, p->filter) ? REASON_UNSPECIFIED_ERROR
                                      : REASON_QUOTA_EXCEEDED;
    if (!share_member_is_good(f->share)) {
        drop(c, f);
        return REASON_UNSPECIFIED_ERROR;
    }
    struct subscriber *as = session_filter_options(f);
    take_options(as, p, identifier);
    f->fresh = false;
    return as->qos;
}

/* Everything up to this id is given for good: after a crash, too. */
static uint64_t given_up_to(const struct connection *c)
{
    if (c->stored != NULL)
        return c->stored->saved_position;
    return c->catch_up != NULL ? catch_up_position(c) : c->worker->head;
}

/* Before other options take the place of those `s` has. What there was before
 * those is remembered as one with them, so that nothing is lost, when some of it
 * may still be owed. */
static void remember_options(struct connection *c, struct session_filter *f,
                             struct subscriber *s)
{
    const bool owed = f->changed_at > given_up_to(c);

    f->qos_before = owed && f->qos_before > s->qos ? f->qos_before : s->qos;
    f->no_local_before = s->no_local && (!owed || f->no_local_before);
    f->changed_at = c->worker->head;
    s->changed = true;
}

/* ---- filters that have ended ------------------------------------------- */

/* May messages be owed to it that fan-out has passed? Of `$` topics none are
 * stored, and those of a group are its other members'. */
static bool is_owed(const struct connection *c, const struct session_filter *f)
{
    if (f->share != NULL || f->filter[0] == '$')
        return false;
    /* Nothing is under way, which is saved with the UNSUBSCRIBE. */
    if (c->catch_up == NULL && c->inflight.count == 0)
        return false;
    return given_up_to(c) < c->worker->head;
}

static void set_ended(struct connection *c, struct session_filter *f)
{
    struct subscriber *entry = subscription_index_entry(&f->where);

    entry->since_id = SUBSCRIPTION_ENDED;
    entry->changed = true;
    f->ended = true;
    f->leaving = false;
    f->retained_as_of = 0;
    f->greeted = f->greeting = false;
    c->ended_filters++;
}

static void begin_anew(struct connection *c, struct session_filter *f,
                       struct subscriber *entry, uint64_t head)
{
    entry->since_id = head;
    f->ended = f->leaving = false;
    c->ended_filters--;
}

/* As before the SUBSCRIBE that made it new. */
static void take_back(struct connection *c, struct session_filter *f)
{
    if (f->earlier_until > 0)
        set_ended(c, f);
    else
        drop(c, f);
}

static void remove_ended(struct connection *c, bool all)
{
    struct session_filter *f, *next;

    for (f = LIST_FIRST(&c->filters); f != NULL && c->ended_filters > 0;
         f = next) {
        next = LIST_NEXT(f, entry);
        if (f->leaving || (all && f->ended))
            drop(c, f);
    }
}

void subscribe_left(struct connection *c)
{
    remove_ended(c, false);
}

void subscribe_backlog_given(struct connection *c)
{
    if (c->ended_filters == 0)
        return;
    if (c->stored != NULL)
        stored_session_unsubscribed(c);
    else
        remove_ended(c, true);
}

/* What has ended is no reason to refuse a filter. */
static bool make_room(struct connection *c, struct slice filter)
{
    if (!has_room(c, filter) && c->ended_filters > 0)
        remove_ended(c, true);
    return has_room(c, filter);
}

static uint8_t subscribe_one(struct connection *c,
                             const struct packet_filter *p,
                             uint32_t identifier, uint64_t head)
{
    const uint8_t refused =
        auth_subscribe(c->role, connection_token(c), p->filter);
    struct subscriber s = {
        .who = c,
        .since_id = head,
        .qos = p->qos,
        .no_local = p->no_local,
        .retain_as_published = p->retain_as_published,
        .identifier = identifier,
    };

    if (refused != 0)
        return refused;
    if (filter_is_shared(p->filter))
        return subscribe_shared(c, p, identifier);
    struct session_filter *f = find(c, p->filter);
    const bool is_new = f == NULL || f->ended;
    if (f == NULL) {
        if (!make_room(c, p->filter))
            return REASON_QUOTA_EXCEEDED;
        f = add(c, p->filter, &s);
        if (f == NULL)
            return REASON_UNSPECIFIED_ERROR;
    } else {
        /* Replaced without a gap (MQTT-3.8.4-3): since_id stays. */
        struct subscriber *entry = subscription_index_entry(&f->where);
        if (f->ended)
            begin_anew(c, f, entry, head);
        if (entry->qos != s.qos || entry->no_local != s.no_local)
            remember_options(c, f, entry);
        entry->qos = s.qos;
        entry->no_local = s.no_local;
        entry->retain_as_published = s.retain_as_published;
        entry->identifier = identifier; /* none, if there was one (§3.8.4) */
    }
    /* MQTT-3.3.1-9 to -11 */
    if (p->retain_handling == 0 || (p->retain_handling == 1 && is_new)) {
        if (!retained_scan_add(c, p->filter, head, &s)) {
            if (is_new)
                take_back(c, f);
            return REASON_UNSPECIFIED_ERROR;
        }
        f->retained_as_of = head;
    }
    f->greeted = false;
    return s.qos;
}

/* Its row; the filter is borrowed from it. */
static struct session_subscription row_of(const struct session_filter *f)
{
    const struct subscriber *s = session_filter_options(f);

    return (struct session_subscription){
        .filter = session_filter_slice(f),
        .qos = s->qos,
        .no_local = s->no_local,
        .retain_as_published = s->retain_as_published,
        .identifier = s->identifier,
        .since_id = s->since_id,
        .retained_as_of = f->retained_as_of,
        .changed_at = f->changed_at,
        .qos_before = f->qos_before,
        .no_local_before = f->no_local_before,
        .earlier_since = f->earlier_since,
        .earlier_until = f->earlier_until,
    };
}

/* All zero where the SUBSCRIBE at hand is the first of this filter. */
static struct session_subscription row_before(struct connection *c,
                                              struct slice filter)
{
    const struct session_filter *f = find(c, filter);

    return f == NULL || f->fresh ? (struct session_subscription){0}
                                 : row_of(f);
}

/* What becomes of an earlier SUBSCRIBE is not known yet. */
static bool names_one_that_is_stored(struct connection *c,
                                     const struct packet_subscribe *s)
{
    struct packet_filter_cursor at = s->filters;
    struct packet_filter p;

    if (c->subacks_due == 0)
        return false;
    while (packet_filter_next(&at, &p)) {
        const struct session_filter *f = find(c, p.filter);
        if (f != NULL && f->storing != 0)
            return true;
    }
    return false;
}

static uint8_t *reasons_new(struct connection *c, size_t count)
{
    uint8_t *reasons = malloc(count);

    if (reasons == NULL)
        connection_close(c, CLOSE_NO_MEMORY, NULL);
    return reasons;
}

void subscribe_received(struct connection *c, const struct packet_subscribe *s)
{
    struct worker *w = c->worker;
    struct packet_filter_cursor at = s->filters;
    struct packet_filter filter;
    uint64_t head = w->head;
    size_t count = 0;

    c->behind_store = names_one_that_is_stored(c, s);
    if (c->behind_store)
        return;
    const bool readable = subscribe_read_head(w, &head);
    if (readable)
        join_groups(c, s, head);
    if (c->joining > 0)
        return;
    uint8_t *reasons = reasons_new(c, s->count);
    struct session_subscription *before =
        c->stored == NULL ? NULL : calloc(s->count, sizeof(*before));
    if (reasons != NULL && c->stored != NULL && before == NULL)
        connection_close(c, CLOSE_NO_MEMORY, NULL);
    while (c->state == CONNECTION_OPEN && count < s->count &&
           packet_filter_next(&at, &filter)) {
        if (before != NULL)
            before[count] = row_before(c, filter.filter);
        reasons[count] =
            readable ? subscribe_one(c, &filter, s->subscription_id, head)
                     : REASON_UNSPECIFIED_ERROR;
        count++;
    }
    if (c->state == CONNECTION_OPEN && c->stored != NULL)
        subscribe_store(c, s, reasons, before);
    else if (c->state == CONNECTION_OPEN)
        subscribe_answer(c, PACKET_SUBACK, s->packet_id, reasons, count, NULL);
    free(before);
    free(reasons);
    if (c->state == CONNECTION_OPEN)
        catch_up_refresh(c);
}

/* What was published before is for it still: MQTT 5 §3.10.4 allows to drop what
 * was not begun to be sent; nobody expects it. false: there was no subscription. */
static bool unsubscribe(struct connection *c, struct slice filter)
{
    struct session_filter *f = find(c, filter);

    if (f == NULL || f->ended)
        return false;
    retained_scan_cancel(c, filter);
    if (!is_owed(c, f)) {
        drop(c, f);
        return true;
    }
    f->earlier_since = subscription_index_entry(&f->where)->since_id;
    f->earlier_until = c->worker->head;
    set_ended(c, f);
    return true;
}

void unsubscribe_received(struct connection *c,
                          const struct packet_subscribe *s)
{
    struct packet_filter_cursor at = s->filters;
    struct packet_filter filter;
    size_t count = 0;

    c->behind_store = names_one_that_is_stored(c, s);
    if (c->behind_store)
        return;
    uint8_t *reasons = reasons_new(c, s->count);

    if (reasons == NULL)
        return;
    while (packet_filter_next(&at, &filter) && count < s->count)
        reasons[count++] = unsubscribe(c, filter.filter)
                               ? REASON_SUCCESS
                               : REASON_NO_SUBSCRIPTION_EXISTED;
    if (c->stored != NULL)
        unsubscribe_store(c, s, reasons);
    else
        subscribe_answer(c, PACKET_UNSUBACK, s->packet_id, reasons, count,
                         NULL);
    free(reasons);
    if (c->state == CONNECTION_OPEN)
        catch_up_refresh(c);
}

void subscribe_take_back(struct connection *c, struct slice filter,
                         const struct session_subscription *before)
{
    struct session_filter *f = find(c, filter);

    if (f == NULL)
        return;
    if (before->filter.len == 0) {
        retained_scan_cancel(c, filter);
        drop(c, f);
        return;
    }
    struct subscriber *s = session_filter_options(f);
    s->qos = before->qos;
    s->no_local = before->no_local;
    s->retain_as_published = before->retain_as_published;
    s->identifier = before->identifier;
    s->changed = before->changed_at != 0 || before->earlier_until != 0;
    f->changed_at = before->changed_at;
    f->qos_before = before->qos_before;
    f->no_local_before = before->no_local_before;
    if (before->since_id != SUBSCRIPTION_ENDED || f->ended)
        return;
    retained_scan_cancel(c, filter);
    set_ended(c, f);
    stored_session_unsubscribed(c);
}

bool subscribe_restore(struct connection *c,
                       const struct session_subscription *row)
{
    const struct subscriber s = {
        .who = c,
        .since_id = row->since_id,
        .qos = row->qos,
        .no_local = row->no_local,
        .retain_as_published = row->retain_as_published,
        .identifier = row->identifier,
        .changed = row->changed_at != 0 || row->earlier_until != 0,
    };
    struct session_filter *f = add(c, row->filter, &s);

    if (f == NULL)
        return false;
    f->changed_at = row->changed_at;
    f->qos_before = row->qos_before;
    f->no_local_before = row->no_local_before;
    f->retained_as_of = row->retained_as_of;
    f->earlier_since = row->earlier_since;
    f->earlier_until = row->earlier_until;
    f->ended = row->since_id == SUBSCRIPTION_ENDED;
    c->ended_filters += f->ended;
    return row->retained_as_of == 0 ||
           retained_scan_add(c, row->filter, row->retained_as_of, &s);
}

void subscribe_describe(const struct session_filter *f, char *name,
                        struct session_subscription *ret_row)
{
    memcpy(name, f->filter, f->len);
    *ret_row = row_of(f);
    ret_row->filter = slice_of(name, f->len);
}

struct session_filter *subscribe_find(struct connection *c,
                                      struct slice filter)
{
    return find(c, filter);
}

void subscribe_greeted(struct connection *c, struct slice filter)
{
    struct session_filter *f = c->stored == NULL ? NULL : find(c, filter);

    if (f == NULL || f->retained_as_of == 0)
        return;
    f->retained_as_of = 0;
    f->greeted = true;
    stored_session_greeted(c);
}

struct subscriber *session_filter_options(const struct session_filter *f)
{
    return f->share != NULL ? share_member_options(f->share)
                            : subscription_index_entry(&f->where);
}

bool subscribe_forget(struct connection *c, size_t *filters)
{
    for (; *filters > 0 && !LIST_EMPTY(&c->filters); --*filters)
        drop(c, LIST_FIRST(&c->filters));
    if (!LIST_EMPTY(&c->filters))
        return false;
    c->worker->dead_count -= c->in_index;
    c->in_index = false;
    return true;
}

static void leave_groups(struct connection *c)
{
    struct session_filter *f, *next;

    for (f = LIST_FIRST(&c->filters); f != NULL && c->shares > 0; f = next) {
        next = LIST_NEXT(f, entry);
        if (f->share != NULL)
            drop(c, f);
    }
}

void subscribe_leave(struct connection *c)
{
    size_t filters = SESSION_ROWS_PER_TURN;

    leave_groups(c);
    if (c->filter_count > filters) {
        c->in_index = true;
        c->worker->dead_count++;
    } else {
        (void)subscribe_forget(c, &filters);
    }
}

/* ---- matching one connection -------------------------------------------- */

static const struct session_filter *filter_of(const struct subscription *s)
{
    return (const void *)((const char *)s -
                          offsetof(struct session_filter, where));
}

static void options_for(const struct message *m, const struct subscriber *s,
                        uint8_t *ret_qos, bool *ret_no_local)
{
    const struct session_filter *f =
        s->changed && m->id != 0 ? filter_of(s->subscription) : NULL;
    const bool before = f != NULL && m->id <= f->changed_at;

    *ret_qos = before ? f->qos_before : s->qos;
    *ret_no_local = before ? f->no_local_before : s->no_local;
}

static bool is_older(const struct message *m, const struct subscriber *s)
{
    if (m->id == 0 || m->id > s->since_id)
        return false;
    if (!s->changed)
        return true;
    const struct session_filter *f = filter_of(s->subscription);
    return m->id <= f->earlier_since || m->id > f->earlier_until;
}

static void join(struct matched *t, struct connection *c,
                 const struct message *m, const struct subscriber *s)
{
    uint8_t qos;
    bool no_local;

    options_for(m, s, &qos, &no_local);
    if (is_older(m, s) ||
        (no_local && m->publisher != 0 && m->publisher == c->publisher))
        return;
    t->any = true;
    if (qos > t->qos)
        t->qos = qos;
    t->retain_as_published |= s->retain_as_published;
    if (s->identifier != 0)
        identifiers_put(&c->worker->identifiers, s->identifier);
}

bool subscribe_match(struct connection *c, const struct message *m,
                     struct matched *ret)
{
    struct worker *w = c->worker;
    const struct index_match *matches;
    const size_t count =
        subscription_index_match(w->index, m->topic, &matches);
    size_t others = 0;

    *ret = (struct matched){0};
    identifiers_clear(&w->identifiers);
    /* Through the index or through its own filters, whichever is shorter. */
    for (size_t i = 0; i < count; i++)
        others += matches[i].count;
    if (others <= c->filter_count) {
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < matches[i].count; j++)
                if (matches[i].subscribers[j].who == c)
                    join(ret, c, m, &matches[i].subscribers[j]);
    } else {
        struct session_filter *f;
        LIST_FOREACH (f, &c->filters, entry)
            if (f->share == NULL &&
                filter_matches(session_filter_slice(f), m->topic))
                join(ret, c, m, subscription_index_entry(&f->where));
    }
    ret->identifiers = w->identifiers.items;
    ret->identifier_count = w->identifiers.count;
    return ret->any;
}
