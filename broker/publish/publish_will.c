#include "broker/publish/publish_will.h"

#include <stdlib.h>
#include <string.h>

#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/publish/publish.h"
#include "broker/publish/publish_properties.h"
#include "broker/wire/reason.h"

uint8_t publish_accept_will(struct connection *c,
                            const struct packet_will *will,
                            struct message **ret_will)
{
    const struct caller caller = connection_caller(c);
    struct message m = {
        .qos = will->qos,
        .retain = will->retain,
        .publisher = c->publisher,
        .topic = will->topic,
        .payload = will->payload,
        .sender = caller.user,
        .payload_class = (uint8_t)payload_classify(will->payload),
    };

    *ret_will = NULL;
    if (caller.plan != NULL && caller.plan->payload_max != 0 &&
        will->payload.len > caller.plan->payload_max)
        return REASON_QUOTA_EXCEEDED;
    if (publish_has_reserved(&will->user))
        return REASON_IMPLEMENTATION_SPECIFIC;
    switch (auth_publish(c->role, &caller, will->topic)) {
    case PUBLISH_STORE: m.kind = MESSAGE_MESSAGE; break;
    case PUBLISH_EVENT: m.kind = MESSAGE_EVENT; break;
    case PUBLISH_DROP: return REASON_SUCCESS;
    case PUBLISH_INVALID: return REASON_TOPIC_NAME_INVALID;
    case PUBLISH_RESERVED:
    case PUBLISH_FOREIGN:
    case PUBLISH_COMMAND: return REASON_NOT_AUTHORIZED;
    }
    publish_fill_properties(&m, &will->properties);
    if (publish_forwarded_properties(&will->user, NULL, &c->worker->scratch,
                                     &m.user_properties) &&
        held_wills_have_room(c, message_size(&m)))
        *ret_will = message_new(&m);
    if (*ret_will == NULL)
        return REASON_QUOTA_EXCEEDED;
    held_add_will(c, message_size(*ret_will));
    return REASON_SUCCESS;
}

static struct message *will_take(struct connection *c)
{
    struct message *m = c->will;

    if (m != NULL)
        held_give_will(c, message_size(m));
    c->will = NULL;
    return m;
}

void publish_drop_will(struct connection *c)
{
    message_unref(will_take(c));
}

static void will_finished(struct worker *w, struct publish *q)
{
    w->wills_submitted--;
    if (q->command.result != RESULT_OK)
        counter_add(&w->counters.dropped.will, 1);
    publish_free(w, q);
}

/* number 0: no session stores the will, so none is deleted. */
static bool will_submit(struct worker *w, struct message *m, bool uncharged,
                        struct slice token, uint64_t number)
{
    struct publish *q = publish_new(w, NULL);

    if (q == NULL)
        return false;
    q->command.message = m;
    q->command.kind =
        m->kind == MESSAGE_EVENT ? COMMAND_EVENT : COMMAND_APPEND;
    q->command.now_us = w->real_us;
    q->append.uncharged = uncharged;
    if (number != 0) { /* … so that the session does not publish it again */
        q->memory = malloc(token.len + 1);
        q->memory_size = token.len + 1;
        if (q->memory == NULL) {
            q->command.message = NULL;
            publish_free(w, q);
            return false;
        }
        if (token.len > 0)
            memcpy(q->memory, token.data, token.len);
        ((char *)q->memory)[token.len] = '\0';
        q->append.mark = (struct session_mark){
            .number = number, .identity = slice_of(q->memory, token.len + 1)};
    }
    q->finished = will_finished;
    w->wills_submitted++;
    publish_submit(w, q);
    return true;
}

bool publish_stored_will(struct worker *w, struct message *m,
                         struct slice token, uint64_t number)
{
    if (will_submit(w, m, token.len == 0, token, number))
        return true;
    message_unref(m);
    return false;
}

void publish_will(struct connection *c)
{
    struct worker *w = c->worker;
    struct message *m = will_take(c);

    if (m == NULL)
        return;
    if (will_submit(w, m, c->role == ROLE_NAMELESS, connection_token(c),
                    c->stored == NULL ? 0 : c->stored->number))
        return;
    counter_add(&w->counters.dropped.will, 1);
    message_unref(m);
}
