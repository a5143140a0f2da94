/* What each token holds in the store, in bytes: two numbers in its usage row, updated in
 * the transaction that writes the rows they count. Every row that a client causes must be
 * written and deleted through these functions.
 *
 *  ACCOUNT_MESSAGES  usage.bytes: its messages as records, properties included; its
 *                    things; its retained messages; Idempotency-Keys. A message is
 *                    subtracted when trimming hides it.
 *  ACCOUNT_SESSIONS  usage.session_bytes: sessions, their subscriptions, what is in
 *                    flight, wills, positions of shared subscriptions.
 *
 * A row costs its key, its value and what the tree keeps for it; a row that needs pages
 * of its own costs whole pages. The cost of a message is a formula on its parts, so that
 * it can be compared with a limit before the message is stored.
 *
 * Clients without a token (nameless clients in open mode) and topics that are not
 * `<token>/<thing>` share one account, ACCOUNT_NOBODY.
 *
 * Messages stored by versions that charged payloads only (ids up to the meta row
 * `counted`) stay charged without their properties: so the rows of `things` have their
 * sum, and upgrading need not read the log.
 *
 * store/format/account_cost.h has the cost of each row. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_ACCOUNT_H
#define CONFAB_STORE_WRITE_ACCOUNT_H

#include "store/format/account_cost.h"
#include "store/write/transaction.h"

enum account_part { ACCOUNT_MESSAGES, ACCOUNT_SESSIONS };

/* A key of `usage` that no token can have. */
#define ACCOUNT_NOBODY slice_of("", 1)

/* What a stored message is charged: with or without its properties, see above, and with
 * the entry of its last change. */
uint64_t account_stored_cost(const struct transaction *t,
                             const struct message *m);
uint64_t account_chunk_cost(const struct chunk_row *c, struct slice topic);

/* ---- who pays ------------------------------------------------------------ */

/* The entry that pays for rows of `name`: a token, or empty (ACCOUNT_NOBODY). *ret_who is
 * NULL if its rows are damaged; then nothing is counted. */
enum store_err account_of(struct transaction *t, struct slice name,
                          struct token **ret_who);
enum store_err account_of_thing(struct transaction *t, struct thing *thing,
                                struct token **ret_who);
bool account_is_nobody(const struct token *who);

/* Whether `who` (NULL is fine) may store `more` bytes of sessions in addition to what it
 * holds: OK, SESSION_BYTES (of the plan), SHARE (of the store) or FULL. */
enum command_result account_verdict(struct transaction *t,
                                    const struct token *who, uint64_t more);
/* Whether it may store a message that costs `cost` and takes `space` of the map: OK,
 * SHARE or FULL. plan_verdict() (store/write/limits.h) checks the plan. */
enum command_result account_message_verdict(struct transaction *t,
                                            const struct token *who,
                                            uint64_t cost, uint64_t space);
/* OK or FULL, for what an admitted client causes without asking (messages in flight):
 * stored messages are delivered whatever the token holds, and above the soft limit, in
 * the upper half of the reserve. */
enum command_result account_upkeep_verdict(struct transaction *t,
                                           uint64_t more);

/* ---- counting ------------------------------------------------------------ */

/* With `who` NULL they do nothing. */
void account_add(struct transaction *t, struct token *who,
                 enum account_part part, uint64_t bytes);
void account_subtract(struct transaction *t, struct token *who,
                      enum account_part part, uint64_t bytes);

/* Writes t->row under `key`, replacing a row that is there. FULL: it would add to a store
 * in which only what frees space may still be written (store/env/room.h). */
enum store_err account_put(struct transaction *t, struct token *who,
                           enum account_part part, MDB_dbi dbi, MDB_val key);
/* A missing row is fine. *ret_was (may be NULL): there was one. */
enum store_err account_delete(struct transaction *t, struct token *who,
                              enum account_part part, MDB_dbi dbi, MDB_val key,
                              bool *ret_was);
/* Deletes all rows whose keys begin with `prefix`. */
enum store_err account_delete_all(struct transaction *t, struct token *who,
                                  enum account_part part, MDB_dbi dbi,
                                  MDB_val prefix);

/* At start, before the writer's thread: recounts a store whose usage rows come from
 * versions that charged less, in steps with transactions of their own. Done once: then
 * the meta row `counted` exists. */
enum store_err account_upgrade(struct transaction *t);

#endif
