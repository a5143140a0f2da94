#include "broker/fan_out/fan_out_message.h"

#include <stdlib.h>
#include <string.h>

#include "base/hops.h"
#include "base/topic.h"
#include "base/vocabulary.h"
#include "broker/client/key_end.h"
#include "broker/client/shard.h"
#include "broker/deliver/change_event.h"
#include "broker/deliver/delivery_live.h"
#include "broker/share/share.h"
#include "broker/share/share_group.h"

/* The level at the front, which is taken off together with its slash. */
static struct slice next_level(struct slice *rest)
{
    const struct slice level = topic_first_level(*rest);
    const size_t step = level.len < rest->len ? level.len + 1 : level.len;

    *rest = slice_of((const char *)rest->data + step, rest->len - step);
    return level;
}

/* Microseconds since 1970, as the writer writes them. */
static int64_t read_time(struct slice payload)
{
    char text[24] = "";

    if (payload.len < sizeof(text))
        memcpy(text, payload.data, payload.len);
    return strtoll(text, NULL, 10);
}

/* `$events/<token>/revoked/` and `$events/<token>/key_revoked/<key id>` from the
 * writer: ends that token's connections, or those with that key, before anything
 * committed later reaches them; or, of a key that was rotated, when its time is over. */
static void handle_event(struct worker *w, const struct message *m)
{
    const size_t prefix = strlen(EVENTS_PREFIX);
    struct connection *c, *next;

    if (m->topic.len <= prefix ||
        memcmp(m->topic.data, EVENTS_PREFIX, prefix) != 0)
        return;
    struct slice key =
        slice_of((const char *)m->topic.data + prefix, m->topic.len - prefix);
    const struct slice token = next_level(&key);
    const struct slice kind = next_level(&key);
    const bool is_key = slice_eq(kind, slice_str(EVENT_KEY_REVOKED));
    if (!is_key && !slice_eq(kind, slice_str(EVENT_REVOKED)))
        return;
    for (c = TAILQ_FIRST(&w->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, all); /* closing may remove it */
        if (c->token_len == 0 || !slice_eq(connection_token(c), token))
            continue;
        if (!is_key)
            connection_close(c, CLOSE_REVOKED, NULL);
        else if (c->caller == NULL || !slice_eq(c->caller->key, key))
            continue;
        else if (m->payload.len == 0)
            connection_close(c, CLOSE_KEY_REVOKED, NULL);
        else
            key_end_by(c, read_time(m->payload));
    }
}

/* Takes over the reference; NULL: out of memory. */
static void send_event(struct worker *w, struct message *event)
{
    if (event == NULL) {
        counter_add(&w->counters.dropped.memory, 1);
        return;
    }
    if (delivery_fan_out(w, event))
        share_group_offer(w, event);
    message_unref(event);
}

static void send_stored(struct worker *w, struct message *change)
{
    if (change == NULL) {
        counter_add(&w->counters.dropped.memory, 1);
        return;
    }
    delivery_fan_out_change(w, change);
    message_unref(change);
}

/* The JSON is made only where somebody wants it. */
static void fan_out_change(struct worker *w, struct message *m)
{
    struct buffer topic = BUFFER_INIT;

    if (m->id != 0 && m->id <= w->head)
        return;
    (void)delivery_fan_out(w, m); /* nobody gets it, but it is passed */
    if (m->id != 0 && delivery_is_wanted(w, m->topic))
        send_stored(w, change_event_stored(m));
    if (change_event_topic(m, &topic) &&
        (w->share->groups != NULL ||
         delivery_is_wanted(w, buffer_slice(&topic))))
        send_event(w, change_event_new(m, buffer_slice(&topic)));
    buffer_release(&topic);
}

void fan_out_message(struct worker *w, struct message *m)
{
    hop_batch(w->number, m->topic, m->id, m->payload.len);
    if (message_kind_is_change(m->kind)) {
        fan_out_change(w, m);
        return;
    }
    if (!delivery_fan_out(w, m))
        return;
    share_group_offer(w, m);
    if (m->kind == MESSAGE_EVENT)
        handle_event(w, m);
}
