/* A subscriber that could not keep up reads the log instead: from the last id
 * it was given up to what its worker has fanned out, in steps, and is live
 * again exactly there: nothing lost, nothing twice. What is not in the log
 * (events) it misses. */
#ifndef CONFAB_BROKER_DELIVER_CLIENT_CATCHUP_H
#define CONFAB_BROKER_DELIVER_CLIENT_CATCHUP_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct connection;

/* From now on the connection is fed from the log; everything up to `position`
 * has been given to it. Closes it when memory is short. */
void client_catchup_begin(struct connection *c, uint64_t position);
/* Its filters have changed. */
void client_catchup_refresh(struct connection *c);
void client_catchup_end(struct connection *c); /* when there is none, too */
/* Everything up to this id was given; only while there is a catch-up. */
uint64_t client_catchup_position(const struct connection *c);

/* One step: at most CLIENT_CATCHUP_BYTES, or until the connection has no room or is
 * live. r inside begin/end. false: the store failed, try again later. */
#define CLIENT_CATCHUP_BYTES (64 * 1024)
bool client_catchup_step(struct connection *c, struct store_reader *r);

#endif
