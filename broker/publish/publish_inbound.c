/* From a client's bytes to a command: PUBLISH and wills, what may be published
 * and what becomes of its properties. */
#include <stdlib.h>

#include "base/vocabulary.h"
#include "broker/admin/admin.h"
#include "broker/admin/roll_call.h"
#include "broker/client/inbound.h"
#include "broker/client/refusals.h"
#include "broker/client/topic_alias.h"
#include "broker/publish/bundle.h"
#include "broker/publish/publish_private.h"
#include "broker/session/stored_session.h"
#include "broker/wire/reason.h"

static void await_ack(struct connection *c, struct publish *q,
                      const struct packet_publish *p)
{
    q->acknowledge = true;
    q->packet_id = p->packet_id;
    q->qos = p->qos;
    c->unacked_qos2 += p->qos == 2;
    STAILQ_INSERT_TAIL(&c->unacked, q, entry);
    c->unacked_count++;
}

/* Answered here, but in its turn. reason 0: acknowledged and forgotten. */
static void answer_here(struct connection *c, const struct packet_publish *p,
                        uint8_t reason, const char *text)
{
    struct publish *q = publish_new(c->worker, c);

    if (q == NULL) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    await_ack(c, q, p);
    q->answered = true;
    q->reason = reason;
    q->status = reason == 0                       ? 200
                : reason == REASON_NOT_AUTHORIZED ? 401
                                                  : 400;
    q->text = text;
    publish_settle(c);
}

static void refuse(struct connection *c, const struct packet_publish *p,
                   uint8_t reason, const char *text,
                   _Atomic uint64_t *qos0_counter)
{
    if (reason != REASON_SUCCESS)
        refusal_note(c, REFUSED_PUBLISH, text);
    if (p->qos == 0)
        counter_add(qos0_counter, 1);
    else
        answer_here(c, p, reason, text);
}

static bool has_prefix(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && memcmp(s.data, prefix.data, prefix.len) == 0;
}

static bool has_reserved(const struct packet_user_block *user)
{
    struct packet_user_cursor at = packet_user_props(user->span);
    struct packet_user_property property;

    if (user->size == 0)
        return false;
    while (packet_user_props_next(&at, &property))
        if (has_prefix(property.name, slice_str(RESERVED_PREFIX)))
            return true;
    return false;
}

static int64_t number_of(struct slice s)
{
    const char *p = s.data;
    int64_t v = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (p[i] < '0' || p[i] > '9' || i >= 18)
            return 0;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

static void follow(struct publish_instructions *ret,
                   const struct packet_user_property *p)
{
    if (slice_eq(p->name, slice_str(PROP_OP)))
        ret->operation = p->value;
    else if (slice_eq(p->name, slice_str(PROP_IDEMPOTENCY)))
        ret->idempotency = p->value;
    else if (slice_eq(p->name, slice_str(PROP_CHARGE)))
        ret->window_start_us = number_of(p->value);
    else if (slice_eq(p->name, slice_str(PROP_CLASS)))
        ret->is_json = slice_eq(p->value, slice_str("json"));
}

/* User properties to forward, as one encoded block: the client's own bytes
 * where they are one, else gathered in `scratch`. */
static bool forwarded(const struct packet_user_block *user,
                      struct publish_instructions *take,
                      struct buffer *scratch, struct slice *ret)
{
    struct packet_user_cursor at = packet_user_props(user->span);
    struct packet_user_property property;

    *ret = slice_of(NULL, 0);
    if (user->size == 0)
        return true;
    if (take == NULL && user->span.len == user->size) {
        *ret = user->span;
        return true;
    }
    buffer_clear(scratch);
    while (packet_user_props_next(&at, &property)) {
        if (take != NULL &&
            has_prefix(property.name, slice_str(RESERVED_PREFIX)))
            follow(take, &property);
        else
            buffer_put_slice(scratch, property.encoded);
    }
    if (scratch->len > 0)
        *ret = buffer_slice(scratch);
    return buffer_ok(scratch);
}

static void fill_properties(struct message *m,
                            const struct packet_message_properties *p)
{
    m->has_expiry = p->has_expiry;
    m->expiry_s = p->expiry_s;
    m->has_payload_format = p->has_payload_format;
    m->payload_format = p->payload_format;
    m->content_type = p->content_type;
    m->response_topic = p->response_topic;
    m->correlation = p->correlation;
}

bool publish_follow(struct publish *q, const struct publish_instructions *in)
{
    struct command *command = &q->command;

    if (in->window_start_us != 0)
        command->window_start_us = in->window_start_us;
    if (in->operation.len > PUBLISH_OPERATION_MAX ||
        in->idempotency.len > PUBLISH_IDEMPOTENCY_MAX)
        return false;
    if (in->operation.len > 0) {
        memcpy(q->operation, in->operation.data, in->operation.len);
        command->operation = slice_of(q->operation, in->operation.len);
    }
    if (in->idempotency.len > 0 && q->memory == NULL) {
        q->memory = malloc(in->idempotency.len);
        if (q->memory == NULL)
            return false;
        q->memory_size = in->idempotency.len;
        memcpy(q->memory, in->idempotency.data, in->idempotency.len);
        command->idempotency = slice_of(q->memory, in->idempotency.len);
    }
    return true;
}

static struct message *message_of(struct connection *c,
                                  const struct packet_publish *p,
                                  bool is_event,
                                  struct publish_instructions *take)
{
    struct message m = {
        .kind = is_event ? MESSAGE_EVENT : MESSAGE_MESSAGE,
        .qos = p->qos,
        .retain = p->retain,
        .publisher = c->publisher,
        .topic = p->topic,
        .payload = p->payload,
    };

    fill_properties(&m, &p->properties);
    if (!forwarded(&p->user, take, &c->worker->scratch, &m.user_properties))
        return NULL;
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
        q->command.message = message_of(c, p, is_event, is_admin ? &in : NULL);
    if (q == NULL || q->command.message == NULL) {
        if (q != NULL)
            publish_free(w, q);
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    if (is_admin && !publish_follow(q, &in)) {
        publish_free(w, q);
        refuse(c, p, REASON_IMPLEMENTATION_SPECIFIC,
               "confab-op or confab-idempotency is too long",
               &w->counters.dropped.refused);
        return;
    }
    q->command.kind = is_event ? COMMAND_EVENT : COMMAND_APPEND;
    q->command.now_us = w->real_us;
    q->command.uncharged = c->role == ROLE_NAMELESS;
    if (p->qos > 0)
        await_ack(c, q, p);
    if (p->qos == 2 && c->stored != NULL)
        q->command.mark =
            (struct session_mark){.number = c->stored->number,
                                  .identity =
                                      slice_of(c->identity, c->identity_len),
                                  .packet_id = p->packet_id};
    publish_submit(w, q);
}

static void publish_command(struct connection *c,
                            const struct packet_publish *p)
{
    const size_t prefix = strlen(COMMAND_PREFIX);
    const struct slice name =
        slice_of((const char *)p->topic.data + prefix, p->topic.len - prefix);
    struct worker *w = c->worker;
    struct publish_instructions in = {0};
    struct packet_user_cursor at = packet_user_props(p->user.span);
    struct packet_user_property property;
    struct publish *q = publish_new(w, c);

    if (q == NULL) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    if (p->qos > 0)
        await_ack(c, q, p);
    while (p->user.size > 0 && packet_user_props_next(&at, &property))
        follow(&in, &property);
    in.idempotency = slice_of(NULL, 0); /* that is a matter of messages */
    if (slice_eq(name, slice_str(COMMAND_APPEND_NAME))) {
        bundle_received(c, q, p->payload);
        return;
    }
    if (!publish_follow(q, &in)) {
        q->status = command_status(RESULT_INVALID);
        q->reason = REASON_IMPLEMENTATION_SPECIFIC;
        q->text = "confab-op is too long";
    } else if (admin_order(q, w->hub, name, p->payload, w->real_us)) {
        if (q->roll_call == NULL) {
            publish_submit(w, q);
            return;
        }
        if (publish_ask(w, q, w->hub->workers[q->roll_call->worker]))
            return;
        q->status = 503;
        q->reason = REASON_IMPLEMENTATION_SPECIFIC;
        q->text = "too many questions at once: ask again";
    }
    publish_answered(w, q);
}

/* MQTT 5 §3.3.4, §4.9: a client that has more unacknowledged than it was told.
 * QoS 2 counts until it is released. */
static bool exceeds_receive_maximum(const struct connection *c,
                                    const struct packet_publish *p)
{
    return p->qos > 0 && c->terms.version == PACKET_V5 &&
           c->receive_maximum < UINT16_MAX && /* that is all ids there are */
           c->unacked_count - c->unacked_qos2 + inbound_count(c->inbound) >=
               c->receive_maximum;
}

/* The message with that packet id is stored, or on its way: this is the same one
 * again (MQTT-4.3.3-10). It is not stored twice, and answered like the first. */
static void publish_again(struct connection *c, const struct packet_publish *p)
{
    const struct publish *q;

    STAILQ_FOREACH (q, &c->unacked, entry)
        if (q->qos == 2 && q->packet_id == p->packet_id)
            return; /* its PUBREC is still to come */
    answer_here(c, p, REASON_SUCCESS, NULL);
}

/* What may be done with a topic is asked once for all messages of a connection
 * that follow each other: as a rule they have one topic. */
static enum publish_verdict verdict_of(struct connection *c,
                                       struct slice topic)
{
    struct publish_judged *last = &c->worker->judged;

    if (last->connection == c->number &&
        slice_eq(slice_of(last->topic, last->topic_len), topic))
        return last->verdict;

    const enum publish_verdict verdict =
        auth_publish(c->role, connection_token(c), topic);
    last->connection = 0;
    if (topic.len > 0 && topic.len <= sizeof(last->topic)) {
        memcpy(last->topic, topic.data, topic.len);
        last->topic_len = topic.len;
        last->connection = c->number;
        last->verdict = verdict;
    }
    return verdict;
}

static bool close_for_alias(struct connection *c, enum close_reason reason,
                            const char *text)
{
    connection_close(c, reason, text);
    return false;
}

/* Only a topic that this client may publish to is kept: whatever else it names
 * would be memory for nothing, and as long as a string can be (16 good topics are
 * some 5 KiB). */
static bool set_alias(struct connection *c, const struct packet_publish *p,
                      enum publish_verdict verdict)
{
    const bool is_good = verdict == PUBLISH_STORE ||
                         verdict == PUBLISH_EVENT ||
                         verdict == PUBLISH_COMMAND;
    int64_t more;

    if (!is_good) {
        if (!topic_alias_mark(&c->aliases_in, p->topic_alias,
                              (uint8_t)(verdict + 1), &more))
            return close_for_alias(c, CLOSE_NO_MEMORY, NULL);
    } else {
        if (!held_aliases_have_room(c, p->topic.len))
            return close_for_alias(c, CLOSE_BUSY, NULL);
        if (!topic_alias_set(&c->aliases_in, p->topic_alias, p->topic, &more))
            return close_for_alias(c, CLOSE_NO_MEMORY, NULL);
    }
    held_add_aliases(c, more);
    return true;
}

/* What may be done with the packet's topic, which is found by its alias (MQTT 5
 * §3.3.2.3.4) or sets that. false: the connection was closed. */
static bool judge_topic(struct connection *c, struct packet_publish *p,
                        enum publish_verdict *ret)
{
    if (p->topic_alias != 0 && p->topic.len == 0) {
        const uint8_t mark = topic_alias_marked(c->aliases_in, p->topic_alias);
        if (mark != 0) {
            *ret = (enum publish_verdict)(mark - 1);
            return true;
        }
        p->topic = topic_alias_get(c->aliases_in, p->topic_alias);
        if (p->topic.data == NULL)
            return close_for_alias(c, CLOSE_PROTOCOL,
                                   "topic alias was never set");
        *ret = verdict_of(c, p->topic);
        return true;
    }
    *ret = verdict_of(c, p->topic);
    return p->topic_alias == 0 || set_alias(c, p, *ret);
}

void publish_received(struct connection *c, struct packet_publish *p)
{
    struct worker *w = c->worker;
    enum publish_verdict verdict;

    if (!judge_topic(c, p, &verdict))
        return;

    counter_add(&w->counters.received, 1);
    counter_add(&w->counters.payload_received, p->payload.len);
    if (p->qos == 2 && inbound_has(c->inbound, p->packet_id)) {
        publish_again(c, p);
        return;
    }
    if (exceeds_receive_maximum(c, p)) {
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
            answer_here(c, p, REASON_PAYLOAD_FORMAT_INVALID,
                        "payload is not the UTF-8 it says it is");
        return;
    }
    if (c->role != ROLE_ADMIN && has_reserved(&p->user)) {
        refuse(c, p, REASON_IMPLEMENTATION_SPECIFIC,
               "user properties " RESERVED_PREFIX "* are reserved",
               &w->counters.dropped.reserved);
        return;
    }
    switch (verdict) {
    case PUBLISH_STORE: publish_message(c, p, false); break;
    case PUBLISH_EVENT: publish_message(c, p, true); break;
    case PUBLISH_COMMAND: publish_command(c, p); break;
    case PUBLISH_DROP:
        refuse(c, p, REASON_SUCCESS, NULL, &w->counters.dropped.dollar);
        break;
    case PUBLISH_FOREIGN:
        refuse(c, p, REASON_NOT_AUTHORIZED,
               c->role == ROLE_TOKEN
                   ? "topic does not start with the client's token"
                   : "$SYS is the server's own",
               &w->counters.dropped.forbidden);
        break;
    case PUBLISH_INVALID:
        refuse(c, p, REASON_TOPIC_NAME_INVALID,
               "topic is not <token>/<thing> with a valid thing",
               &w->counters.dropped.forbidden);
        break;
    }
}

/* ---- wills -------------------------------------------------------------- */

uint8_t publish_accept_will(struct connection *c,
                            const struct packet_will *will,
                            struct message **ret_will)
{
    struct message m = {
        .qos = will->qos,
        .retain = will->retain,
        .publisher = c->publisher,
        .topic = will->topic,
        .payload = will->payload,
        .payload_class = (uint8_t)payload_classify(will->payload),
    };

    *ret_will = NULL;
    if (c->plan != NULL && c->plan->payload_max != 0 &&
        will->payload.len > c->plan->payload_max)
        return REASON_QUOTA_EXCEEDED;
    if (has_reserved(&will->user))
        return REASON_IMPLEMENTATION_SPECIFIC;
    switch (auth_publish(c->role, connection_token(c), will->topic)) {
    case PUBLISH_STORE: m.kind = MESSAGE_MESSAGE; break;
    case PUBLISH_EVENT: m.kind = MESSAGE_EVENT; break;
    case PUBLISH_DROP: return REASON_SUCCESS;
    case PUBLISH_INVALID: return REASON_TOPIC_NAME_INVALID;
    case PUBLISH_FOREIGN:
    case PUBLISH_COMMAND: return REASON_NOT_AUTHORIZED;
    }
    fill_properties(&m, &will->properties);
    if (forwarded(&will->user, NULL, &c->worker->scratch,
                  &m.user_properties) &&
        held_wills_have_room(c, message_size(&m)))
        *ret_will = message_new(&m);
    if (*ret_will == NULL)
        return REASON_QUOTA_EXCEEDED;
    held_add_will(c, message_size(*ret_will));
    return REASON_SUCCESS;
}

static struct message *take_will(struct connection *c)
{
    struct message *m = c->will;

    if (m != NULL)
        held_give_will(c, message_size(m));
    c->will = NULL;
    return m;
}

void publish_drop_will(struct connection *c)
{
    message_unref(take_will(c));
}

/* number 0: no session has it stored, nothing is to be dropped there. */
static bool submit_will(struct worker *w, struct message *m, bool uncharged,
                        struct slice token, uint64_t number)
{
    struct publish *q = publish_new(w, NULL);

    if (q == NULL)
        return false;
    q->command.message = m;
    q->command.kind =
        m->kind == MESSAGE_EVENT ? COMMAND_EVENT : COMMAND_APPEND;
    q->command.now_us = w->real_us;
    q->command.uncharged = uncharged;
    if (number != 0) { /* the session must not publish it again */
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
        q->command.mark = (struct session_mark){
            .number = number, .identity = slice_of(q->memory, token.len + 1)};
    }
    w->wills_under_way++;
    publish_submit(w, q);
    return true;
}

bool publish_stored_will(struct worker *w, struct message *m,
                         struct slice token, uint64_t number)
{
    if (submit_will(w, m, token.len == 0, token, number))
        return true;
    message_unref(m);
    return false;
}

void publish_will(struct connection *c)
{
    struct worker *w = c->worker;
    struct message *m = take_will(c);

    if (m == NULL)
        return;
    if (submit_will(w, m, c->role == ROLE_NAMELESS, connection_token(c),
                    c->stored == NULL ? 0 : c->stored->number))
        return;
    counter_add(&w->counters.dropped.will, 1);
    message_unref(m);
}
