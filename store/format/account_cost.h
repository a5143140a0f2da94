/* What a row counts for its token (store/write/account.h), in bytes: known before
 * it is stored, so that it can be compared with a limit. Pure; any thread. */
#ifndef CONFAB_STORE_FORMAT_ACCOUNT_COST_H
#define CONFAB_STORE_FORMAT_ACCOUNT_COST_H

#include "store/message.h"

#define IDEMPOTENCY_HASH 32 /* bytes of a key in `idempotency` */

/* A row with so long a key and value. */
uint64_t account_row_cost(size_t key, size_t row);
uint64_t account_message_cost(const struct message *m);
/* The row of `things`, charged with the first message. */
uint64_t account_thing_cost(struct slice topic);
/* Of a session before it has parts. */
uint64_t account_session_cost(struct slice identity);
uint64_t account_subscription_cost(struct slice filter);
/* Of an Idempotency-Key of that token. */
uint64_t account_key_cost(struct slice token);

/* Messages of a topic that counted without their properties. */
uint64_t account_plain_cost(struct slice topic, uint64_t count,
                            uint64_t payload_bytes);

#endif
