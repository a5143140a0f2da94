#include "broker/client/flow.h"

#include "broker/client/inbound.h"
#include "broker/deliver/backlog.h"
#include "broker/deliver/delivery.h"
#include "broker/publish/publish_private.h"
#include "broker/session/stored_session.h"
#include "broker/share/share_member.h"
#include "broker/wire/packet_encode.h"
#include "broker/wire/reason.h"

static void send_ack(struct connection *c, enum packet_type type,
                     uint16_t packet_id, uint8_t reason)
{
    uint8_t packet[8];

    connection_say(c, packet,
                   packet_encode_ack(&c->terms, type, packet_id, reason, NULL,
                                     packet, sizeof(packet)));
}

void flow_send_pubrel(struct connection *c, uint16_t packet_id)
{
    send_ack(c, PACKET_PUBREL, packet_id, REASON_SUCCESS);
}

/* ---- what the client was sent ---------------------------------------------- */

static void finish(struct connection *c, struct inflight_entry *e)
{
    const unsigned at = (unsigned)(e - inflight_at(&c->inflight, 0));

    if (at + c->resend >= c->inflight.count && c->resend > 0)
        c->resend--; /* acknowledged before it was sent again */
    share_member_settle(c->worker, e);
    stored_session_forgets(c, e);
    inflight_remove(&c->inflight, e);
    backlog_wake(c);
}

static void on_puback(struct connection *c, const struct packet_ack *ack)
{
    struct inflight_entry *e = inflight_find(&c->inflight, ack->packet_id);

    if (e == NULL)
        return; /* some clients acknowledge twice */
    if (e->qos == 1)
        finish(c, e);
    else
        connection_close(c, CLOSE_PROTOCOL, "PUBACK of a QoS 2 message");
}

static void on_pubrec(struct connection *c, const struct packet_ack *ack)
{
    struct inflight_entry *e = inflight_find(&c->inflight, ack->packet_id);

    if (e == NULL) {
        if (ack->reason < 0x80) /* §4.3.3: so that it can let go of it */
            send_ack(c, PACKET_PUBREL, ack->packet_id,
                     REASON_PACKET_ID_NOT_FOUND);
        return;
    }
    if (e->qos != 2) {
        connection_close(c, CLOSE_PROTOCOL, "PUBREC of a QoS 1 message");
        return;
    }
    if (ack->reason >= 0x80) { /* MQTT-4.4.0-2: treated as acknowledged */
        finish(c, e);
        return;
    }
    if (e->state == INFLIGHT_RELEASED) { /* once more */
        if (!e->changed && !e->saving)
            flow_send_pubrel(c, e->packet_id);
        return;
    }
    e->state = INFLIGHT_RELEASED;
    if (c->stored != NULL && e->log_id != 0)
        stored_session_changes(c, e); /* PUBREL follows when that is on disk */
    else
        flow_send_pubrel(c, e->packet_id);
}

static void on_pubcomp(struct connection *c, const struct packet_ack *ack)
{
    struct inflight_entry *e = inflight_find(&c->inflight, ack->packet_id);

    if (e == NULL)
        return;
    if (e->qos == 2 && e->state == INFLIGHT_RELEASED)
        finish(c, e);
    else
        connection_close(c, CLOSE_PROTOCOL, "PUBCOMP without PUBREC");
}

/* ---- what the client sent --------------------------------------------------- */

static void released(struct worker *w, struct publish *q)
{
    struct connection *c = q->connection;
    const uint16_t packet_id = q->packet_id;
    const enum command_result result = q->command.result;

    publish_free(w, q);
    c->answers_due--;
    if (c->state != CONNECTION_OPEN)
        return;
    if (result == RESULT_OK)
        send_ack(c, PACKET_PUBCOMP, packet_id, REASON_SUCCESS);
    else /* no PUBCOMP says so: the client asks again when it is back */
        connection_close(c, CLOSE_NOT_STORED, command_text(result));
}

/* The id may be used again when its row is gone, and not before: a PUBLISH with
 * it would be taken for the old one after a crash. */
static void release_stored(struct connection *c, uint16_t packet_id)
{
    struct publish *q = publish_new(c->worker, c);
    void *none;
    struct session_save *save =
        q == NULL ? NULL : stored_session_command(c, q, 0, &none);

    if (save == NULL) {
        if (q != NULL)
            publish_free(c->worker, q);
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    q->packet_id = packet_id;
    q->finished = released;
    save->released = &q->packet_id;
    save->released_count = 1;
    c->answers_due++;
    publish_submit(c->worker, q);
}

static void on_pubrel(struct connection *c, const struct packet_ack *ack)
{
    if (!inbound_remove(c->inbound, ack->packet_id))
        send_ack(c, PACKET_PUBCOMP, ack->packet_id,
                 REASON_PACKET_ID_NOT_FOUND);
    else if (c->stored == NULL)
        send_ack(c, PACKET_PUBCOMP, ack->packet_id, REASON_SUCCESS);
    else
        release_stored(c, ack->packet_id);
}

void flow_acknowledged(struct connection *c, enum packet_type type,
                       const struct packet_ack *ack)
{
    switch (type) {
    case PACKET_PUBACK: on_puback(c, ack); break;
    case PACKET_PUBREC: on_pubrec(c, ack); break;
    case PACKET_PUBREL: on_pubrel(c, ack); break;
    default: on_pubcomp(c, ack);
    }
}

/* ---- sending again ---------------------------------------------------------- */

bool flow_may_resend(const struct connection *c)
{
    return c->resend > 0 &&
           c->inflight.count - c->resend < c->inflight.window &&
           !out_queue_full(&c->out, &c->worker->pool);
}

static void give_up(struct connection *c, struct inflight_entry *e)
{
    counter_add(&c->worker->counters.dropped.retention, 1);
    stored_session_forgets(c, e);
    inflight_remove(&c->inflight, e);
}

static void resend(struct connection *c, const struct message *m,
                   struct inflight_entry *e)
{
    bool sent;

    if (!delivery_resend(c, m, e, &sent))
        connection_close(c, CLOSE_NO_MEMORY, NULL);
    else if (!sent) /* MQTT-3.1.2-25: as if it had been completed */
        finish(c, e);
}

bool flow_resend_step(struct connection *c, struct store_reader *r)
{
    struct record record;

    while (flow_may_resend(c) && c->state == CONNECTION_OPEN) {
        struct inflight_entry *e =
            inflight_at(&c->inflight, c->inflight.count - c->resend);
        if (e->state == INFLIGHT_RELEASED) { /* MQTT-4.4.0-1 */
            c->resend--;
            flow_send_pubrel(c, e->packet_id);
            continue;
        }
        const enum store_err err = store_get(r, e->log_id, &record);
        if (err != STORE_OK && err != STORE_NOTFOUND && err != STORE_CORRUPT)
            return false;
        c->resend--;
        if (err != STORE_OK)
            give_up(c, e);
        else
            resend(c, &record.m, e);
    }
    return true;
}
