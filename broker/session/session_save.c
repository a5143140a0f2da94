#include "broker/session/session_save.h"

#include <stdlib.h>
#include <string.h>

#include "broker/client/acknowledge.h"
#include "broker/client/backlog.h"
#include "broker/client/session_filter.h"
#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/publish/publish.h"
#include "broker/session/filters.h"
#include "broker/session/save_command.h"
#include "broker/share/share_member.h"

/* ---- snapshots ----------------------------------------------------------- */

static size_t identifiers_of(const struct connection *c)
{
    size_t count = 0;

    for (unsigned i = 0; i < c->inflight.count; i++)
        count += inflight_at(&c->inflight, i)->identifier_count;
    return count;
}

static bool is_due(const struct inflight_entry *e, bool last)
{
    /* The last save repeats entries of an earlier save that is still in
     * progress, because that may fail. */
    return e->log_id != 0 && (e->changed || (last && e->saving));
}

/* A QoS 2 message of a shared subscription that gets its first row. */
static bool is_given(const struct inflight_entry *e)
{
    return e->share != 0 && e->qos == 2 && !e->saved;
}

/* 0: none. */
static size_t given_size(const struct connection *c)
{
    size_t names = 0;

    for (unsigned i = 0; i < c->inflight.count; i++) {
        const struct inflight_entry *e = inflight_at(&c->inflight, i);
        if (is_given(e))
            names += 16 + share_member_filter(c->worker, e).len;
    }
    return names == 0
               ? 0
               : names + 16 + c->inflight.count * sizeof(struct session_given);
}

/* Of the entries to save; call it before put_entries(). */
static void put_given(struct snapshot *to, const struct connection *c,
                      bool last)
{
    struct session_given *rows =
        save_command_take(to, c->inflight.count * sizeof(*rows));
    size_t count = 0;

    for (unsigned i = 0; i < c->inflight.count; i++) {
        const struct inflight_entry *e = inflight_at(&c->inflight, i);
        if (!is_due(e, last) || !is_given(e))
            continue;
        const struct slice filter = share_member_filter(c->worker, e);
        char *copy = save_command_take(to, filter.len);
        memcpy(copy, filter.data, filter.len);
        rows[count++] =
            (struct session_given){.filter = slice_of(copy, filter.len),
                                   .log_id = e->log_id};
    }
    to->save.given = rows;
    to->save.given_count = count;
}

static void put_entries(struct snapshot *to, struct connection *c, bool last)
{
    struct session_inflight *rows =
        save_command_take(to, c->inflight.count * sizeof(*rows));
    size_t count = 0;

    for (unsigned i = 0; i < c->inflight.count; i++) {
        struct inflight_entry *e = inflight_at(&c->inflight, i);
        if (!is_due(e, last))
            continue;
        uint32_t *identifiers =
            save_command_take(to, e->identifier_count * sizeof(*identifiers));
        if (e->identifier_count > 0)
            memcpy(identifiers, e->identifiers,
                   e->identifier_count * sizeof(*identifiers));
        rows[count++] = (struct session_inflight){
            .packet_id = e->packet_id,
            .log_id = e->log_id,
            .order = e->order,
            .qos = e->qos,
            .state = e->state,
            .retain = e->retain,
            .identifier_count = e->identifier_count,
            .identifiers = identifiers,
        };
        e->changed = false;
        e->saving = true;
    }
    to->save.entries = rows;
    to->save.entry_count = count;
}

static void put_forgotten(struct snapshot *to, struct stored_session *s)
{
    uint16_t *ids = save_command_take(to, INFLIGHT_MAX * sizeof(*ids));
    size_t count = 0;

    for (int i = 0; i < 4; i++) {
        s->forgetting[i] |= s->forgotten[i];
        s->forgotten[i] = 0;
    }
    for (unsigned bit = 0; bit < INFLIGHT_MAX; bit++)
        if (s->forgetting[bit / 64] >> bit % 64 & 1)
            ids[count++] = (uint16_t)(bit + 1);
    to->save.forgotten = ids;
    to->save.forgotten_count = count;
}

static bool has_greeted(const struct stored_session *s)
{
    return s->greeted || s->greeting;
}

/* Filters whose retained messages were all sent: their rows say so from now
 * on. */
static void put_greeted(struct snapshot *to, struct connection *c)
{
    struct session_subscription *rows;
    struct session_filter *f;
    size_t count = 0;

    if (!has_greeted(c->stored))
        return;
    rows = save_command_take(to, c->filter_count * sizeof(*rows));
    LIST_FOREACH (f, &c->filters, entry)
        if (f->greeted || f->greeting) {
            filters_describe(f, save_command_take(to, f->len), &rows[count++]);
            f->greeting = true;
            f->greeted = false;
        }
    c->stored->greeting = true;
    c->stored->greeted = false;
    to->save.subscriptions = rows;
    to->save.subscription_count = count;
}

static size_t greeted_size(const struct connection *c)
{
    return has_greeted(c->stored)
               ? c->filter_count * (sizeof(struct session_subscription) + 16) +
                     (size_t)c->filter_cost
               : 0;
}

/* It is due no more messages, even after a crash. */
static bool is_over(const struct connection *c, const struct session_filter *f)
{
    return f->ended && f->earlier_until <= c->stored->saved_position;
}

static void put_over(struct snapshot *to, struct connection *c)
{
    struct session_filter *f;
    size_t count = 0;

    if (c->ended_filters == 0)
        return;
    struct slice *removed =
        save_command_take(to, c->ended_filters * sizeof(*removed));
    LIST_FOREACH (f, &c->filters, entry) {
        if (!is_over(c, f))
            continue;
        f->leaving = true;
        char *name = save_command_take(to, f->len);
        memcpy(name, f->filter, f->len);
        removed[count++] = slice_of(name, f->len);
    }
    to->save.removed = removed;
    to->save.removed_count = count;
}

static size_t over_size(const struct connection *c)
{
    const struct session_filter *f;
    size_t size = 0;

    if (c->ended_filters == 0)
        return 0;
    LIST_FOREACH (f, &c->filters, entry)
        if (is_over(c, f))
            size += f->len + 16;
    return size + c->ended_filters * sizeof(struct slice) + 16;
}

static struct publish *snapshot_make(struct connection *c, bool last)
{
    const size_t given = given_size(c);
    const size_t more =
        c->inflight.count * (sizeof(struct session_inflight) + 16) +
        identifiers_of(c) * sizeof(uint32_t) + INFLIGHT_MAX * 2 +
        greeted_size(c) + over_size(c) + given + 64;
    struct publish *q = publish_new(c->worker, last ? NULL : c);
    struct snapshot *to = q == NULL ? NULL : save_command_of(c, q, more);

    if (to == NULL) {
        if (q != NULL)
            publish_free(c->worker, q);
        return NULL;
    }
    if (given > 0)
        put_given(to, c, last);
    put_entries(to, c, last);
    put_forgotten(to, c->stored);
    put_greeted(to, c);
    put_over(to, c);
    to->save.has_position = c->stored->placed;
    to->save.position = save_command_position(c);
    return q;
}

/* ---- completion of a save ------------------------------------------------ */

/* PUBREL is sent when its state is on disk (MQTT-4.3.3-3). */
static void entry_saved(struct connection *c, struct inflight_entry *e)
{
    e->saving = false;
    e->saved = true;
    if (e->state == INFLIGHT_RELEASED && !e->changed)
        acknowledge_release(c, e->packet_id);
}

/* Filters that have ended: those in the save are gone, and others may go now
 * that its position is on disk. */
static void settle_ended(struct connection *c)
{
    const struct session_filter *f;

    if (c->ended_filters == 0)
        return;
    filters_remove_leaving(c);
    LIST_FOREACH (f, &c->filters, entry)
        if (is_over(c, f)) {
            stored_session_touch(c, false);
            return;
        }
}

static void all_saved(struct connection *c)
{
    struct stored_session *s = c->stored;
    struct session_filter *f;

    for (unsigned i = 0; i < c->inflight.count && c->state == CONNECTION_OPEN;
         i++)
        if (inflight_at(&c->inflight, i)->saving)
            entry_saved(c, inflight_at(&c->inflight, i));
    if (c->state != CONNECTION_OPEN)
        return; /* s was freed */
    for (int i = 0; i < 4; i++)
        s->forgetting[i] = 0;
    if (s->greeting)
        LIST_FOREACH (f, &c->filters, entry)
            f->greeting = false;
    s->greeting = false;
    settle_ended(c);
    if (!s->barred)
        return;
    s->barred = false;
    if (!out_queue_move(&c->out, &s->withheld, &c->worker->pool)) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    /* At once: connection_credit() looks at the queue, and may be the last
     * to do so. */
    connection_flush(c);
    backlog_wake(c);
}

/* The save failed: everything in it must be saved again, and what waits
 * keeps waiting. The tick tries again. */
static void nothing_saved(struct connection *c)
{
    struct stored_session *s = c->stored;

    for (unsigned i = 0; i < c->inflight.count; i++) {
        struct inflight_entry *e = inflight_at(&c->inflight, i);
        e->changed |= e->saving;
        e->saving = false;
    }
    if (s->barred) {
        s->withholding = true;
        s->barred = false;
    }
    stored_session_touch(c, false);
}

static void save_finished(struct worker *w, struct publish *q)
{
    struct connection *c = q->connection;
    const enum command_result result = q->command.result;

    if (c->stored != NULL && result == RESULT_OK)
        save_command_stored(c, q->command.args);
    publish_free(w, q);
    if (c->state != CONNECTION_OPEN || c->stored == NULL)
        return;
    c->stored->saving = false;
    if (result == RESULT_OK)
        all_saved(c);
    else if (result == RESULT_NOT_FOUND) /* an administrator deleted it */
        connection_close(c, CLOSE_KICKED, NULL);
    else
        nothing_saved(c);
}

static void save_session(struct connection *c)
{
    struct stored_session *s = c->stored;
    struct publish *q = snapshot_make(c, false);

    if (q == NULL)
        return; /* stays unsaved: the tick tries again */
    stored_session_is_unchanged(s);
    s->saving = true;
    s->barred = s->withholding;
    s->withholding = false;
    q->finished = save_finished;
    publish_submit(c->worker, q);
}

void session_save_turn(struct worker *w, bool all)
{
    struct stored_session *s, *next;

    for (s = TAILQ_FIRST(&w->unsaved); s != NULL && (s->urgent || all);
         s = next) {
        next = TAILQ_NEXT(s, entry);
        if (!s->saving)
            save_session(s->connection);
    }
}

/* ---- the end ------------------------------------------------------------- */

static void end_finished(struct worker *w, struct publish *q)
{
    if (q->command.result != RESULT_OK &&
        q->command.result != RESULT_NOT_FOUND)
        counter_add(&w->counters.sessions_unsaved, 1);
    publish_free(w, q);
}

void session_save_last(struct connection *c, int64_t will_due_us)
{
    struct stored_session *s = c->stored;
    struct worker *w = c->worker;

    if (s == NULL || s->ended)
        return;
    struct publish *q = snapshot_make(c, true);
    s->ended = true;
    stored_session_is_unchanged(s);
    if (q == NULL) { /* the previous save stays valid */
        counter_add(&w->counters.sessions_unsaved, 1);
        return;
    }
    struct session_save *save = &((struct snapshot *)q->memory)->save;
    save->ends = true;
    save->expiry_s = c->session_expiry_s;
    save->ended_us = w->real_us;
    save->will_due_us = will_due_us;
    save->drops_will = will_due_us == 0;
    q->finished = end_finished;
    publish_submit(w, q);
}
