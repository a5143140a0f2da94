/* A subscriber that could not keep up reads the log instead, in steps: from
 * the last id it was sent to the last one its worker has fanned out, where
 * it becomes live again. No message is lost or sent twice. Events are not in
 * the log, so it misses those. */
#ifndef CONFAB_BROKER_DELIVER_CLIENT_CATCHUP_H
#define CONFAB_BROKER_DELIVER_CLIENT_CATCHUP_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct connection;

/* From now on the connection is fed from the log; it has been sent
 * everything up to `position`. Closes it if memory is short. */
void client_catchup_begin(struct connection *c, uint64_t position);
/* The connection's filters have changed. */
void client_catchup_refresh(struct connection *c);
/* Does nothing if there is none. */
void client_catchup_end(struct connection *c);
/* Everything up to this id has been sent. Only during a catch-up. */
uint64_t client_catchup_position(const struct connection *c);

/* One step: at most CLIENT_CATCHUP_BYTES, or until the connection has no
 * room or is live. Call it between r's begin and end. false: the store
 * failed, try again later. */
#define CLIENT_CATCHUP_BYTES (64 * 1024)
bool client_catchup_step(struct connection *c, struct store_reader *r);

#endif
