#include "broker/session/filters.h"

#include <stdlib.h>
#include <string.h>

#include "base/topic.h"
#include "broker/client/held.h"
#include "broker/client/shard.h"
#include "broker/client/sys_topics.h"
#include "broker/deliver/client_catchup.h"
#include "broker/deliver/retained.h"
#include "broker/fan_out/sys_changes.h"
#include "broker/session/session_restore.h"
#include "broker/share/share_member.h"

/* ---- in and out ---------------------------------------------------------- */

static size_t filter_cost(struct slice filter)
{
    const char *p = filter.data;
    size_t levels = 1;

    for (size_t i = 0; i < filter.len; i++)
        levels += p[i] == '/';
    return filter.len + levels * FILTER_LEVEL_COST;
}

static size_t filters_allowed(const struct connection *c)
{
    if (c->role == ROLE_ADMIN)
        return FILTERS_MAX_ADMIN;
    const uint64_t most = connection_plan(c)->filters_max;

    return most == 0 || most > FILTERS_MAX ? FILTERS_MAX : (size_t)most;
}

bool filters_have_room(const struct connection *c, struct slice filter)
{
    const bool admin = c->role == ROLE_ADMIN;

    /* A few filters are always granted: a client with many must not keep all
     * others from having any. */
    if (!admin && c->filter_cost + filter_cost(filter) > FILTER_COST_SHORT &&
        !held_filters_have_room(c, filter_cost(filter)))
        return false;
    if (filter_is_shared(filter)
            ? c->shares >= SHARES_MAX
            : !subscription_index_takes(c->worker->index, filter))
        return false;
    return c->filter_count < filters_allowed(c) &&
           c->filter_cost + filter_cost(filter) <=
               (admin ? FILTER_COST_MAX_ADMIN : FILTER_COST_MAX);
}

static void filters_count(struct worker *w)
{
    atomic_store_explicit(&w->subscriptions,
                          subscription_index_count(w->index) +
                              w->share->subscribed,
                          memory_order_relaxed);
    atomic_store_explicit(&w->shared_subscriptions, w->share->subscribed,
                          memory_order_relaxed);
}

static bool filters_enlist(struct connection *c, struct session_filter *f,
                           const struct subscriber *s)
{
    const struct slice filter = session_filter_slice(f);

    if (!filter_is_shared(filter))
        return subscription_index_add(c->worker->index, filter, s, &f->where);
    f->share = share_member_new(c, filter, s);
    return f->share != NULL;
}

struct session_filter *filters_add(struct connection *c, struct slice filter,
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
    if (sys_topics_match(filter))
        sys_changes_subscribing(w);
    if (!filters_enlist(c, f, s)) {
        if (sys_topics_match(filter))
            sys_changes_unsubscribed(w);
        HASH_DEL(w->filters, f);
        free(f);
        return NULL;
    }
    LIST_INSERT_HEAD(&c->filters, f, entry);
    c->filter_count++;
    c->filter_cost += filter_cost(filter);
    held_add_filter(c, filter_cost(filter));
    filters_count(w);
    return f;
}

void filters_drop(struct connection *c, struct session_filter *f)
{
    struct worker *w = c->worker;

    if (f->share != NULL)
        share_member_leave(f->share);
    else
        subscription_index_remove(w->index, &f->where);
    c->ended_filters -= f->ended;
    if (sys_topics_match(session_filter_slice(f)))
        sys_changes_unsubscribed(w);
    HASH_DEL(w->filters, f);
    LIST_REMOVE(f, entry);
    c->filter_count--;
    c->filter_cost -= filter_cost(session_filter_slice(f));
    held_give_filter(c, filter_cost(session_filter_slice(f)));
    filters_count(w);
    free(f);
}

/* ---- options ------------------------------------------------------------ */

/* Every message up to this id has been delivered for good, even after a
 * crash. */
static uint64_t filters_given_up_to(const struct connection *c)
{
    if (c->stored != NULL)
        return c->stored->saved_position;
    return c->catchup != NULL ? client_catchup_position(c) : c->worker->head;
}

/* Call it before other options replace those in `s`. If messages may still
 * be due with the options in `s`, remembers these; options that were
 * replaced before are merged with them, so that nothing is lost. */
static void filters_remember_options(struct connection *c,
                                     struct session_filter *f,
                                     struct subscriber *s)
{
    const bool owed = f->changed_at > filters_given_up_to(c);

    f->qos_before = owed && f->qos_before > s->qos ? f->qos_before : s->qos;
    f->no_local_before = s->no_local && (!owed || f->no_local_before);
    f->changed_at = c->worker->head;
    s->changed = true;
}

/* ---- filters that have ended ------------------------------------------- */

/* Whether the filter may still be due messages that fan-out has passed.
 * Messages of `$` topics are not stored, and those of a group go to its
 * other members. */
static bool filters_are_owed(const struct connection *c,
                             const struct session_filter *f)
{
    if (f->share != NULL || f->filter[0] == '$')
        return false;
    /* Nothing is in flight: the UNSUBSCRIBE saves that. */
    if (c->catchup == NULL && c->inflight.count == 0)
        return false;
    return filters_given_up_to(c) < c->worker->head;
}

static void filters_set_ended(struct connection *c, struct session_filter *f)
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

static void filters_begin_anew(struct connection *c, struct session_filter *f,
                               struct subscriber *entry, uint64_t head)
{
    entry->since_id = head;
    f->ended = f->leaving = false;
    c->ended_filters--;
}

/* Restores what was before the SUBSCRIBE that added it. */
void filters_undo(struct connection *c, struct session_filter *f)
{
    if (f->earlier_until > 0)
        filters_set_ended(c, f);
    else
        filters_drop(c, f);
}

static void filters_remove_ended(struct connection *c, bool all)
{
    struct session_filter *f, *next;

    for (f = LIST_FIRST(&c->filters); f != NULL && c->ended_filters > 0;
         f = next) {
        next = LIST_NEXT(f, entry);
        if (f->leaving || (all && f->ended))
            filters_drop(c, f);
    }
}

void filters_replace(struct connection *c, struct session_filter *f,
                     const struct subscriber *s)
{
    struct subscriber *entry = subscription_index_entry(&f->where);

    if (f->ended)
        filters_begin_anew(c, f, entry, s->since_id);
    if (entry->qos != s->qos || entry->no_local != s->no_local)
        filters_remember_options(c, f, entry);
    entry->qos = s->qos;
    entry->no_local = s->no_local;
    entry->retain_as_published = s->retain_as_published;
    /* None, if it had one before (§3.8.4). */
    entry->identifier = s->identifier;
}

void filters_end(struct connection *c, struct session_filter *f)
{
    retained_scan_cancel(c, session_filter_slice(f));
    if (!filters_are_owed(c, f)) {
        filters_drop(c, f);
        return;
    }
    f->earlier_since = subscription_index_entry(&f->where)->since_id;
    f->earlier_until = c->worker->head;
    filters_set_ended(c, f);
}

void filters_remove_leaving(struct connection *c)
{
    filters_remove_ended(c, false);
}

void filters_backlog_given(struct connection *c)
{
    if (c->ended_filters == 0)
        return;
    if (c->stored != NULL)
        stored_session_unsubscribed(c);
    else
        filters_remove_ended(c, true);
}

/* Filters that have ended are no reason to refuse one. */
bool filters_make_room(struct connection *c, struct slice filter)
{
    if (!filters_have_room(c, filter) && c->ended_filters > 0)
        filters_remove_ended(c, true);
    return filters_have_room(c, filter);
}

/* ---- rows on disk ------------------------------------------------------- */

/* The filter's row, which borrows the filter text. */
struct session_subscription filters_row(const struct session_filter *f)
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

void filters_take_back(struct connection *c, struct slice filter,
                       const struct session_subscription *before)
{
    struct session_filter *f = session_filter_find(c, filter);

    if (f == NULL)
        return;
    if (before->filter.len == 0) {
        retained_scan_cancel(c, filter);
        filters_drop(c, f);
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
    filters_set_ended(c, f);
    stored_session_unsubscribed(c);
}

bool filters_restore(struct connection *c,
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
    struct session_filter *f = filters_add(c, row->filter, &s);

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

void filters_describe(const struct session_filter *f, char *name,
                      struct session_subscription *ret_row)
{
    memcpy(name, f->filter, f->len);
    *ret_row = filters_row(f);
    ret_row->filter = slice_of(name, f->len);
}

void filters_greeted(struct connection *c, struct slice filter)
{
    struct session_filter *f =
        c->stored == NULL ? NULL : session_filter_find(c, filter);

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

bool filters_forget(struct connection *c, size_t *filters)
{
    for (; *filters > 0 && !LIST_EMPTY(&c->filters); --*filters)
        filters_drop(c, LIST_FIRST(&c->filters));
    if (!LIST_EMPTY(&c->filters))
        return false;
    c->worker->dead_count -= c->in_index;
    c->in_index = false;
    return true;
}

static void filters_leave_groups(struct connection *c)
{
    struct session_filter *f, *next;

    for (f = LIST_FIRST(&c->filters); f != NULL && c->shares > 0; f = next) {
        next = LIST_NEXT(f, entry);
        if (f->share != NULL)
            filters_drop(c, f);
    }
}

void filters_leave(struct connection *c)
{
    size_t filters = SESSION_ROWS_PER_TURN;

    filters_leave_groups(c);
    if (c->filter_count > filters) {
        c->in_index = true;
        c->worker->dead_count++;
    } else {
        (void)filters_forget(c, &filters);
    }
}
