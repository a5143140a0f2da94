/* Shared by delivery.c (one message to one client) and delivery_live.c (one
 * message to all live subscribers). */
#ifndef CONFAB_BROKER_DELIVER_DELIVERY_PRIVATE_H
#define CONFAB_BROKER_DELIVER_DELIVERY_PRIVATE_H

#include "base/hops.h"
#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/deliver/delivery.h"

/* The shape (io/image.h) in which this client gets the message. */
static inline unsigned delivery_shape(const struct connection *c,
                                      const struct message *m, uint8_t qos,
                                      bool retain)
{
    unsigned shape = IMAGE_V3;

    if (c->terms.version == PACKET_V5)
        shape = c->enveloped               ? IMAGE_ENVELOPED
                : c->bare                  ? IMAGE_BARE
                : c->stamped && m->id != 0 ? IMAGE_STAMPED
                                           : IMAGE_V5;
    if (retain)
        shape |= IMAGE_RETAIN;
    if (qos > 0)
        shape |= qos == 2 ? IMAGE_QOS2 : IMAGE_QOS1;
    return shape;
}

static inline void delivery_count(const struct connection *c,
                                  const struct message *m)
{
    struct worker *w = c->worker;

    hop_deliver(c->number, m->topic, m->id, m->payload.len);
    counter_add(&w->counters.delivered, 1);
    counter_add(&w->counters.payload_delivered, m->payload.len);
}

static inline bool delivery_window_is_full(const struct connection *c)
{
    return inflight_full(&c->inflight) || stored_session_is_full(c->stored);
}

/* Adds the message to those in flight to the client. NULL: out of memory. */
struct inflight_entry *delivery_enter_inflight(struct connection *c,
                                               const struct message *m,
                                               const struct grant *g);
/* Sends a PUBLISH made for this client alone, with `left_s` of the Message
 * Expiry Interval left. false: out of memory. */
bool delivery_give_own(struct connection *c, const struct message *m,
                       const struct grant *g, uint32_t left_s);

#endif
