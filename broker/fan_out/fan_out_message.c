#include "broker/fan_out/fan_out_message.h"

#include <string.h>

#include "base/hops.h"
#include "base/topic.h"
#include "base/vocabulary.h"
#include "broker/client/shard.h"
#include "broker/deliver/delivery_live.h"
#include "broker/share/share_group.h"

/* `$events/<token>/revoked/` from the writer: ends that token's connections
 * before anything committed later reaches them. */
static void handle_event(struct worker *w, const struct message *m)
{
    const size_t prefix = strlen(EVENTS_PREFIX);
    struct connection *c, *next;

    if (m->topic.len <= prefix ||
        memcmp(m->topic.data, EVENTS_PREFIX, prefix) != 0)
        return;
    const struct slice rest =
        slice_of((const char *)m->topic.data + prefix, m->topic.len - prefix);
    const struct slice token = topic_first_level(rest);
    if (rest.len <= token.len + 1)
        return;
    const struct slice kind =
        topic_first_level(slice_of((const char *)rest.data + token.len + 1,
                                   rest.len - token.len - 1));
    if (!slice_eq(kind, slice_str(EVENT_REVOKED)))
        return;
    for (c = TAILQ_FIRST(&w->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, all); /* closing may remove it */
        if (c->token_len > 0 && slice_eq(connection_token(c), token))
            connection_close(c, CLOSE_REVOKED, NULL);
    }
}

void fan_out_message(struct worker *w, struct message *m)
{
    hop_batch(w->number, m->topic, m->id, m->payload.len);
    if (!delivery_fan_out(w, m))
        return;
    share_group_offer(w, m);
    if (m->kind == MESSAGE_EVENT)
        handle_event(w, m);
}
