/* Envelopes: PUBLISH packets that have the message in their payload.
 *
 * The envelope is for a message whose topic a client library might reject.
 * Clients that asked for bare messages (ASK_BARE) get it as a PUBLISH to
 * ENVELOPE_TOPIC, whose payload is the topic's length (2 bytes, big-endian),
 * the topic, and the payload.
 *
 * The stamped envelope is the way of every message to clients that asked for
 * those (ASK_ENVELOPES): a PUBLISH to STAMPED_TOPIC without properties, whose
 * payload is an envelope's behind STAMP_SIZE bytes: class of the payload and, times
 * 16, kind (1), id (8), seq (8), time (8), the numbers big-endian. If STAMP_SENDER
 * is set in the first byte, the sender follows with its length (2 bytes) before it. A library that keeps each
 * property in allocations of its own spends more on three of them than on the
 * rest of the packet.
 *
 * Clients cannot publish to these topics. Pure; any thread. */
#ifndef CONFAB_BASE_ENVELOPE_H
#define CONFAB_BASE_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define STAMP_SIZE (1 + 3 * 8)
#define STAMP_SENDER 8
#define STAMP_CLASS 7 /* mask */
/* With the longest sender that is sent, MESSAGE_SENDER_MAX of store/message.h. */
#define STAMP_SIZE_MAX (STAMP_SIZE + 2 + 256)

struct stamped {
    uint8_t payload_class; /* enum payload_class (store/message.h) */
    uint8_t kind;          /* enum message_kind, if below 16; events: 0 */
    struct slice sender;   /* empty: none */
    uint64_t id, seq;      /* 0: not stored */
    int64_t at_us;
    struct slice topic, payload;
};

/* Whether the topic needs an envelope: every topic that is not printable ASCII
 * does. Libraries accept more than that, whatever they do with Unicode. */
bool envelope_needed(struct slice topic);

/* For a received message: if it is an envelope, sets *topic and *payload to
 * its contents (slices of the old *payload). false: the envelope is malformed,
 * and both are unchanged. */
bool envelope_open(struct slice *topic, struct slice *payload);

/* The first bytes of a stamped envelope; topic and payload are not looked at. */
void stamp_write(const struct stamped *s, uint8_t ret_bytes[STAMP_SIZE]);
/* The same with the sender behind it, which stamp_write() leaves out. How long it is. */
size_t stamp_write_all(const struct stamped *s,
                       uint8_t ret_bytes[STAMP_SIZE_MAX]);
/* All of it; slices of `body`. false: it is malformed. */
bool stamped_open(struct slice body, struct stamped *ret);

#endif
