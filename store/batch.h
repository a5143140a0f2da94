/* What the writer offers after a commit. */
#ifndef CONFAB_STORE_BATCH_H
#define CONFAB_STORE_BATCH_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "store/message.h"

/* What became durable in one commit, in order: stored messages with growing
 * ids and events between them. Reference counted, atomically; immutable. */
struct batch {
    atomic_uint refs;
    uint64_t head; /* last id of the log after this batch */
    size_t count;
    size_t events; /* how many of the messages are events, not stored */
    size_t bytes;  /* the messages take in memory */
    struct message *messages[]; /* a reference each */
};
void batch_ref(struct batch *b);
void batch_unref(struct batch *b);

/* Making one: the writer's thread only, until it is offered.
 * Room for `capacity` messages, none yet; one reference. NULL: out of memory. */
struct batch *batch_new(size_t capacity);
/* Takes over the caller's reference to `m`. Not beyond the capacity. */
void batch_add(struct batch *b, struct message *m);

#endif
