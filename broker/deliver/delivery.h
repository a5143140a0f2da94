/* Sends one message to one client, and keeps it in flight.
 *
 * A receiver with Subscription Identifiers or topic aliases gets a PUBLISH
 * of its own: with all identifiers of its matches, and with an alias once it
 * knows the topic. */
#ifndef CONFAB_BROKER_DELIVER_DELIVERY_H
#define CONFAB_BROKER_DELIVER_DELIVERY_H

#include <stdbool.h>

#include "broker/client/connection.h"
#include "store/message.h"

/* How a client gets a message. */
struct grant {
    uint8_t qos; /* the subscription's; the message's may be lower */
    bool retain;
    const uint32_t *identifiers; /* Subscription Identifiers (MQTT 5) */
    size_t identifier_count;
};

/* Sends one message to one client outside of fan-out: from a backlog, a
 * retained message, or from a shared subscription. The caller has made sure
 * that there is room (delivery_has_room()). false: out of memory. */
bool delivery_give(struct connection *c, const struct message *m,
                   const struct grant *granted);
bool delivery_has_room(struct connection *c);
/* Sends a message in flight again, with DUP and otherwise as it was first
 * sent (MQTT-4.4.0-1). *ret_sent: false if it exceeds the client's Maximum
 * Packet Size now. The caller has checked for room. false: out of memory. */
bool delivery_resend(struct connection *c, const struct message *m,
                     const struct inflight_entry *entry, bool *ret_sent);

/* The client is done with an entry in flight: it acknowledged it, or it
 * cannot be sent again. Tells the shared group that sent it
 * (inflight_entry.settled), and removes the entry, so there may be room for
 * more. */
void delivery_settle(struct connection *c, struct inflight_entry *entry);

#endif
