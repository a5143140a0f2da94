/* Fan-out: committed messages to the live subscribers of a worker.
 *
 * A message is encoded once per shape; a receiver gets a reference to those
 * bytes (QoS 1: a copy with its packet id, large payloads by reference).
 * Several matching filters of a client give one delivery, with the highest QoS
 * of them (MQTT-3.3.4-2 and -3), as published if any of them says so.
 * A receiver that has no room becomes a catch-up reader (catch_up.h). */
#ifndef CONFAB_BROKER_DELIVERY_H
#define CONFAB_BROKER_DELIVERY_H

#include <stdbool.h>

#include "broker/connection.h"
#include "store/message.h"

/* Fans one message out and moves w->head to its id. Older than head: nothing
 * happens (it was read from the log before). */
void delivery_fan_out(struct worker *w, struct message *m);

/* One message to one client, apart from fan-out: a backlog, a retained message.
 * The caller has made sure that there is room (delivery_has_room()).
 * granted_qos is the subscription's. false: out of memory. */
bool delivery_give(struct connection *c, const struct message *m,
                   uint8_t granted_qos, bool retain);
bool delivery_has_room(struct connection *c);
/* A message in flight once more, with DUP, as it was sent first (MQTT-4.4.0-1).
 * The caller has looked for room. false: out of memory. */
bool delivery_resend(struct connection *c, const struct message *m,
                     struct inflight_entry *entry);

#endif
