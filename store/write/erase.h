/* Removing a thing, or a token with all that is stored under it, in steps.
 *
 * One step rides in the transaction of its command; what is left has a row in
 * `meta` (ERASE_PREFIX and the name), so that housekeeping goes on with it and
 * a crash does not lose it.
 *
 * Of a thing, the row's number is the head when it was ordered: messages up to
 * that id go, later ones stay, and with them the thing. A token is revoked
 * first, so nothing comes in any more, and the number is when that was: a second
 * later its connections are gone, and nobody brings an open mode's name to life
 * again while it is removed. Its row goes last; until then its name is taken.
 * Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_ERASE_H
#define CONFAB_STORE_WRITE_ERASE_H

#include "store/write/transaction.h"

#define ERASE_PREFIX "erase:"

/* At start: sets t->erasures_waiting when something is left from an earlier run. */
enum store_err erase_look(struct transaction *t);
/* Proposes to go on with the first name that waits. */
enum store_err erase_propose(struct transaction *t);
/* Does, with `name`, as far as the command's admission says; nothing when it does
 * not wait (any more). */
enum store_err erase_go_on(struct transaction *t, struct slice name);

/* A step of removing `name` (a token, or <token>/<thing>) by a command: its first,
 * with `number` as above, or the next. c->removed and c->more say how it went. */
enum store_err erase_begin_or_go_on(struct transaction *t, struct command *c,
                                    struct slice name, uint64_t number);

#endif
