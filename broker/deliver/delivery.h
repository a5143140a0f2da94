/* Fan-out: committed messages to the live subscribers of a worker.
 *
 * A message is encoded once per shape; a receiver gets a reference to those
 * bytes (QoS 1: a copy with its packet id, large payloads by reference).
 * Several matching filters of a client give one delivery, with the highest QoS
 * of them (MQTT-3.3.4-2 and -3), as published if any of them says so. Who has
 * Subscription Identifiers in it, or takes topic aliases, gets a PUBLISH of its
 * own: all identifiers of the matches, and an alias for the topic once it had it.
 * A receiver that has no room becomes a catch-up reader (catch_up.h). */
#ifndef CONFAB_BROKER_DELIVER_DELIVERY_H
#define CONFAB_BROKER_DELIVER_DELIVERY_H

#include <stdbool.h>

#include "broker/client/connection.h"
#include "store/message.h"

/* Fans one message out and moves w->head to its id. Older than head: nothing
 * happens (it was read from the log before). */
void delivery_fan_out(struct worker *w, struct message *m);

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

#endif
