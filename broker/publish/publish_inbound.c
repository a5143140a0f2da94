/* Handles a PUBLISH from a client, and makes the message of it. */
#include "base/event_topic.h"
#include "base/vocabulary.h"
#include "broker/client/client_mount.h"
#include "broker/client/inbound.h"
#include "broker/client/refusals.h"
#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/publish/publish.h"
#include "broker/publish/publish_command.h"
#include "broker/publish/publish_properties.h"
#include "broker/publish/publish_topic.h"
#include "broker/wire/reason.h"

/* Answers without asking the writer, but in order. reason 0: acknowledged
 * and discarded. */
static void inbound_answer(struct connection *c,
                           const struct packet_publish *p, uint8_t reason,
                           const char *text)
{
    struct publish *q = publish_new(c->worker, c);

    if (q == NULL) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    publish_await_answer(c, q, p);
    q->answered = true;
    q->reason = reason;
    q->status = reason == 0                       ? 200
                : reason == REASON_NOT_AUTHORIZED ? 401
                                                  : 400;
    q->text = text;
    publish_settle(c);
}

static void inbound_refuse(struct connection *c,
                           const struct packet_publish *p, uint8_t reason,
                           const char *text, _Atomic uint64_t *qos0_counter)
{
    if (reason != REASON_SUCCESS)
        refusal_note(c, REFUSED_PUBLISH, text);
    if (p->qos == 0)
        counter_add(qos0_counter, 1);
    else
        inbound_answer(c, p, reason, text);
}

static struct message *inbound_message(struct connection *c,
                                       const struct packet_publish *p,
                                       bool is_event,
                                       struct publish_instructions *take)
{
    struct message m = {
        .kind = is_event ? MESSAGE_EVENT : MESSAGE_MESSAGE,
        .qos = p->qos,
        .retain = p->retain && !is_event,
        .publisher = c->publisher,
        .topic = p->topic,
        .payload = p->payload,
    };

    publish_fill_properties(&m, &p->properties);
    if (!publish_forwarded_properties(&p->user, take, &c->worker->scratch,
                                      &m.user_properties))
        return NULL;
    /* The connection names the sender, unless it stands for many clients. */
    if (take != NULL && take->sender.len > 0)
        m.sender = take->sender;
    else
        m.sender = c->caller->user;
    m.payload_class = take != NULL && take->is_json
                          ? PAYLOAD_JSON
                          : (uint8_t)payload_classify(p->payload);
    return message_new(&m);
}

static void publish_message(struct connection *c,
                            const struct packet_publish *p, bool is_event)
{
    struct worker *w = c->worker;
    const bool is_admin = c->role == ROLE_ADMIN;
    struct publish_instructions in = {0};
    struct publish *q = publish_new(w, c);

    if (q != NULL)
        q->command.message =
            inbound_message(c, p, is_event, is_admin ? &in : NULL);
    if (q == NULL || q->command.message == NULL) {
        if (q != NULL)
            publish_free(w, q);
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    if (is_admin && !publish_follow(q, &in)) {
        publish_free(w, q);
        inbound_refuse(c, p, REASON_IMPLEMENTATION_SPECIFIC,
                       "confab-op, confab-idempotency or confab-sender is "
                       "too long",
                       &w->counters.dropped.refused);
        return;
    }
    q->command.kind = is_event ? COMMAND_EVENT : COMMAND_APPEND;
    q->command.now_us = w->real_us;
    q->append.uncharged = c->role == ROLE_NAMELESS;
    publish_note_address(q, is_admin ? in.address : slice_str(c->peer));
    if (p->qos > 0)
        publish_await_answer(c, q, p);
    if (p->qos == 2 && c->stored != NULL)
        q->append.mark =
            (struct session_mark){.number = c->stored->number,
                                  .identity =
                                      slice_of(c->identity, c->identity_len),
                                  .packet_id = p->packet_id};
    publish_submit(w, q);
}

/* MQTT 5 §3.3.4, §4.9: the client has more unacknowledged messages than it
 * may. QoS 2 counts until it is released. */
static bool inbound_exceeds_receive_maximum(const struct connection *c,
                                            const struct packet_publish *p)
{
    return p->qos > 0 && c->terms.version == PACKET_V5 &&
           c->receive_maximum < UINT16_MAX && /* that is every id there is */
           c->unacked_count - c->unacked_qos2 + inbound_count(c->inbound) >=
               c->receive_maximum;
}

/* The message with this packet id is stored, or with the writer: this
 * PUBLISH is a duplicate (MQTT-4.3.3-10). It is not stored again, and gets
 * the same answer. */
static void inbound_again(struct connection *c, const struct packet_publish *p)
{
    const struct publish *q;

    STAILQ_FOREACH (q, &c->unacked, entry)
        if (q->qos == 2 && q->packet_id == p->packet_id)
            return; /* its PUBREC will be sent later */
    inbound_answer(c, p, REASON_SUCCESS, NULL);
}

void publish_received(struct connection *c, struct packet_publish *p)
{
    struct worker *w = c->worker;
    enum publish_verdict verdict;

    if (!client_mount_publish(c, p)) {
        connection_close(
            c, CLOSE_TOPIC,
            "below the key's mount the Response Topic is too long");
        return;
    }
    if (!publish_judge_topic(c, p, &verdict))
        return;

    counter_add(&w->counters.received, 1);
    counter_add(&w->counters.payload_received, p->payload.len);
    if (p->qos == 2 && inbound_has(c->inbound, p->packet_id)) {
        inbound_again(c, p);
        return;
    }
    if (inbound_exceeds_receive_maximum(c, p)) {
        connection_close(c, CLOSE_RECEIVE_MAXIMUM, NULL);
        return;
    }
    if (p->qos == 2 && !inbound_add(&c->inbound, p->packet_id)) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    if (p->payload_not_utf8) {
        if (p->qos == 0)
            connection_close(c, CLOSE_PAYLOAD_FORMAT, NULL);
        else
            inbound_answer(
                c, p, REASON_PAYLOAD_FORMAT_INVALID,
                "payload is not UTF-8, but its Payload Format Indicator says so");
        return;
    }
    if (c->role != ROLE_ADMIN && publish_has_reserved(&p->user)) {
        inbound_refuse(c, p, REASON_IMPLEMENTATION_SPECIFIC,
                       "user properties " RESERVED_PREFIX "* are reserved",
                       &w->counters.dropped.reserved);
        return;
    }
    switch (verdict) {
    case PUBLISH_STORE: publish_message(c, p, false); break;
    case PUBLISH_EVENT: publish_message(c, p, true); break;
    case PUBLISH_COMMAND: publish_command(c, p); break;
    case PUBLISH_DROP:
        inbound_refuse(c, p, REASON_SUCCESS, NULL,
                       &w->counters.dropped.dollar);
        break;
    case PUBLISH_RESERVED:
        inbound_refuse(c, p, REASON_NOT_AUTHORIZED, EVENT_RESERVED_TEXT,
                       &w->counters.dropped.forbidden);
        break;
    case PUBLISH_FOREIGN:
        inbound_refuse(c, p, REASON_NOT_AUTHORIZED,
                       c->caller->key.len > 0
                           ? "the key has no right to publish to that topic"
                       : c->role == ROLE_TOKEN
                           ? "topic does not start with the client's token"
                           : "$SYS topics are reserved for the server",
                       &w->counters.dropped.forbidden);
        break;
    case PUBLISH_INVALID:
        inbound_refuse(c, p, REASON_TOPIC_NAME_INVALID,
                       "topic is not <token>/<thing> or "
                       "$events/<token>/<kind>/<thing> with a valid thing",
                       &w->counters.dropped.forbidden);
        break;
    }
}
