#include "broker/session/subscribe.h"

#include <stdlib.h>

#include "base/topic.h"
#include "broker/client/session_filter.h"
#include "broker/client/shard.h"
#include "broker/deliver/client_catchup.h"
#include "broker/deliver/retained.h"
#include "broker/session/filters.h"
#include "broker/session/subscribe_private.h"
#include "broker/share/share_member.h"
#include "broker/wire/reason.h"

/* ---- SUBSCRIBE ---------------------------------------------------------- */

static void take_options(struct subscriber *as, const struct packet_filter *p,
                         uint32_t identifier)
{
    as->qos = p->qos;
    as->retain_as_published = p->retain_as_published;
    as->identifier = identifier;
}

/* Joins the groups of the SUBSCRIBE that the client is not a member of. The
 * first may give messages before the last has answered. */
static void join_groups(struct connection *c, const struct packet_subscribe *s,
                        uint64_t head)
{
    const struct caller caller = connection_caller(c);
    struct subscriber as = {.who = c, .since_id = head};
    struct packet_filter_cursor at = s->filters;
    struct packet_filter p;

    while (packet_filter_next(&at, &p)) {
        if (!filter_is_shared(p.filter) ||
            auth_subscribe(&caller, p.filter) != 0 ||
            session_filter_find(c, p.filter) != NULL ||
            !filters_have_room(c, p.filter))
            continue;
        take_options(&as, &p, s->subscription_id);
        struct session_filter *f = filters_add(c, p.filter, &as);
        if (f != NULL)
            f->fresh = true;
    }
}

/* Call it after join_groups() and the groups' answers. Groups get no
 * retained messages (MQTT 5 §4.8.2). */
static uint8_t subscribe_shared(struct connection *c,
                                const struct packet_filter *p,
                                uint32_t identifier)
{
    struct session_filter *f = session_filter_find(c, p->filter);

    if (f == NULL)
        return filters_have_room(c, p->filter) ? REASON_UNSPECIFIED_ERROR
                                               : REASON_QUOTA_EXCEEDED;
    if (!share_member_is_good(f->share)) {
        filters_drop(c, f);
        return REASON_UNSPECIFIED_ERROR;
    }
    struct subscriber *as = session_filter_options(f);
    take_options(as, p, identifier);
    f->fresh = false;
    return as->qos;
}

static uint8_t subscribe_one(struct connection *c,
                             const struct packet_filter *p,
                             uint32_t identifier, uint64_t head)
{
    const struct caller caller = connection_caller(c);
    const uint8_t refused = auth_subscribe(&caller, p->filter);
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
    struct session_filter *f = session_filter_find(c, p->filter);
    const bool is_new = f == NULL || f->ended;
    if (f == NULL) {
        if (!filters_make_room(c, p->filter))
            return REASON_QUOTA_EXCEEDED;
        f = filters_add(c, p->filter, &s);
        if (f == NULL)
            return REASON_UNSPECIFIED_ERROR;
    } else {
        filters_replace(c, f, &s);
    }
    /* MQTT-3.3.1-9 to -11 */
    if (p->retain_handling == 0 || (p->retain_handling == 1 && is_new)) {
        if (!retained_scan_add(c, p->filter, head, &s)) {
            if (is_new)
                filters_undo(c, f);
            return REASON_UNSPECIFIED_ERROR;
        }
        f->retained_as_of = head;
    }
    f->greeted = false;
    return s.qos;
}

/* All zero if this is the filter's first SUBSCRIBE. */
static struct session_subscription row_before(struct connection *c,
                                              struct slice filter)
{
    const struct session_filter *f = session_filter_find(c, filter);

    return f == NULL || f->fresh ? (struct session_subscription){0}
                                 : filters_row(f);
}

/* The outcome of an earlier SUBSCRIBE is not known yet. */
static bool names_one_that_is_stored(struct connection *c,
                                     const struct packet_subscribe *s)
{
    struct packet_filter_cursor at = s->filters;
    struct packet_filter p;

    if (c->subacks_due == 0)
        return false;
    while (packet_filter_next(&at, &p)) {
        const struct session_filter *f = session_filter_find(c, p.filter);
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
    /* Not the worker's head: to a new subscription, messages that are
     * acknowledged but not fanned out here yet are old, and the retained one
     * that it is about to get may be among them. */
    const bool readable = worker_read_log_head(w, &head);
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
        client_catchup_refresh(c);
}

/* The filter still gets messages published before. MQTT 5 §3.10.4 allows to
 * drop those not yet being sent, but nobody expects that. false: there was
 * no such subscription. */
static bool unsubscribe_one(struct connection *c, struct slice filter)
{
    struct session_filter *f = session_filter_find(c, filter);

    if (f == NULL || f->ended)
        return false;
    filters_end(c, f);
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
        reasons[count++] = unsubscribe_one(c, filter.filter)
                               ? REASON_SUCCESS
                               : REASON_NO_SUBSCRIPTION_EXISTED;
    if (c->stored != NULL)
        unsubscribe_store(c, s, reasons);
    else
        subscribe_answer(c, PACKET_UNSUBACK, s->packet_id, reasons, count,
                         NULL);
    free(reasons);
    if (c->state == CONNECTION_OPEN)
        client_catchup_refresh(c);
}
