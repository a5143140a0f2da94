/* Which worker a client belongs to. The hash of its identity (token, NUL,
 * client id) decides, so that a session, its takeover and its subscriptions
 * are all handled by one thread. Administrators have a worker of their own.
 * Pure. */
#ifndef CONFAB_BROKER_CLIENT_CLIENT_IDENTITY_H
#define CONFAB_BROKER_CLIENT_CLIENT_IDENTITY_H

#include <stdint.h>

#include "base/slice.h"

struct hub;
struct worker;

/* The value of connection.publisher. It is stored with each message (No
 * Local), so it must never change. Never 0, which means "nobody". */
uint64_t client_identity_hash(struct slice identity);

struct worker *client_identity_home(const struct hub *hub, uint64_t hash);

#endif
