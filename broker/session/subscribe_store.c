#include <stdlib.h>
#include <string.h>

#include "broker/client/backlog.h"
#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/publish/publish.h"
#include "broker/session/filters.h"
#include "broker/session/save_command.h"
#include "broker/session/subscribe_private.h"
#include "broker/wire/reason.h"

/* A SUBSCRIBE or UNSUBSCRIBE that waits for the store; placed behind the
 * save in the command's memory. */
struct waiting {
    uint16_t packet_id;
    enum packet_type type;
    size_t count;
    struct session_subscription
        *rows;             /* in the save; of UNSUBSCRIBE those that
                                          have ended */
    struct slice *removed; /* and those that are gone */
    /* For each granted filter of a SUBSCRIBE: */
    struct slice *filters; /* empty for the others */
    struct session_subscription *before;
    uint8_t *reasons;
};

static size_t padded_size(size_t size)
{
    return (size + 15) / 16 * 16;
}

static void *take_part(char **at, size_t size)
{
    void *p = *at;

    *at += padded_size(size);
    return p;
}

/* Size that suffices for all filters of the packet, whatever happens to
 * each. */
static size_t size_for(const struct packet_subscribe *s)
{
    struct packet_filter_cursor at = s->filters;
    struct packet_filter filter;
    size_t names = 0;

    while (packet_filter_next(&at, &filter))
        names += padded_size(filter.filter.len);
    return padded_size(sizeof(struct waiting)) +
           s->count * (2 * sizeof(struct session_subscription) +
                       2 * sizeof(struct slice) + 1) +
           names + 5 * 16;
}

static struct waiting *waiting_new(struct connection *c, struct publish *q,
                                   const struct packet_subscribe *s,
                                   enum packet_type type,
                                   const uint8_t *reasons, char **ret_names,
                                   struct session_save **ret_save)
{
    void *block;

    *ret_save = save_command_make(c, q, size_for(s), &block);
    if (*ret_save == NULL)
        return NULL;
    char *at = block;
    struct waiting *wait = take_part(&at, sizeof(*wait));
    *wait = (struct waiting){.packet_id = s->packet_id,
                             .type = type,
                             .count = s->count};
    wait->rows = take_part(&at, s->count * sizeof(*wait->rows));
    wait->removed = take_part(&at, s->count * sizeof(*wait->removed));
    wait->filters = take_part(&at, s->count * sizeof(*wait->filters));
    wait->before = take_part(&at, s->count * sizeof(*wait->before));
    memset(wait->filters, 0, s->count * sizeof(*wait->filters));
    wait->reasons = take_part(&at, s->count);
    memcpy(wait->reasons, reasons, s->count);
    *ret_names = at;
    q->waiting_for = wait;
    return wait;
}

static bool is_quota(enum command_result result)
{
    return result == RESULT_FULL || result == RESULT_SHARE ||
           result == RESULT_SESSION_BYTES;
}

/* The SUBSCRIBE failed, so SUBACK must not grant it: 0x97 for lack of room,
 * else 0x80. UNSUBACK has no 0x97 (MQTT 5 §3.11.3). */
static void take_back(struct connection *c, struct waiting *wait,
                      enum command_result result)
{
    const uint8_t reason = is_quota(result) && wait->type == PACKET_SUBACK
                               ? REASON_QUOTA_EXCEEDED
                               : REASON_UNSPECIFIED_ERROR;

    /* The last first, because a filter may be there twice. */
    for (size_t i = wait->count; i-- > 0;) {
        if (wait->reasons[i] >= 0x80 ||
            wait->reasons[i] == REASON_NO_SUBSCRIPTION_EXISTED)
            continue;
        wait->reasons[i] = reason;
        if (wait->type == PACKET_SUBACK)
            filters_take_back(c, wait->filters[i], &wait->before[i]);
    }
}

static void not_storing(struct connection *c, const struct waiting *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        struct session_filter *f =
            wait->filters[i].len == 0
                ? NULL
                : session_filter_find(c, wait->filters[i]);
        if (f != NULL)
            f->storing = 0;
    }
}

static void store_finished(struct worker *w, struct publish *q)
{
    struct connection *c = q->connection;
    struct waiting *wait = q->waiting_for;

    c->answers_due--;
    if (c->state == CONNECTION_OPEN) {
        not_storing(c, wait);
        c->behind_store = false; /* its packet is handled again */
        if (q->command.result == RESULT_OK)
            save_command_stored(c, q->command.args);
        else
            take_back(c, wait, q->command.result);
        if (wait->type == PACKET_SUBACK)
            c->subacks_due--;
        if (q->command.result != RESULT_OK && wait->type == PACKET_UNSUBACK &&
            c->terms.version < PACKET_V5) {
            /* UNSUBACK cannot say it */
            connection_close(c, CLOSE_NOT_STORED,
                             command_text(q->command.result));
            publish_free(w, q);
            return;
        }
        subscribe_answer(c, wait->type, wait->packet_id, wait->reasons,
                         wait->count,
                         is_quota(q->command.result)
                             ? command_text(q->command.result)
                             : NULL);
        backlog_wake(c);
    }
    publish_free(w, q);
}

static void store_submit(struct connection *c, struct publish *q)
{
    q->finished = store_finished;
    c->answers_due++;
    publish_submit(c->worker, q);
}

static void out_of_memory(struct connection *c, struct publish *q)
{
    if (q != NULL)
        publish_free(c->worker, q);
    connection_close(c, CLOSE_NO_MEMORY, NULL);
}

void subscribe_store(struct connection *c, const struct packet_subscribe *s,
                     const uint8_t *reasons,
                     const struct session_subscription *before)
{
    struct packet_filter_cursor at = s->filters;
    struct packet_filter filter;
    struct publish *q = publish_new(c->worker, c);
    struct session_save *save;
    char *names;
    struct waiting *wait = q == NULL ? NULL
                                     : waiting_new(c, q, s, PACKET_SUBACK,
                                                   reasons, &names, &save);

    if (wait == NULL) {
        out_of_memory(c, q);
        return;
    }
    save->adds = true;
    save->subscriptions = wait->rows;
    for (size_t i = 0; packet_filter_next(&at, &filter); i++) {
        struct session_filter *f =
            reasons[i] < 0x80 ? session_filter_find(c, filter.filter) : NULL;
        if (f == NULL)
            continue;
        if (f->storing == 0) { /* a packet may name a filter twice */
            filters_describe(f, take_part(&names, f->len),
                             &wait->rows[save->subscription_count]);
            f->storing = (uint32_t)++save->subscription_count;
        }
        wait->filters[i] = wait->rows[f->storing - 1].filter;
        wait->before[i] = before[i];
    }
    save_command_add_position(c, save);
    c->subacks_due++;
    store_submit(c, q);
}

void unsubscribe_store(struct connection *c, const struct packet_subscribe *s,
                       const uint8_t *reasons)
{
    struct packet_filter_cursor at = s->filters;
    struct packet_filter filter;
    struct publish *q = publish_new(c->worker, c);
    struct session_save *save;
    char *names;
    struct waiting *wait = q == NULL ? NULL
                                     : waiting_new(c, q, s, PACKET_UNSUBACK,
                                                   reasons, &names, &save);

    if (wait == NULL) {
        out_of_memory(c, q);
        return;
    }
    for (size_t i = 0; packet_filter_next(&at, &filter); i++) {
        if (reasons[i] != REASON_SUCCESS)
            continue;
        char *name = take_part(&names, filter.filter.len);
        const struct session_filter *f = session_filter_find(c, filter.filter);
        if (f != NULL) { /* ended, but still due messages */
            filters_describe(f, name, &wait->rows[save->subscription_count++]);
            continue;
        }
        memcpy(name, filter.filter.data, filter.filter.len);
        wait->removed[save->removed_count++] =
            slice_of(name, filter.filter.len);
    }
    save->subscriptions = wait->rows;
    save->removed = wait->removed;
    save_command_add_position(c, save);
    stored_session_unsubscribed(c);
    store_submit(c, q);
}
