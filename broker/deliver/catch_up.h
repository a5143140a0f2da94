/* A subscriber that could not keep up reads the log instead: from the last id
 * it was given up to what its worker has fanned out, in steps, and is live
 * again exactly there: nothing lost, nothing twice. What is not in the log
 * (events) it misses. */
#ifndef CONFAB_BROKER_DELIVER_CATCH_UP_H
#define CONFAB_BROKER_DELIVER_CATCH_UP_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct connection;

/* From now on the connection is fed from the log; everything up to `position`
 * has been given to it. Closes it when memory is short. */
void catch_up_begin(struct connection *c, uint64_t position);
/* Its filters have changed. */
void catch_up_refresh(struct connection *c);
void catch_up_end(struct connection *c); /* when there is none, too */
/* Everything up to this id was given; only while there is a catch-up. */
uint64_t catch_up_position(const struct connection *c);

/* One step: at most CATCH_UP_BYTES, or until the connection has no room or is
 * live. r inside begin/end. false: the store failed, try again later. */
#define CATCH_UP_BYTES (64 * 1024)
bool catch_up_step(struct connection *c, struct store_reader *r);

#endif
