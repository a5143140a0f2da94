/* What each token holds in the store, in bytes: two numbers of its usage row, kept
 * in the transaction that writes the rows they count. Whoever writes or deletes a
 * row that a client has caused does it through here.
 *
 *  ACCOUNT_MESSAGES  usage.bytes: its messages as records, properties included;
 *                    its things; its retained messages; Idempotency-Keys. Given
 *                    back when trimming hides a message.
 *  ACCOUNT_SESSIONS  usage.session_bytes: sessions, their subscriptions, what is
 *                    in flight, wills, positions of shared subscriptions.
 *
 * A row counts its key, its value and what the tree keeps of it; one that needs
 * pages of its own counts whole pages. Messages count by a formula on their parts,
 * so that what is to be stored can be compared with a limit before it is.
 *
 * Who has no token (nameless clients of open mode, topics that are no
 * `<token>/<thing>`) is counted together, under ACCOUNT_NOBODY.
 *
 * Messages stored by versions that counted payloads only (id up to the meta row
 * `counted`) keep counting without their properties: so their sum is known from
 * the rows of `things`, and upgrading needs not to read the log.
 *
 * What a row counts is in store/format/account_cost.h. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_ACCOUNT_H
#define CONFAB_STORE_WRITE_ACCOUNT_H

#include "store/format/account_cost.h"
#include "store/write/transaction.h"

enum account_part { ACCOUNT_MESSAGES, ACCOUNT_SESSIONS };

/* A key of `usage` that no token can be. */
#define ACCOUNT_NOBODY slice_of("", 1)

/* A message that is stored: one or the other. */
uint64_t account_stored_cost(const struct transaction *t,
                             const struct message *m);
uint64_t account_chunk_cost(const struct chunk_row *c, struct slice topic);

/* ---- whose --------------------------------------------------------------- */

/* The entry that pays: `name` is a token, or nothing (ACCOUNT_NOBODY). NULL in
 * *ret_who: its rows are damaged; nothing is counted then. */
enum store_err account_of(struct transaction *t, struct slice name,
                          struct token **ret_who);
enum store_err account_of_thing(struct transaction *t, struct thing *thing,
                                struct token **ret_who);
bool account_is_nobody(const struct token *who);

/* OK, SESSION_BYTES (the plan's), SHARE (of the store) or FULL for `more` bytes of
 * sessions on top of what `who` (NULL is fine) holds. */
enum command_result account_verdict(struct transaction *t,
                                    const struct token *who, uint64_t more);
/* Of a message that counts `cost` and takes `space` of the map: SHARE, FULL; the
 * plan's word is plan_verdict() (store/write/limits.h). */
enum command_result account_message_verdict(struct transaction *t,
                                            const struct token *who,
                                            uint64_t cost, uint64_t space);
/* OK or FULL for what a client that is let in cannot help to cause (in flight):
 * delivering what is stored goes on whatever its token holds, and above the soft
 * limit, in the upper half of the reserve. */
enum command_result account_upkeep_verdict(struct transaction *t,
                                           uint64_t more);

/* ---- counting ------------------------------------------------------------ */

/* `who` NULL: nothing. */
void account_add(struct transaction *t, struct token *who,
                 enum account_part part, uint64_t bytes);
void account_subtract(struct transaction *t, struct token *who,
                      enum account_part part, uint64_t bytes);

/* Puts t->row, or replaces what is there. FULL: it would add to a store in which
 * only what frees space may still be written (store/env/room.h). */
enum store_err account_put(struct transaction *t, struct token *who,
                           enum account_part part, MDB_dbi dbi, MDB_val key);
/* Missing ones are fine. *ret_was (may be NULL): there was one. */
enum store_err account_delete(struct transaction *t, struct token *who,
                              enum account_part part, MDB_dbi dbi, MDB_val key,
                              bool *ret_was);
/* Every row whose key begins so. */
enum store_err account_delete_all(struct transaction *t, struct token *who,
                                  enum account_part part, MDB_dbi dbi,
                                  MDB_val prefix);

/* At start, before the writer's thread: a store whose usage rows are of versions
 * that counted less gets them counted anew, from the rows that are there; own
 * transactions, in steps. Done once: the meta row `counted` says so. */
enum store_err account_upgrade(struct transaction *t);

#endif
