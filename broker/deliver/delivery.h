/* One message to one client: how it is sent, and what is in flight after that.
 *
 * A receiver that has Subscription Identifiers in it, or takes topic aliases, gets
 * a PUBLISH of its own: all identifiers of the matches, and an alias for the topic
 * once it had it. */
#ifndef CONFAB_BROKER_DELIVER_DELIVERY_H
#define CONFAB_BROKER_DELIVER_DELIVERY_H

#include <stdbool.h>

#include "broker/client/connection.h"
#include "store/message.h"

/* As what a client gets a message. */
struct grant {
    uint8_t qos; /* the subscription's; the message may have a lower one */
    bool retain;
    const uint32_t *identifiers; /* Subscription Identifiers (MQTT 5) */
    size_t identifier_count;
};

/* One message to one client, apart from fan-out: a backlog, a retained message,
 * a share. The caller has made sure that there is room (delivery_has_room()).
 * false: out of memory. */
bool delivery_give(struct connection *c, const struct message *m,
                   const struct grant *granted);
bool delivery_has_room(struct connection *c);
/* A message in flight once more, with DUP, as it was sent first (MQTT-4.4.0-1).
 * *ret_sent: false when the client's Maximum Packet Size has no room for it any
 * more. The caller has looked for room. false: out of memory. */
bool delivery_resend(struct connection *c, const struct message *m,
                     const struct inflight_entry *entry, bool *ret_sent);

/* The client is done with an entry of its inflight list: it was acknowledged, or
 * cannot be sent again. Tells the group it came by (inflight_entry.settled), and
 * removes it; there may be room for more. */
void delivery_settle(struct connection *c, struct inflight_entry *entry);

#endif
