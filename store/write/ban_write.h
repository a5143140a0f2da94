/* Rows of bans, together with their indexes, and what they cost their tenant. Writer's
 * thread only. Rows that are read borrow from LMDB's pages until the next write of the
 * transaction. */
#ifndef CONFAB_STORE_WRITE_BAN_WRITE_H
#define CONFAB_STORE_WRITE_BAN_WRITE_H

#include "store/ban.h"
#include "store/write/transaction.h"

/* NOTFOUND: there is none; CORRUPT: its row is damaged. Ids must be valid; the row's are
 * the caller's. */
enum store_err ban_load(struct transaction *t, struct slice tenant,
                        struct slice room, struct slice who,
                        struct ban_row *ret_row);
/* Whether the store has any ban at all: one look at the transaction. */
bool ban_exists_any(struct transaction *t);

/* What its rows take, in bytes; encoded in t->row. */
uint64_t ban_cost(struct transaction *t, const struct ban_row *ban);
/* `old_until_us`: the end it had; 0: none, or it is new. Nothing may borrow from the
 * old row. */
enum store_err ban_store(struct transaction *t, struct token *who,
                         const struct ban_row *ban, int64_t old_until_us);
/* A missing one is fine; of a damaged one bans_by_end keeps what it has. */
enum store_err ban_remove(struct transaction *t, struct token *who,
                          struct slice tenant, struct slice room,
                          struct slice banned);

/* Removes the first ban that ended before that time. NOTFOUND: there is none. */
enum store_err ban_remove_first_ended(struct transaction *t,
                                      int64_t before_us);
/* Whether there is one. */
enum store_err ban_find_ended(struct transaction *t, int64_t before_us);

/* All below delete bans while *left > 0, and subtract them from it; it is 0 if more may
 * be left: those from a room, those of a user, all of a tenant. */
enum store_err ban_erase_room(struct transaction *t, struct token *who,
                              struct slice tenant, struct slice room,
                              unsigned *left);
enum store_err ban_erase_user(struct transaction *t, struct token *who,
                              struct slice tenant, struct slice user,
                              unsigned *left);
enum store_err ban_erase_all(struct transaction *t, struct token *who,
                             struct slice tenant, unsigned *left);

#endif
