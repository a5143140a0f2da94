/* A message whose topic a client library might refuse, as it travels to who asked
 * for bare messages (ASK_BARE): a PUBLISH to ENVELOPE_TOPIC, whose payload is
 * the topic's length (2 bytes, the high one first), the topic, and the payload.
 * Nobody else can publish to that topic. Pure; any thread. */
#ifndef CONFAB_BASE_ENVELOPE_H
#define CONFAB_BASE_ENVELOPE_H

#include <stdbool.h>

#include "base/slice.h"

/* Must the topic travel so? Whatever is not printable ASCII does: that is less
 * than libraries take, and will be so whatever they make of Unicode. */
bool envelope_needed(struct slice topic);

/* Of a message as it arrived: where it is an envelope, *topic and *payload become
 * what is in it (slices of the old *payload). false: it is a broken one, and both
 * are untouched. */
bool envelope_open(struct slice *topic, struct slice *payload);

#endif
