/* Fan-out: sends committed messages to the live subscribers of a worker.
 *
 * A message is encoded once per shape; each receiver gets a reference to
 * those bytes (QoS 1: a copy with its packet id, but large payloads by
 * reference). Several matching filters of a client give one delivery, with
 * their highest QoS (MQTT-3.3.4-2 and -3), and Retain As Published if any of
 * them has it. A receiver without room continues from the log
 * (client_catchup.h). */
#ifndef CONFAB_BROKER_DELIVER_DELIVERY_LIVE_H
#define CONFAB_BROKER_DELIVER_DELIVERY_LIVE_H

#include <stdbool.h>

#include "base/slice.h"

struct message;
struct worker;

/* Sends the message to all of them, and sets w->head to its id. false:
 * nothing to deliver, because its id is not above head (it was read from the
 * log before), or because it is an edit or the like, which clients learn
 * from an event. */
bool delivery_fan_out(struct worker *w, struct message *m);

/* Sends a change, made by change_event_stored(), to those who asked for changes. */
void delivery_fan_out_change(struct worker *w, struct message *m);
/* Whether any live subscription matches. */
bool delivery_is_wanted(struct worker *w, struct slice topic);

#endif
