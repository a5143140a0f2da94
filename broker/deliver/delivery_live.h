/* Fan-out: committed messages to the live subscribers of a worker.
 *
 * A message is encoded once per shape; a receiver gets a reference to those
 * bytes (QoS 1: a copy with its packet id, large payloads by reference).
 * Several matching filters of a client give one delivery, with the highest QoS
 * of them (MQTT-3.3.4-2 and -3), as published if any of them says so.
 * A receiver that has no room reads the log from there (client_catchup.h). */
#ifndef CONFAB_BROKER_DELIVER_DELIVERY_LIVE_H
#define CONFAB_BROKER_DELIVER_DELIVERY_LIVE_H

#include <stdbool.h>

struct message;
struct worker;

/* Gives the message to all of them and moves w->head to its id. false: it is not
 * one to deliver: older than head (it was read from the log before), or an edit and
 * the like, which an event tells. */
bool delivery_fan_out(struct worker *w, struct message *m);

#endif
