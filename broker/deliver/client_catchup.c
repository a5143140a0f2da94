#include "broker/deliver/client_catchup.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/topic.h"
#include "broker/client/backlog.h"
#include "broker/client/session_filter.h"
#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/deliver/change_event.h"
#include "broker/deliver/delivery.h"
#include "store/read/catchup.h"

/* With more filters than this, one walk of the whole log is faster. */
#define OWN_FILTERS_MAX 64
#define LOOKED_AT_PER_STEP 1024

struct client_catchup {
    struct catchup *reader; /* NULL: no stored message can match */
    uint64_t position;      /* while there is no reader */
};

/* The filters that stored messages can match: `$` topics are not stored. If
 * there are many, only what they have in common: the client's token, written
 * into `all`. */
static size_t client_catchup_filters(struct connection *c,
                                     struct slice *filters, char *all)
{
    struct session_filter *f;
    size_t count = 0;

    if (c->filter_count > OWN_FILTERS_MAX) {
        const int len =
            c->role == ROLE_TOKEN
                ? sprintf(all, "%.*s/#", (int)c->token_len, c->identity)
                : sprintf(all, "#");
        filters[0] = slice_of(all, (size_t)len);
        return 1;
    }
    LIST_FOREACH (f, &c->filters, entry)
        if (f->filter[0] != '$')
            filters[count++] = session_filter_slice(f);
    return count;
}

static uint64_t client_catchup_at(const struct client_catchup *u)
{
    return u->reader == NULL ? u->position : catchup_position(u->reader);
}

static bool client_catchup_open(struct connection *c, struct client_catchup *u,
                                uint64_t position)
{
    struct slice filters[OWN_FILTERS_MAX];
    char all[TOKEN_MAX + sizeof("/#")];
    const size_t count = client_catchup_filters(c, filters, all);

    catchup_free(u->reader);
    u->reader = NULL;
    u->position = position;
    if (count == 0)
        return true;
    u->reader = catchup_new(filters, count, position, false);
    if (u->reader != NULL && c->changes)
        catchup_with_changes(u->reader);
    return u->reader != NULL;
}

uint64_t client_catchup_position(const struct connection *c)
{
    return client_catchup_at(c->catchup);
}

void client_catchup_begin(struct connection *c, uint64_t position)
{
    struct client_catchup *u = calloc(1, sizeof(*u));

    if (u == NULL || !client_catchup_open(c, u, position)) {
        free(u);
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    c->catchup = u;
    counter_add(&c->worker->counters.catchup_switched, 1);
    backlog_wake(c);
}

void client_catchup_refresh(struct connection *c)
{
    struct client_catchup *u = c->catchup;

    if (u != NULL && !client_catchup_open(c, u, client_catchup_at(u)))
        connection_close(c, CLOSE_NO_MEMORY, NULL);
}

void client_catchup_end(struct connection *c)
{
    if (c->catchup == NULL)
        return;
    catchup_free(c->catchup->reader);
    free(c->catchup);
    c->catchup = NULL;
}

static bool client_catchup_send(struct connection *c, const struct message *m)
{
    struct matched matched;
    if (!session_filter_match(c, m, &matched))
        return true;
    /* QoS 0 messages that came while the client was offline are not kept for
     * it. */
    if ((m->qos == 0 || matched.qos == 0) && c->stored != NULL &&
        m->id <= c->stored->offline_head)
        return true;
    counter_add(&c->worker->counters.catchup_records, 1);
    const struct grant grant = {
        .qos = matched.qos,
        .retain = m->retain && matched.retain_as_published,
        .identifiers = matched.identifiers,
        .identifier_count = matched.identifier_count,
    };
    return delivery_give(c, m, &grant);
}

static bool client_catchup_give(struct connection *c, const struct message *m)
{
    if (!message_kind_is_change(m->kind))
        return client_catchup_send(c, m);
    struct message *change = change_event_stored(m);
    const bool given = change != NULL && client_catchup_send(c, change);
    message_unref(change);
    return given;
}

bool client_catchup_step(struct connection *c, struct store_reader *r)
{
    const uint64_t head = c->worker->head;
    const size_t before = c->out.bytes;
    struct record record;

    if (c->catchup->reader == NULL) {
        client_catchup_end(c);
        c->events->caught_up(c);
        return true;
    }
    while (delivery_has_room(c) &&
           c->out.bytes - before < CLIENT_CATCHUP_BYTES) {
        switch (catchup_next(c->catchup->reader, r, head, LOOKED_AT_PER_STEP,
                             &record)) {
        case CATCHUP_RECORD:
            if (!client_catchup_give(c, &record.m)) {
                /* It passed a message that it did not send. */
                if (c->stored != NULL)
                    c->stored->placed = false;
                connection_close(c, CLOSE_NO_MEMORY, NULL);
                return true;
            }
            break;
        case CATCHUP_DONE:
            client_catchup_end(
                c); /* live from here: the same thread fans out */
            c->events->caught_up(c);
            return true;
        case CATCHUP_MORE: return true;
        case CATCHUP_FAILED: return false;
        }
    }
    return true;
}
