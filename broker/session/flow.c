#include "broker/session/flow.h"

#include "broker/client/acknowledge.h"
#include "broker/client/inbound.h"
#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/deliver/delivery.h"
#include "broker/publish/publish.h"
#include "broker/session/save_command.h"
#include "broker/wire/reason.h"

/* ---- messages to the client
 * ------------------------------------------------ */

static void flow_on_puback(struct connection *c, const struct packet_ack *ack)
{
    struct inflight_entry *e = inflight_find(&c->inflight, ack->packet_id);

    if (e == NULL)
        return; /* some clients acknowledge twice */
    if (e->qos == 1)
        delivery_settle(c, e);
    else
        connection_close(c, CLOSE_PROTOCOL, "PUBACK for a QoS 2 message");
}

static void flow_on_pubrec(struct connection *c, const struct packet_ack *ack)
{
    struct inflight_entry *e = inflight_find(&c->inflight, ack->packet_id);

    if (e == NULL) {
        if (ack->reason < 0x80) /* §4.3.3: so that it can free the id */
            acknowledge_send(c, PACKET_PUBREL, ack->packet_id,
                             REASON_PACKET_ID_NOT_FOUND);
        return;
    }
    if (e->qos != 2) {
        connection_close(c, CLOSE_PROTOCOL, "PUBREC for a QoS 1 message");
        return;
    }
    if (ack->reason >= 0x80) { /* MQTT-4.4.0-2: treated as acknowledged */
        delivery_settle(c, e);
        return;
    }
    if (e->state == INFLIGHT_RELEASED) { /* repeated */
        if (!e->changed && !e->saving)
            acknowledge_release(c, e->packet_id);
        return;
    }
    e->state = INFLIGHT_RELEASED;
    if (c->stored != NULL && e->log_id != 0)
        stored_session_changes(c, e); /* PUBREL follows when that is on disk */
    else
        acknowledge_release(c, e->packet_id);
}

static void flow_on_pubcomp(struct connection *c, const struct packet_ack *ack)
{
    struct inflight_entry *e = inflight_find(&c->inflight, ack->packet_id);

    if (e == NULL)
        return;
    if (e->qos == 2 && e->state == INFLIGHT_RELEASED)
        delivery_settle(c, e);
    else
        connection_close(c, CLOSE_PROTOCOL, "PUBCOMP without PUBREC");
}

/* ---- messages from the client
 * ----------------------------------------------- */

static void release_stored_done(struct worker *w, struct publish *q)
{
    struct connection *c = q->connection;
    const uint16_t packet_id = q->packet_id;
    const enum command_result result = q->command.result;

    publish_free(w, q);
    c->answers_due--;
    if (c->state != CONNECTION_OPEN)
        return;
    if (result == RESULT_OK)
        acknowledge_send(c, PACKET_PUBCOMP, packet_id, REASON_SUCCESS);
    else /* no PUBCOMP: the client repeats PUBREL when it reconnects */
        connection_close(c, CLOSE_NOT_STORED, command_text(result));
}

/* The id may only be reused once its row is gone: after a crash a PUBLISH
 * with it would be taken for the old message. */
static void flow_release(struct connection *c, uint16_t packet_id)
{
    struct publish *q = publish_new(c->worker, c);
    void *none;
    struct session_save *save =
        q == NULL ? NULL : save_command_make(c, q, 0, &none);

    if (save == NULL) {
        if (q != NULL)
            publish_free(c->worker, q);
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    q->packet_id = packet_id;
    q->finished = release_stored_done;
    save->released = &q->packet_id;
    save->released_count = 1;
    c->answers_due++;
    publish_submit(c->worker, q);
}

static void flow_on_pubrel(struct connection *c, const struct packet_ack *ack)
{
    if (!inbound_remove(c->inbound, ack->packet_id))
        acknowledge_send(c, PACKET_PUBCOMP, ack->packet_id,
                         REASON_PACKET_ID_NOT_FOUND);
    else if (c->stored == NULL)
        acknowledge_send(c, PACKET_PUBCOMP, ack->packet_id, REASON_SUCCESS);
    else
        flow_release(c, ack->packet_id);
}

void flow_acknowledged(struct connection *c, enum packet_type type,
                       const struct packet_ack *ack)
{
    switch (type) {
    case PACKET_PUBACK: flow_on_puback(c, ack); break;
    case PACKET_PUBREC: flow_on_pubrec(c, ack); break;
    case PACKET_PUBREL: flow_on_pubrel(c, ack); break;
    default: flow_on_pubcomp(c, ack);
    }
}
