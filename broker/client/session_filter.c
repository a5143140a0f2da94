#include "broker/client/session_filter.h"

#include <stddef.h>

#include "base/topic.h"
#include "broker/client/shard.h"

/* The key of worker.filters: the owner's address, then the filter. */
static struct slice session_filter_key(struct worker *w,
                                       const struct connection *c,
                                       struct slice filter)
{
    buffer_clear(&w->scratch);
    buffer_put(&w->scratch, &c, sizeof(c));
    buffer_put_slice(&w->scratch, filter);
    return buffer_ok(&w->scratch) ? buffer_slice(&w->scratch)
                                  : slice_of(NULL, 0);
}

struct session_filter *session_filter_find(struct connection *c,
                                           struct slice filter)
{
    struct worker *w = c->worker;
    const struct slice key = session_filter_key(w, c, filter);
    struct session_filter *f = NULL;

    if (key.len > 0)
        HASH_FIND(hh, w->filters, key.data, key.len, f);
    return f;
}

static const struct session_filter *session_filter_of(
    const struct subscription *s)
{
    return (const void *)((const char *)s -
                          offsetof(struct session_filter, where));
}

static void session_filter_options_at(const struct message *m,
                                      const struct subscriber *s,
                                      uint8_t *ret_qos, bool *ret_no_local)
{
    const struct session_filter *f =
        s->changed && m->id != 0 ? session_filter_of(s->subscription) : NULL;
    const bool before = f != NULL && m->id <= f->changed_at;

    *ret_qos = before ? f->qos_before : s->qos;
    *ret_no_local = before ? f->no_local_before : s->no_local;
}

static bool session_filter_is_older(const struct message *m,
                                    const struct subscriber *s)
{
    if (m->id == 0 || m->id > s->since_id)
        return false;
    if (!s->changed)
        return true;
    const struct session_filter *f = session_filter_of(s->subscription);
    return m->id <= f->earlier_since || m->id > f->earlier_until;
}

static void session_filter_join(struct matched *t, struct connection *c,
                                const struct message *m,
                                const struct subscriber *s)
{
    uint8_t qos;
    bool no_local;

    session_filter_options_at(m, s, &qos, &no_local);
    if (session_filter_is_older(m, s) ||
        (no_local && m->publisher != 0 && m->publisher == c->publisher))
        return;
    t->any = true;
    if (qos > t->qos)
        t->qos = qos;
    t->retain_as_published |= s->retain_as_published;
    if (s->identifier != 0)
        identifiers_put(&c->worker->identifiers, s->identifier);
}

bool session_filter_match(struct connection *c, const struct message *m,
                          struct matched *ret)
{
    struct worker *w = c->worker;
    const struct index_match *matches;
    const size_t count =
        subscription_index_match(w->index, m->topic, &matches);
    size_t others = 0;

    *ret = (struct matched){0};
    identifiers_clear(&w->identifiers);
    /* Through the index or through its own filters, whichever is faster. */
    for (size_t i = 0; i < count; i++)
        others += matches[i].count;
    if (others <= c->filter_count) {
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < matches[i].count; j++)
                if (matches[i].subscribers[j].who == c)
                    session_filter_join(ret, c, m, &matches[i].subscribers[j]);
    } else {
        struct session_filter *f;
        LIST_FOREACH (f, &c->filters, entry)
            if (f->share == NULL &&
                filter_matches(session_filter_slice(f), m->topic))
                session_filter_join(ret, c, m,
                                    subscription_index_entry(&f->where));
    }
    ret->identifiers = w->identifiers.items;
    ret->identifier_count = w->identifiers.count;
    return ret->any;
}
