#include "broker/deliver/retained.h"

#include <stdlib.h>

#include "base/topic.h"
#include "broker/client/backlog.h"
#include "broker/client/shard.h"
#include "broker/client/sys_topics.h"
#include "broker/deliver/delivery.h"
#include "broker/deliver/sys_values.h"

#define ROWS_PER_STEP 256

struct retained_scan {
    TAILQ_ENTRY(retained_scan) entry;
    uint64_t as_of;
    uint32_t identifier;
    uint8_t qos;
    bool no_local;
    bool exact;  /* no wildcard: one look-up */
    bool is_sys; /* `$SYS` figures, from sys_at on */
    unsigned sys_at;
    /* Topic to continue after; empty: from the beginning. */
    struct buffer after;
    size_t len;
    char filter[];
};

static struct slice filter_of(const struct retained_scan *s)
{
    return slice_of(s->filter, s->len);
}

static void scan_free(struct connection *c, struct retained_scan *s)
{
    TAILQ_REMOVE(&c->scans, s, entry);
    buffer_release(&s->after);
    free(s);
}

static void scan_done(struct connection *c, struct retained_scan *s)
{
    c->events->greeted(c, filter_of(s));
    scan_free(c, s);
}

void retained_scan_cancel(struct connection *c, struct slice filter)
{
    struct retained_scan *s, *next;

    for (s = TAILQ_FIRST(&c->scans); s != NULL; s = next) {
        next = TAILQ_NEXT(s, entry);
        if (slice_eq(filter_of(s), filter))
            scan_free(c, s);
    }
}

void retained_forget(struct connection *c)
{
    while (!TAILQ_EMPTY(&c->scans))
        scan_free(c, TAILQ_FIRST(&c->scans));
}

bool retained_scan_add(struct connection *c, struct slice filter,
                       uint64_t as_of, const struct subscriber *s)
{
    const bool is_sys = sys_topics_match(filter);

    /* Events are never retained, and `$` topics are never stored. */
    if (*(const char *)filter.data == '$' && !is_sys)
        return true;
    retained_scan_cancel(c, filter);
    struct retained_scan *scan = calloc(1, sizeof(*scan) + filter.len);
    if (scan == NULL)
        return false;
    scan->as_of = as_of;
    scan->qos = s->qos;
    scan->identifier = s->identifier;
    scan->no_local = s->no_local;
    scan->exact = !filter_has_wildcard(filter);
    scan->is_sys = is_sys;
    scan->len = filter.len;
    memcpy(scan->filter, filter.data, filter.len);
    TAILQ_INSERT_TAIL(&c->scans, scan, entry);
    backlog_wake(c);
    return true;
}

static bool is_wanted(const struct connection *c,
                      const struct retained_scan *s, const struct message *m)
{
    return m->id <= s->as_of &&
           !(s->no_local && m->publisher != 0 && m->publisher == c->publisher);
}

/* The next message in the store. STORE_INVALID: its budget is used up. */
static enum store_err scan_next(struct retained_scan *s,
                                struct store_reader *r, unsigned budget,
                                struct record *ret_record)
{
    struct slice resume = slice_of(NULL, 0);

    if (s->exact)
        return store_retained(r, filter_of(s), ret_record);
    const enum store_err err =
        store_retained_next(r, filter_of(s), buffer_slice(&s->after), budget,
                            ret_record, &resume);
    if (err == STORE_OK || err == STORE_INVALID) {
        buffer_clear(&s->after);
        buffer_put_slice(&s->after,
                         err == STORE_OK ? ret_record->m.topic : resume);
        if (!buffer_ok(&s->after))
            return STORE_NOMEM;
    }
    return err;
}

static struct grant grant_of(const struct retained_scan *s)
{
    return (struct grant){
        .qos = s->qos,
        .retain = true,
        .identifiers = &s->identifier,
        .identifier_count = s->identifier != 0,
    };
}

static void sys_step(struct connection *c, struct retained_scan *s)
{
    const struct grant grant = grant_of(s);

    if (!sys_values_give(c, filter_of(s), &grant, &s->sys_at))
        connection_close(c, CLOSE_NO_MEMORY, NULL);
    else if (s->sys_at == SYS_TOPIC_COUNT)
        scan_done(c, s);
}

bool retained_step(struct connection *c, struct store_reader *r)
{
    struct retained_scan *s = TAILQ_FIRST(&c->scans);
    struct record record;

    if (s->is_sys) {
        sys_step(c, s);
        return true;
    }
    for (unsigned rows = 0; rows < ROWS_PER_STEP && delivery_has_room(c);
         rows++) {
        const enum store_err err =
            scan_next(s, r, ROWS_PER_STEP - rows, &record);
        if (err == STORE_INVALID)
            return true;
        if (err == STORE_NOTFOUND) {
            scan_done(c, s);
            return true;
        }
        if (err != STORE_OK)
            return false;
        const struct grant grant = grant_of(s);
        if (is_wanted(c, s, &record.m) &&
            !delivery_give(c, &record.m, &grant)) {
            connection_close(c, CLOSE_NO_MEMORY, NULL);
            return true;
        }
        if (s->exact) {
            scan_done(c, s);
            return true;
        }
    }
    return true;
}
