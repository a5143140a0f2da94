/* How many bytes a row is charged to its token (store/write/account.h). The cost
 * is known before the row is stored, so that it can be checked against a limit.
 * Pure; any thread. */
#ifndef CONFAB_STORE_FORMAT_ACCOUNT_COST_H
#define CONFAB_STORE_FORMAT_ACCOUNT_COST_H

#include "store/message.h"

#define IDEMPOTENCY_HASH 32 /* bytes of a key in `idempotency` */

/* A row whose key and value have these lengths. */
uint64_t account_row_cost(size_t key, size_t row);
uint64_t account_message_cost(const struct message *m);
/* The entry of the last change of that message, or that entry of kind PURGE, and its
 * rows of `changes`. */
uint64_t account_change_cost(struct slice token, const struct message *m);
/* The row of `things`; it is charged with the first message. */
uint64_t account_thing_cost(struct slice topic);
/* A session without subscriptions, inflight rows or a will. */
uint64_t account_session_cost(struct slice identity);
uint64_t account_subscription_cost(struct slice filter);
/* An Idempotency-Key of that token. */
uint64_t account_key_cost(struct slice token);

/* Messages that were charged without their properties, by earlier versions. */
uint64_t account_plain_cost(struct slice topic, uint64_t count,
                            uint64_t payload_bytes);

#endif
