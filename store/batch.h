/* What the writer offers to all workers after a commit. */
#ifndef CONFAB_STORE_BATCH_H
#define CONFAB_STORE_BATCH_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "store/message.h"

/* The result of one commit, in order: stored messages with growing ids, and events
 * between them. Reference counted, atomically; immutable. */
struct batch {
    atomic_uint refs;
    uint64_t head; /* last id of the log after this batch */
    size_t count;
    size_t events; /* how many of them are no messages: events, changes */
    size_t bytes;  /* memory that the messages take */
    struct message *messages[]; /* a reference each */
};
void batch_ref(struct batch *b);
void batch_unref(struct batch *b);

/* Making a batch: in the writer's thread only, until it is offered.
 * Makes an empty one with room for `capacity` messages and one reference. NULL: out
 * of memory. */
struct batch *batch_new(size_t capacity);
/* Takes the caller's reference to `m`. At most `capacity` times. */
void batch_add(struct batch *b, struct message *m);

#endif
