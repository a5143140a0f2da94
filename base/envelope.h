/* The envelope for a message whose topic a client library might reject.
 * Clients that asked for bare messages (ASK_BARE) get it as a PUBLISH to
 * ENVELOPE_TOPIC, whose payload is the topic's length (2 bytes, big-endian),
 * the topic, and the payload. Clients cannot publish to that topic. Pure; any
 * thread. */
#ifndef CONFAB_BASE_ENVELOPE_H
#define CONFAB_BASE_ENVELOPE_H

#include <stdbool.h>

#include "base/slice.h"

/* Whether the topic needs an envelope: every topic that is not printable ASCII
 * does. Libraries accept more than that, whatever they do with Unicode. */
bool envelope_needed(struct slice topic);

/* For a received message: if it is an envelope, sets *topic and *payload to
 * its contents (slices of the old *payload). false: the envelope is malformed,
 * and both are unchanged. */
bool envelope_open(struct slice *topic, struct slice *payload);

#endif
