#include "broker/subscribe.h"

#include <stdlib.h>

#include "base/topic.h"
#include "broker/catch_up.h"
#include "broker/packet_encode.h"
#include "broker/reason.h"
#include "broker/retained.h"
#include "broker/share_member.h"
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

static uint64_t cost_of(struct slice filter)
{
    const char *p = filter.data;
    uint64_t levels = 1;

    for (size_t i = 0; i < filter.len; i++)
        levels += p[i] == '/';
    return filter.len + levels * FILTER_LEVEL_COST;
}

static bool has_room(const struct connection *c, struct slice filter)
{
    const bool admin = c->role == ROLE_ADMIN;

    if (!admin && c->worker->filter_cost > WORKER_FILTER_COST_MAX)
        return false;
    if (filter_is_shared(filter) && c->shares >= SHARES_MAX)
        return false;
    return c->filter_count < (admin ? FILTERS_MAX_ADMIN : FILTERS_MAX) &&
           c->filter_cost + cost_of(filter) <=
               (admin ? FILTER_COST_MAX_ADMIN : FILTER_COST_MAX);
}

static void count_filters(struct worker *w)
{
    atomic_store_explicit(&w->subscriptions,
                          subscription_index_count(w->index) +
                              w->share.subscribed,
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
    if (!enlist(c, f, s)) {
        HASH_DEL(w->filters, f);
        free(f);
        return NULL;
    }
    LIST_INSERT_HEAD(&c->filters, f, entry);
    c->filter_count++;
    c->filter_cost += cost_of(filter);
    w->filter_cost += cost_of(filter);
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
    HASH_DEL(w->filters, f);
    LIST_REMOVE(f, entry);
    c->filter_count--;
    c->filter_cost -= cost_of(session_filter_slice(f));
    w->filter_cost -= cost_of(session_filter_slice(f));
    count_filters(w);
    free(f);
}

/* ---- SUBSCRIBE ---------------------------------------------------------- */

/* Where the log ended when the SUBSCRIBE came. Not the worker's head: messages
 * acknowledged before, but not fanned out here yet, are old ones to the new
 * subscription, and among them may be the retained one it is about to get. */
static bool read_head(struct worker *w, uint64_t *ret_head)
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

static void take_options(struct subscriber *as, const struct packet_filter *p)
{
    as->qos = p->qos > 1 ? 1 : p->qos;
    as->retain_as_published = p->retain_as_published;
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
        take_options(&as, &p);
        (void)add(c, p.filter, &as);
    }
}

/* After join_groups() and what came of it. There are no retained messages for
 * groups (MQTT 5 §4.8.2). */
static uint8_t subscribe_shared(struct connection *c,
                                const struct packet_filter *p)
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
    take_options(as, p);
    return as->qos;
}

static uint8_t subscribe_one(struct connection *c,
                             const struct packet_filter *p, uint64_t head)
{
    const uint8_t refused =
        auth_subscribe(c->role, connection_token(c), p->filter);
    struct subscriber s = {
        .who = c,
        .since_id = head,
        .qos = p->qos > 1 ? 1 : p->qos,
        .no_local = p->no_local,
        .retain_as_published = p->retain_as_published,
    };

    if (refused != 0)
        return refused;
    if (filter_is_shared(p->filter))
        return subscribe_shared(c, p);
    struct session_filter *f = find(c, p->filter);
    const bool is_new = f == NULL;
    if (is_new) {
        if (!has_room(c, p->filter))
            return REASON_QUOTA_EXCEEDED;
        f = add(c, p->filter, &s);
        if (f == NULL)
            return REASON_UNSPECIFIED_ERROR;
    } else {
        /* Replaced without a gap (MQTT-3.8.4-3): since_id stays. */
        struct subscriber *entry = subscription_index_entry(&f->where);
        entry->qos = s.qos;
        entry->no_local = s.no_local;
        entry->retain_as_published = s.retain_as_published;
    }
    /* MQTT-3.3.1-9 to -11 */
    if ((p->retain_handling == 0 || (p->retain_handling == 1 && is_new)) &&
        !retained_scan_add(c, p->filter, head, &s)) {
        if (is_new)
            drop(c, f);
        return REASON_UNSPECIFIED_ERROR;
    }
    return s.qos;
}

static void send_reasons(struct connection *c, uint16_t packet_id,
                         const uint8_t *reasons, size_t count,
                         size_t (*encode)(const struct packet_terms *,
                                          uint16_t, const uint8_t *, size_t,
                                          const struct packet_detail *,
                                          uint8_t *, size_t))
{
    struct worker *w = c->worker;
    const size_t cap = PACKET_SUBACK_SIZE_MAX(count);

    buffer_clear(&w->scratch);
    if (!buffer_reserve(&w->scratch, cap)) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    const size_t size = encode(&c->terms, packet_id, reasons, count, NULL,
                               (uint8_t *)w->scratch.data, cap);
    if (size == 0)
        return; /* the client's Maximum Packet Size has no room for it */
    if (out_queue_copy(&c->out, &w->pool, slice_of(w->scratch.data, size)))
        connection_touch(c);
    else
        connection_close(c, CLOSE_NO_MEMORY, NULL);
}

void subscribe_received(struct connection *c, const struct packet_subscribe *s)
{
    struct worker *w = c->worker;
    struct packet_filter_cursor at = s->filters;
    struct packet_filter filter;
    uint64_t head = w->head;
    size_t count = 0;

    if (s->subscription_id != 0) {
        connection_close(c, CLOSE_SUBSCRIPTION_ID, NULL);
        return;
    }
    const bool readable = read_head(w, &head);
    if (readable)
        join_groups(c, s, head);
    if (c->joining > 0)
        return;
    uint8_t *reasons = malloc(s->count);
    if (reasons == NULL) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    while (packet_filter_next(&at, &filter) && count < s->count)
        reasons[count++] = readable ? subscribe_one(c, &filter, head)
                                    : REASON_UNSPECIFIED_ERROR;
    send_reasons(c, s->packet_id, reasons, count, packet_encode_suback);
    free(reasons);
    if (c->state == CONNECTION_OPEN)
        catch_up_refresh(c);
}

void unsubscribe_received(struct connection *c,
                          const struct packet_subscribe *s)
{
    struct packet_filter_cursor at = s->filters;
    struct packet_filter filter;
    size_t count = 0;
    uint8_t *reasons = malloc(s->count);

    if (reasons == NULL) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    while (packet_filter_next(&at, &filter) && count < s->count) {
        struct session_filter *f = find(c, filter.filter);
        reasons[count++] =
            f == NULL ? REASON_NO_SUBSCRIPTION_EXISTED : REASON_SUCCESS;
        if (f != NULL) {
            retained_scan_cancel(c, filter.filter);
            drop(c, f);
        }
    }
    send_reasons(c, s->packet_id, reasons, count, packet_encode_unsuback);
    free(reasons);
    if (c->state == CONNECTION_OPEN)
        catch_up_refresh(c);
}

struct subscriber *session_filter_options(const struct session_filter *f)
{
    return f->share != NULL ? share_member_options(f->share)
                            : subscription_index_entry(&f->where);
}

void subscribe_forget(struct connection *c)
{
    while (!LIST_EMPTY(&c->filters))
        drop(c, LIST_FIRST(&c->filters));
}

/* ---- matching one connection -------------------------------------------- */

struct together {
    bool any;
    uint8_t qos;
    bool retain_as_published;
};

static void join(struct together *t, const struct connection *c,
                 const struct message *m, const struct subscriber *s)
{
    if (m->id <= s->since_id ||
        (s->no_local && m->publisher != 0 && m->publisher == c->publisher))
        return;
    t->any = true;
    if (s->qos > t->qos)
        t->qos = s->qos;
    t->retain_as_published |= s->retain_as_published;
}

bool subscribe_match(struct connection *c, const struct message *m,
                     uint8_t *ret_qos, bool *ret_retain_as_published)
{
    const struct index_match *matches;
    const size_t count =
        subscription_index_match(c->worker->index, m->topic, &matches);
    struct together t = {0};
    size_t others = 0;

    /* Through the index or through its own filters, whichever is shorter. */
    for (size_t i = 0; i < count; i++)
        others += matches[i].count;
    if (others <= c->filter_count) {
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < matches[i].count; j++)
                if (matches[i].subscribers[j].who == c)
                    join(&t, c, m, &matches[i].subscribers[j]);
    } else {
        struct session_filter *f;
        LIST_FOREACH (f, &c->filters, entry)
            if (f->share == NULL &&
                filter_matches(session_filter_slice(f), m->topic))
                join(&t, c, m, subscription_index_entry(&f->where));
    }
    *ret_qos = t.qos;
    *ret_retain_as_published = t.retain_as_published;
    return t.any;
}
