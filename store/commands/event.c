/* Events are ordered with messages and offered, and change no row: a batch of them alone
 * commits nothing. One that a client published is checked like a message of its tenant;
 * how many there were in the last hour is known to this process only (struct token). */
#include "base/event_topic.h"
#include "store/commands/commands.h"
#include "store/write/limits.h"

/* The server's own are not limited: `revoked` is about a tenant that may do nothing. */
static bool is_a_clients(const struct command *c,
                         struct event_topic *ret_event)
{
    return c->message != NULL &&
           event_topic_split(c->message->topic, ret_event) &&
           !event_kind_reserved(ret_event->kind);
}

/* As many events as messages, each counted by themselves. */
static bool count_event(struct token *who, int64_t now_us)
{
    const uint64_t most = who->plan->writes_per_hour;

    if (!window_open(who->events_since_us, now_us)) {
        who->events_since_us = now_us;
        who->events = 0;
    }
    if (most != 0 && who->events >= most)
        return false;
    who->events++;
    return true;
}

static void event_decide(struct transaction *t, const struct command *c)
{
    struct event_topic event;
    struct token *who;

    t->in.paused = RESULT_OK; /* of the disk, which events do not need */
    if (is_a_clients(c, &event) &&
        transaction_token(t, event.tenant, &who) == STORE_OK &&
        !count_event(who, t->in.now_us))
        t->in.paused = RESULT_RATE;
}

static enum command_result verdict(const struct transaction *t,
                                   const struct token *who,
                                   const struct message *m)
{
    const uint64_t most = who->plan->payload_max;

    if (who->revoked_us != 0)
        return RESULT_REVOKED;
    if (who->suspended_us != 0)
        return RESULT_SUSPENDED;
    if ((!who->exists || who->implied) && !t->settings.open)
        return RESULT_UNKNOWN_TOKEN;
    if (m->payload.len > EVENT_PAYLOAD_MAX ||
        (most != 0 && m->payload.len > most))
        return RESULT_TOO_LARGE;
    return (enum command_result)t->in.paused;
}

static enum store_err check(struct transaction *t, struct command *c)
{
    struct event_topic event;
    struct token *who;

    if (!is_a_clients(c, &event))
        return STORE_OK;
    const enum store_err err = transaction_token(t, event.tenant, &who);
    if (err != STORE_OK)
        return err == STORE_CORRUPT ? transaction_row_damaged(c) : err;
    c->result = verdict(t, who, c->message);
    if (c->result == RESULT_RATE)
        c->retry_after_s =
            window_ends_in_s(&(struct usage_row){.window_start_us =
                                                     who->events_since_us},
                             t->in.now_us);
    return STORE_OK;
}

static enum store_err event_apply(struct transaction *t, struct command *c)
{
    if (c->message == NULL || c->message->kind != MESSAGE_EVENT) {
        c->result = RESULT_INVALID;
        return STORE_OK;
    }
    const enum store_err err = check(t, c);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    c->message->at_us = c->at_us = t->in.now_us;
    batch_add(t->batch, message_ref(c->message));
    t->events++;
    return STORE_OK;
}

static const struct command_field fields[] = {
    COMMON_MESSAGE,
};

const struct command_type event_command = {
    .name = "event",
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .decide = event_decide,
    .apply = event_apply,
};
