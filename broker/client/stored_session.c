#include "broker/client/stored_session.h"

#include <stdlib.h>

#include "broker/client/shard.h"

/* ---- life ---------------------------------------------------------------- */

struct stored_session *stored_session_new(struct connection *c,
                                          uint64_t number)
{
    struct stored_session *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->connection = c;
    s->number = number;
    s->inflight_max = session_inflight_max(connection_plan(c));
    out_queue_init(&s->withheld);
    return s;
}

void stored_session_is_unchanged(struct stored_session *s)
{
    if (s->changed)
        TAILQ_REMOVE(&s->connection->worker->unsaved, s, entry);
    s->changed = s->urgent = false;
}

void stored_session_free(struct connection *c)
{
    struct stored_session *s = c->stored;

    if (s == NULL)
        return;
    stored_session_is_unchanged(s);
    out_queue_release(&s->withheld, &c->worker->pool);
    free(s);
    c->stored = NULL;
}

/* ---- what changed -------------------------------------------------------- */

void stored_session_touch(struct connection *c, bool urgent)
{
    struct stored_session *s = c->stored;

    if (s->ended)
        return;
    if (s->changed && (s->urgent || !urgent))
        return;
    if (s->changed)
        TAILQ_REMOVE(&c->worker->unsaved, s, entry);
    s->changed = true;
    s->urgent |= urgent;
    if (urgent)
        TAILQ_INSERT_HEAD(&c->worker->unsaved, s, entry);
    else
        TAILQ_INSERT_TAIL(&c->worker->unsaved, s, entry);
}

void stored_session_restores(struct connection *c,
                             const struct inflight_entry *entry)
{
    c->stored->inflight_bytes +=
        session_inflight_cost(entry->identifier_count);
}

void stored_session_sends(struct connection *c, struct inflight_entry *entry)
{
    struct stored_session *s = c->stored;

    /* An event is not on disk, so its entry in flight is not either. */
    if (s == NULL || entry->log_id == 0)
        return;
    s->inflight_bytes += session_inflight_cost(entry->identifier_count);
    entry->changed = true;
    if (entry->qos == 2)
        s->withholding = true;
    stored_session_touch(c, entry->qos == 2);
}

void stored_session_changes(struct connection *c, struct inflight_entry *entry)
{
    if (c->stored == NULL || entry->log_id == 0)
        return;
    entry->changed = true;
    stored_session_touch(c, true);
}

void stored_session_forgets(struct connection *c,
                            const struct inflight_entry *entry)
{
    const unsigned bit = entry->packet_id - 1U;

    if (c->stored == NULL || entry->log_id == 0)
        return;
    c->stored->inflight_bytes -=
        session_inflight_cost(entry->identifier_count);
    if (!entry->saved && !entry->saving)
        return;
    c->stored->forgotten[bit / 64] |= UINT64_C(1) << bit % 64;
    stored_session_touch(c, false);
}

void stored_session_greeted(struct connection *c)
{
    if (c->stored == NULL)
        return;
    c->stored->greeted = true;
    stored_session_touch(c, false);
}

void stored_session_unsubscribed(struct connection *c)
{
    if (c->ended_filters > 0)
        stored_session_touch(c, false);
}
