/* Removing a thing, a token with everything stored under it, the memberships of a user
 * or the members of a room, in steps.
 *
 * The first step is part of its command's transaction. What is left has a row in `meta`
 * (ERASE_PREFIX and the name), so that housekeeping continues and a crash does not lose
 * it.
 *
 * For a thing, the row's number is the head at the time of the command: messages up to that
 * id are removed; if later ones exist, they and the thing stay. A token is revoked first,
 * so that nothing new comes, and the number is the time of that. A second later its
 * connections are closed, and nobody can create a token of this name again by writing in
 * open mode while it is being removed. The token's row is removed last; until then its
 * name is taken. The row of a user or room is removed first, so that nobody can join, and
 * its id is taken until the rest is (store/write/people_write.h); the number means nothing.
 * Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_ERASE_H
#define CONFAB_STORE_WRITE_ERASE_H

#include "store/write/transaction.h"

#define ERASE_PREFIX "erase:"

/* At start: sets t->erasures_waiting if an earlier run has left something. */
enum store_err erase_look(struct transaction *t);
/* Proposes a command that continues with the first name that waits. */
enum store_err erase_propose(struct transaction *t);
/* Continues with `name` as far as the command's admission allows; does nothing if it does
 * not wait (any more). */
enum store_err erase_go_on(struct transaction *t, struct slice name);

/* Does the first step of removing `name` (a token, or <token>/<thing>) for a command, with
 * `number` as above, or the next step. Adds to c->removed, and sets c->more. */
enum store_err erase_begin_or_go_on(struct transaction *t, struct command *c,
                                    struct slice name, uint64_t number);

/* Whether something of that name is still being removed. */
enum store_err erase_is_waiting(struct transaction *t, struct slice name,
                                bool *ret_waiting);
/* Deletes the thing's retained message if its id is at most `through`, or it is damaged;
 * *ret_was: it did. */
enum store_err erase_retained(struct transaction *t, struct thing *thing,
                              uint64_t through, bool *ret_was);

#endif
