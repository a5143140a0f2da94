/* One message on its way: made by a broker worker from a PUBLISH, numbered by the
 * writer, then read by every worker that delivers it. One allocation.
 *
 * Threads:  filled by its maker; the writer sets id, seq and at_us before it offers
 *           the batch; then immutable and shared.
 * Owner:    reference counted, atomically. */
#ifndef CONFAB_STORE_MESSAGE_H
#define CONFAB_STORE_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* X(name, value). The values are on disk: never renumber. */
enum message_kind {
    MESSAGE_MESSAGE = 0,
    MESSAGE_EDIT = 1,
    MESSAGE_DELETE = 2,
    MESSAGE_PURGE = 3,
    MESSAGE_EVENT = 100 /* passes through the writer, is not stored: id 0 */
};

/* What the payload is. The values are on disk. Empty payloads are text. */
enum payload_class { PAYLOAD_BINARY = 0, PAYLOAD_TEXT = 1, PAYLOAD_JSON = 2 };

#define MESSAGE_SENDER_MAX 256

/* EDIT, DELETE, PURGE: entries that say what was done to messages. One that is read
 * (store/store.h) or fanned out looks like the message it is about, as that is now, but
 * for kind and id. A message has one entry at most: that of the last change.
 * PURGE: the topic's messages with ids below `about` were removed. */
static inline bool message_kind_is_change(uint8_t kind)
{
    return kind == MESSAGE_EDIT || kind == MESSAGE_DELETE ||
           kind == MESSAGE_PURGE;
}

struct message {
    atomic_uint refs;
    uint8_t kind;          /* enum message_kind */
    uint8_t payload_class; /* enum payload_class */
    uint8_t qos;           /* as published: 0, 1, 2 */
    bool retain;           /* as published */
    bool has_expiry;
    bool has_payload_format;
    uint8_t payload_format; /* MQTT 5 §3.3.2.3.2 */
    uint32_t expiry_s;      /* MQTT 5 Message Expiry Interval */
    uint64_t publisher; /* hash of token and client id, for No Local; 0 none */
    uint64_t id;        /* set by the writer; 0: not stored */
    uint64_t seq;
    int64_t at_us;      /* created_at, µs since 1970 */
    bool deleted;       /* has no payload any more */
    uint64_t change_id; /* of the entry of its last change; 0: never changed */
    uint64_t about;     /* EDIT, DELETE: id of the message; PURGE: see above */
    int64_t changed_us; /* when that was, µs since 1970; 0: never */
    /* All in the same allocation; borrowed as long as a reference is held. */
    struct slice topic;
    struct slice payload;
    /* data == NULL: not sent; data != NULL and len == 0: sent empty. The log keeps
     * the difference, because MQTT forwards these properties unaltered. */
    struct slice content_type;
    struct slice response_topic;
    struct slice correlation;
    struct slice sender; /* the user it was published for (base/caller.h); at
                            most MESSAGE_SENDER_MAX bytes of UTF-8 */
    struct slice changed_by;      /* the user who changed it, as `sender` */
    struct slice user_properties; /* encoded MQTT 5 block 0x26…, as sent, in
                                     order, without confab-* */
};

/* Copies all slices and scalar fields of `from`, but sets refs, id, seq and at_us
 * to 1, 0, 0, 0. NULL: out of memory. The caller owns the one reference. */
struct message *message_new(const struct message *from);
/* The same, but keeps id, seq and at_us: for a message read from the log. */
struct message *message_copy(const struct message *from);
/* Bytes it takes in memory, all its slices included. Credits and bounds of queues
 * count these. */
size_t message_size(const struct message *m);
struct message *message_ref(struct message *m);
void message_unref(struct message *m); /* NULL is fine */

/* JSON if it parses, else text if it is UTF-8 without NUL, else binary. */
enum payload_class payload_classify(struct slice payload);

#endif
