/* Which worker a client belongs to: by the hash of its identity (token, NUL, client
 * id), so that its session, who takes that over and what it subscribed to are in
 * one thread. Not of administrators, who have a worker of their own. Pure. */
#ifndef CONFAB_BROKER_CLIENT_CLIENT_IDENTITY_H
#define CONFAB_BROKER_CLIENT_CLIENT_IDENTITY_H

#include <stdint.h>

#include "base/slice.h"

struct hub;
struct worker;

/* connection.publisher. The same for all time: it is stored with each message (No
 * Local). Never 0, which means nobody. */
uint64_t client_identity_hash(struct slice identity);

struct worker *client_identity_home(const struct hub *hub, uint64_t hash);

#endif
