/* Number of connections per token over all workers, for the plan's limit
 * `connections`. Used once per CONNECT and per close, for tokens with such a
 * limit only, so a mutex held for one look-up is cheap enough. Any thread. */
#ifndef CONFAB_BROKER_CLIENT_TOKEN_CONNECTIONS_H
#define CONFAB_BROKER_CLIENT_TOKEN_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct token_connections;

/* NULL: out of memory. */
struct token_connections *token_connections_new(void);
void token_connections_free(struct token_connections *t); /* NULL is fine */

/* Counts one more. false: there are `limit` already, or memory is short.
 * `token` is valid, so at most TOKEN_MAX bytes. */
bool token_connections_add(struct token_connections *t, struct slice token,
                           uint64_t limit);
/* Undoes one successful add. */
void token_connections_remove(struct token_connections *t, struct slice token);

#endif
