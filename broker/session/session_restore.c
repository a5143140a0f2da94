#include "broker/session/session_restore.h"

#include <stdlib.h>
#include <string.h>

#include "base/topic.h"
#include "broker/client/client_mount.h"
#include "broker/client/inbound.h"
#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/publish/publish.h"
#include "broker/session/filters.h"
#include "broker/session/save_command.h"

#define ROWS_PER_STEP 64 /* then another session continues */

struct session_restore {
    TAILQ_ENTRY(session_restore) entry; /* worker.restores */
    struct connection *c;
    void (*done)(struct connection *c, bool good, const void *arg);
    const void *arg;
    bool has_inflight; /* these have been read; subscriptions come next */
    size_t count;
    struct inflight_entry *entries;
    struct session_walk walk;
    /* Groups are joined last, in the turn that completes it: they may give
     * messages at once. */
    bool has_shared;
    struct session_walk before_shared;
    struct buffer refused; /* filters it may not have any more, a NUL each */
    size_t refused_count;
};

/* ---- messages in flight
 * ----------------------------------------------------- */

static int by_order(const void *a, const void *b)
{
    const uint32_t x = ((const struct inflight_entry *)a)->order;
    const uint32_t y = ((const struct inflight_entry *)b)->order;

    return x < y ? -1 : x > y;
}

static bool take_entry(struct inflight_entry *to,
                       const struct session_inflight *row)
{
    *to = (struct inflight_entry){
        .log_id = row->log_id,
        .order = row->order,
        .packet_id = row->packet_id,
        .qos = row->qos,
        .state = row->state,
        .retain = row->retain,
        .saved = true,
        .identifier_count = row->identifier_count,
    };
    if (row->identifier_count == 0)
        return true;
    to->identifiers = malloc(row->identifier_count * sizeof(uint32_t));
    return to->identifiers != NULL &&
           session_inflight_identifiers(row, to->identifiers);
}

static bool restore_inflight(struct connection *c,
                             struct inflight_entry *entries, size_t count)
{
    size_t taken = 0;

    qsort(entries, count, sizeof(*entries), by_order);
    while (taken < count && inflight_restore(&c->inflight, &entries[taken]))
        stored_session_restores(c, &entries[taken++]);
    for (size_t i = taken; i < count; i++)
        free(entries[i].identifiers);
    c->resend = c->inflight.count;
    return taken == count;
}

/* Reads at most that many rows. STORE_NOTFOUND: there are no more. */
static enum store_err read_inflight(struct session_restore *s,
                                    struct store_reader *r, size_t *rows)
{
    struct connection *c = s->c;
    struct session_inflight row;
    enum store_err err = STORE_OK;
    bool good = true;

    for (; good && *rows > 0; --*rows) {
        err = store_inflight_next(r, c->stored->number, &s->walk, &row);
        if (err != STORE_OK)
            return err;
        if (row.inbound)
            good = inbound_add(&c->inbound, row.packet_id);
        else if (s->count < INFLIGHT_MAX)
            good = take_entry(&s->entries[s->count++], &row);
    }
    return good ? STORE_OK : STORE_NOMEM;
}

/* ---- subscriptions --------------------------------------------------------- */

/* The client may have come back with a key that has fewer rights than the one that
 * it subscribed with, or another mount. */
static bool is_allowed(const struct connection *c, struct slice filter)
{
    const struct caller caller = connection_caller(c);

    return caller_may(&caller, CALLER_SUBSCRIBE, filter) &&
           client_mount_covers(c, filter);
}

/* The row goes with the end of the restore (remove_refused()). */
static bool refuse_filter(struct session_restore *s, struct slice filter)
{
    buffer_put_slice(&s->refused, filter);
    buffer_put(&s->refused, "", 1);
    s->refused_count++;
    return buffer_ok(&s->refused);
}

/* Deletes the rows of refused filters, as UNSUBSCRIBE does. If that fails they are
 * refused, and deleted, the next time. */
static void remove_refused(struct connection *c, const struct buffer *filters,
                           size_t count)
{
    struct publish *q = count == 0 ? NULL : publish_new(c->worker, NULL);
    void *block;

    if (q == NULL)
        return;
    struct session_save *save =
        save_command_make(c, q, count * sizeof(struct slice) + filters->len,
                          &block);
    if (save == NULL) {
        publish_free(c->worker, q);
        return;
    }
    struct slice *removed = block;
    char *at = (char *)(removed + count);
    memcpy(at, filters->data, filters->len);
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
        removed[i] = slice_str(at);
    save->removed = removed;
    save->removed_count = count;
    q->finished = publish_free;
    publish_submit(c->worker, q);
}

static enum store_err read_subscriptions(struct session_restore *s,
                                         struct store_reader *r, size_t *rows)
{
    struct connection *c = s->c;
    struct session_subscription row;

    for (; *rows > 0; --*rows) {
        const struct session_walk before = s->walk;
        const enum store_err err =
            store_subscription_next(r, c->stored->number, &s->walk, &row);
        if (err != STORE_OK)
            return err;
        if (!is_allowed(c, row.filter)) {
            if (!refuse_filter(s, row.filter))
                return STORE_NOMEM;
        } else if (filter_is_shared(row.filter)) {
            if (!s->has_shared)
                s->before_shared = before;
            s->has_shared = true;
        } else if (!filters_restore(c, &row)) {
            return STORE_NOMEM;
        }
    }
    return STORE_OK;
}

/* At most SHARES_MAX, whose rows are adjacent. */
static bool join_groups(struct session_restore *s, struct store_reader *r)
{
    struct session_subscription row;

    while (s->has_shared &&
           store_subscription_next(r, s->c->stored->number, &s->before_shared,
                                   &row) == STORE_OK &&
           filter_is_shared(row.filter))
        if (is_allowed(s->c, row.filter) && !filters_restore(s->c, &row))
            return false;
    return true;
}

/* ---- steps ----------------------------------------------------------------- */

bool session_restore_begin(struct connection *c,
                           void (*done)(struct connection *c, bool good,
                                        const void *arg),
                           const void *arg)
{
    struct session_restore *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return false;
    s->entries = calloc(INFLIGHT_MAX, sizeof(*s->entries));
    if (s->entries == NULL) {
        free(s);
        return false;
    }
    s->c = c;
    s->done = done;
    s->arg = arg;
    c->restore = s;
    TAILQ_INSERT_TAIL(&c->worker->restores, s, entry);
    return true;
}

void session_restore_forget(struct connection *c)
{
    struct session_restore *s = c->restore;

    if (s == NULL)
        return;
    c->restore = NULL;
    TAILQ_REMOVE(&c->worker->restores, s, entry);
    for (size_t i = 0; i < s->count; i++)
        free(s->entries[i].identifiers);
    free(s->entries);
    buffer_release(&s->refused);
    free(s);
}

static void restore_finish(struct session_restore *s, bool good)
{
    struct connection *c = s->c;
    void (*done)(struct connection *, bool, const void *) = s->done;
    const void *arg = s->arg;

    session_restore_forget(c);
    done(c, good, arg);
}

static void restore_step(struct session_restore *s, struct store_reader *r,
                         size_t *rows)
{
    struct connection *c = s->c;
    const size_t had = *rows;
    size_t left = had < ROWS_PER_STEP ? had : ROWS_PER_STEP;
    const size_t most = left;
    enum store_err err = STORE_OK;

    if (!s->has_inflight)
        err = read_inflight(s, r, &left);
    if (!s->has_inflight && err == STORE_NOTFOUND) {
        const size_t count = s->count;
        s->has_inflight = true;
        s->count = 0; /* owned by the connection, or freed */
        s->walk = (struct session_walk){0};
        err = restore_inflight(c, s->entries, count) ? STORE_OK : STORE_NOMEM;
    }
    if (s->has_inflight && err == STORE_OK)
        err = read_subscriptions(s, r, &left);
    /* A session counts as a row, too. */
    *rows -= left < most ? most - left : 1;
    if (err == STORE_NOTFOUND) {
        const bool good = join_groups(s, r);
        if (good)
            remove_refused(c, &s->refused, s->refused_count);
        restore_finish(s, good);
    } else if (err != STORE_OK) {
        restore_finish(s, false);
    } else {
        TAILQ_REMOVE(&c->worker->restores, s, entry);
        TAILQ_INSERT_TAIL(&c->worker->restores, s, entry);
    }
}

bool session_restore_turn(struct worker *w)
{
    struct session_restore *s;
    size_t rows = SESSION_ROWS_PER_TURN;

    if (TAILQ_EMPTY(&w->restores))
        return false;
    struct store_reader *r;
    const bool good = store_snapshot(w->hub->store, &r) == STORE_OK;
    while (rows > 0 && (s = TAILQ_FIRST(&w->restores)) != NULL) {
        if (good)
            restore_step(s, r, &rows);
        else
            restore_finish(s, false);
    }
    if (good)
        store_reader_release(r);
    return !TAILQ_EMPTY(&w->restores);
}
