/* Rows of users, rooms and members, together with their indexes, and what they cost
 * their tenant. Writer's thread only.
 *
 * Rows that are read borrow from LMDB's pages until the next write of the transaction;
 * a room's row is copied, since its members are written with it. */
#ifndef CONFAB_STORE_WRITE_PEOPLE_WRITE_H
#define CONFAB_STORE_WRITE_PEOPLE_WRITE_H

#include "store/people.h"
#include "store/write/transaction.h"

/* A room's row, copied. */
struct room_copy {
    struct room_row row;
    unsigned char *bytes; /* what the row points into, but for its ids, which
                             are the caller's */
};
void room_copy_release(struct room_copy *room); /* zeroed: nothing */

/* In all: NOTFOUND: there is none; CORRUPT: its row is damaged. Ids must be valid. */
enum store_err user_load(struct transaction *t, struct slice tenant,
                         struct slice user, struct user_row *ret_row);
/* The user with that name; `ret_user` borrows. */
enum store_err user_name_load(struct transaction *t, struct slice tenant,
                              struct slice name, struct slice *ret_user);
enum store_err room_load(struct transaction *t, struct slice tenant,
                         struct slice room, struct room_copy *ret_room);
enum store_err member_load(struct transaction *t, struct slice tenant,
                           struct slice room, struct slice user,
                           struct member_row *ret_row);

/* What the rows take, in bytes; they are encoded in t->row. */
uint64_t user_cost(struct transaction *t, const struct user_row *user);
uint64_t room_cost(struct transaction *t, const struct room_row *room);
uint64_t member_cost(struct transaction *t, const struct member_row *m);

/* `old_name`: that it had; empty: none. All but the ids may borrow from the old row. */
enum store_err user_store(struct transaction *t, struct token *who,
                          const struct user_row *user, struct slice old_name);
enum store_err room_store(struct transaction *t, struct token *who,
                          const struct room_row *room);
/* Adds one to, or takes one from, room->members for a member that is new or gone; the
 * caller stores the room. */
enum store_err member_store(struct transaction *t, struct token *who,
                            const struct member_row *m, struct room_row *room);
enum store_err member_remove(struct transaction *t, struct token *who,
                             struct slice tenant, struct slice room,
                             struct slice user, bool *ret_was);

/* ---- ends: in steps (store/write/erase.h) -------------------------------------- */

/* What waits to be erased has a name: tenant, NUL, `u` or `r`, id. */
#define PEOPLE_ERASE_NAME_MAX (TOKEN_MAX + 2 + USER_ID_MAX)
struct slice user_erase_name(struct slice tenant, struct slice user,
                             char out[PEOPLE_ERASE_NAME_MAX]);
struct slice room_erase_name(struct slice tenant, struct slice room,
                             char out[PEOPLE_ERASE_NAME_MAX]);
bool people_is_erase_name(struct slice name);

/* All below delete rows while *left > 0, and subtract them from it; it is 0 if more
 * may be left. */

/* The memberships of the user, or members of the room, with that name, and its bans. */
enum store_err people_erase_named(struct transaction *t, struct slice name,
                                  unsigned *left);
/* All users, rooms, members and bans of a tenant. */
enum store_err people_erase_all(struct transaction *t, struct slice tenant,
                                unsigned *left);
/* The row of a user, with its name; of a room. */
enum store_err user_remove(struct transaction *t, struct token *who,
                           const struct user_row *user);
enum store_err room_remove(struct transaction *t, struct token *who,
                           struct slice tenant, struct slice room);

#endif
