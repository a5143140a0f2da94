#include "broker/backlog.h"
#include "broker/publish_private.h"
#include "broker/reason.h"
#include "broker/stored_session.h"
#include "broker/subscribe_private.h"

/* What waits for the store: lies behind the save in the command's memory. */
struct waiting {
    uint16_t packet_id;
    enum packet_type type;
    size_t count;
    size_t row_count;
    struct session_subscription
        *rows;             /* of UNSUBSCRIBE those that have ended */
    struct slice *removed; /* and those that are gone */
    bool *added;           /* of each row */
    size_t *answers;       /* of each row: its place in reasons */
    uint8_t *reasons;
};

static size_t padded(size_t size)
{
    return (size + 15) / 16 * 16;
}

static void *part(char **at, size_t size)
{
    void *p = *at;

    *at += padded(size);
    return p;
}

/* Room for all filters of the packet, whatever becomes of each. */
static size_t size_for(const struct packet_subscribe *s)
{
    struct packet_filter_cursor at = s->filters;
    struct packet_filter filter;
    size_t names = 0;

    while (packet_filter_next(&at, &filter))
        names += padded(filter.filter.len);
    return padded(sizeof(struct waiting)) +
           s->count * (sizeof(struct session_subscription) +
                       sizeof(struct slice) + sizeof(size_t) + 2) +
           names + 5 * 16;
}

static struct waiting *waiting_new(struct connection *c, struct publish *q,
                                   const struct packet_subscribe *s,
                                   enum packet_type type,
                                   const uint8_t *reasons, char **ret_names,
                                   struct session_save **ret_save)
{
    void *block;

    *ret_save = stored_session_command(c, q, size_for(s), &block);
    if (*ret_save == NULL)
        return NULL;
    char *at = block;
    struct waiting *wait = part(&at, sizeof(*wait));
    *wait = (struct waiting){.packet_id = s->packet_id,
                             .type = type,
                             .count = s->count};
    wait->rows = part(&at, s->count * sizeof(*wait->rows));
    wait->removed = part(&at, s->count * sizeof(*wait->removed));
    wait->answers = part(&at, s->count * sizeof(*wait->answers));
    wait->added = part(&at, s->count);
    wait->reasons = part(&at, s->count);
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

/* SUBACK does not say what is not so: 0x97 for lack of room, which UNSUBACK
 * cannot say (MQTT 5 §3.11.3), else 0x80. */
static void take_back(struct connection *c, struct waiting *wait,
                      enum command_result result)
{
    const uint8_t reason = is_quota(result) && wait->type == PACKET_SUBACK
                               ? REASON_QUOTA_EXCEEDED
                               : REASON_UNSPECIFIED_ERROR;

    for (size_t i = 0; i < wait->row_count; i++) {
        wait->reasons[wait->answers[i]] = reason;
        if (wait->type == PACKET_SUBACK && wait->added[i])
            subscribe_take_back(c, wait->rows[i].filter);
    }
}

static void finished(struct worker *w, struct publish *q)
{
    struct connection *c = q->connection;
    struct waiting *wait = q->waiting_for;

    c->answers_due--;
    if (c->state == CONNECTION_OPEN) {
        if (q->command.result == RESULT_OK)
            stored_session_saved(c, q->command.save);
        else
            take_back(c, wait, q->command.result);
        if (wait->type == PACKET_SUBACK)
            c->subacks_due--;
        if (q->command.result != RESULT_OK && wait->type == PACKET_UNSUBACK &&
            c->terms.version < PACKET_V5) {
            /* Its UNSUBACK has no words for it. */
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

static void submit(struct connection *c, struct publish *q)
{
    q->finished = finished;
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
                     const uint8_t *reasons, const bool *added)
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
    for (size_t i = 0; packet_filter_next(&at, &filter); i++) {
        const struct session_filter *f =
            reasons[i] < 0x80 ? subscribe_find(c, filter.filter) : NULL;
        if (f == NULL)
            continue;
        const size_t n = wait->row_count++;
        subscribe_describe(f, part(&names, f->len), &wait->rows[n]);
        wait->answers[n] = i;
        wait->added[n] = added[i];
        save->adds |= added[i];
    }
    save->subscriptions = wait->rows;
    save->subscription_count = wait->row_count;
    stored_session_add_position(c, save);
    c->subacks_due++;
    submit(c, q);
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
        char *name = part(&names, filter.filter.len);
        const struct session_filter *f = subscribe_find(c, filter.filter);
        wait->answers[wait->row_count++] = i;
        if (f != NULL) { /* ended, with something owed */
            subscribe_describe(f, name,
                               &wait->rows[save->subscription_count++]);
            continue;
        }
        memcpy(name, filter.filter.data, filter.filter.len);
        wait->removed[save->removed_count++] =
            slice_of(name, filter.filter.len);
    }
    save->subscriptions = wait->rows;
    save->removed = wait->removed;
    stored_session_add_position(c, save);
    stored_session_unsubscribed(c);
    submit(c, q);
}
