/* What commands about users, rooms and members have in common. Writer's thread only,
 * but for what is pure. */
#ifndef CONFAB_STORE_COMMANDS_PEOPLE_COMMAND_H
#define CONFAB_STORE_COMMANDS_PEOPLE_COMMAND_H

#include "store/command/people.h"
#include "store/commands/key_command.h"
#include "store/write/people_write.h"

#define ROLE_DEFAULT "member"

/* ---- pure: NULL, or what is wrong --------------------------------------------- */

const char *people_tenant_wrong(struct slice tenant);
const char *people_user_wrong(struct slice user);
const char *people_room_wrong(struct slice room);
const char *people_role_wrong(struct slice role);
/* What is made anew, or given as a name, has no invisible characters (base/utf8.h): it
 * would look like another one. Rows of before may; they are read, changed and deleted. */
const char *people_new_user_wrong(struct slice user);
const char *people_new_room_wrong(struct slice room);
const char *people_name_wrong(struct slice name);
/* Attributes or settings, which may be missing; when they are merged they have
 * PEOPLE_MERGE_MAX members at most. */
const char *people_json_wrong(struct slice json, bool merge);

/* decide() of commands that may add a row: only the space that is left matters. */
void people_decide(struct transaction *t, const struct command *c);

/* ---- looking ------------------------------------------------------------------ */

/* What loading a row has returned: whether it is there. A damaged one refuses the command
 * (c->result), and is not. */
enum store_err people_found(struct command *c, enum store_err err,
                            bool *ret_is_there);
/* Whether the condition holds, else c->result says what does not. */
bool people_condition_holds(struct command *c, uint32_t condition,
                            bool is_there);
/* When the command is made, by the submitter's clock. */
int64_t people_now_us(const struct transaction *t, const struct command *c);

/* ---- JSON objects ------------------------------------------------------------- */

/* The object to store: `given`, or `old` with `given` merged into it, or, when nothing is
 * given, `old`; {} in place of an empty one. It may borrow from all three; `room` has the
 * caller. c->result: TOO_LARGE. */
enum store_err people_json(struct command *c, struct slice old,
                           struct slice given, bool merge, struct buffer *room,
                           struct slice *ret);

/* ---- members ------------------------------------------------------------------ */

/* The last seq of the room's messages; 0: none. Or c->result says why not. */
enum store_err people_last_seq(struct transaction *t, struct command *c,
                               struct slice tenant, struct slice room,
                               uint64_t *ret_seq);
/* Whether the user is there or, with `make`, may be made; c->result says why not.
 * *ret_new: is to be made. */
enum store_err people_member_user(struct transaction *t, struct command *c,
                                  struct slice tenant, struct slice user,
                                  bool make, bool *ret_new);
/* A user without anything. */
struct user_row people_new_user(const struct transaction *t,
                                const struct command *c, struct slice tenant,
                                struct slice user);

#endif
