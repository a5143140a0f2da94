/* Making a struct batch (store/write/writer.h): writer's thread only, until it is
 * offered. */
#ifndef CONFAB_STORE_WRITE_BATCH_H
#define CONFAB_STORE_WRITE_BATCH_H

#include "store/write/writer.h"

/* Room for `capacity` messages, none yet; one reference. NULL: out of memory. */
struct batch *batch_new(size_t capacity);
/* Takes over the caller's reference to `m`. Not beyond the capacity. */
void batch_add(struct batch *b, struct message *m);

#endif
