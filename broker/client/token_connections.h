/* How many connections each token has, over all workers: for the plan's limit
 * `connections`. Asked once per CONNECT and per close, of such tokens only, so
 * a mutex held for one look-up does. Any thread. */
#ifndef CONFAB_BROKER_CLIENT_TOKEN_CONNECTIONS_H
#define CONFAB_BROKER_CLIENT_TOKEN_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct token_connections;

struct token_connections *token_connections_new(void);    /* NULL: memory */
void token_connections_free(struct token_connections *t); /* NULL is fine */

/* Counts one more; false: there are `limit` already, or no memory. `token` is
 * valid, so at most TOKEN_MAX bytes. */
bool token_connections_add(struct token_connections *t, struct slice token,
                           uint64_t limit);
/* Undoes one successful add. */
void token_connections_remove(struct token_connections *t, struct slice token);

#endif
