/* Stored sessions in the writer's transaction: what their commands
 * (store/commands/session_*.c) and the removal of expired ones (session_sweep.c) have in
 * common. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_SESSION_WRITE_H
#define CONFAB_STORE_WRITE_SESSION_WRITE_H

#include "store/write/transaction.h"

/* `who` pays for the rows (store/write/account.h), in all these functions. */
enum store_err session_put(struct transaction *t, struct token *who,
                           const struct session_row *s);
/* NOTFOUND, CORRUPT. `identity` is borrowed by the row. */
enum store_err session_find(struct transaction *t, struct slice identity,
                            struct session_row *ret_row);
/* Deletes a row of one of its parts; a missing one is fine. */
enum store_err session_delete_row(struct transaction *t, struct token *who,
                                  MDB_dbi dbi, const struct schema_key *key);
/* `will` NULL: deletes it. */
enum store_err session_put_will(struct transaction *t, struct token *who,
                                uint64_t number, const struct message *will);
/* The cost of the stored will. */
uint64_t session_will_cost(struct transaction *t, uint64_t number);
/* Counts one session more or less for the token. */
void session_count(struct transaction *t, struct token *who, bool more);

/* How many rows of sessions one transaction deletes, if it can continue in the next. */
#define SESSION_ROWS_DELETED 1024

/* Deletes the session's rows, at most *left of them, and subtracts them from *left; the
 * session's own row goes last. If *left becomes 0, some are left, and the session is marked
 * as over. */
enum store_err session_delete_some(struct transaction *t,
                                   const struct session_row *s,
                                   unsigned *left);
/* Deletes all its rows. */
enum store_err session_delete(struct transaction *t,
                              const struct session_row *s);

/* The part of an append for a session (session_mark.c): whether there is room, and doing
 * it. */
enum command_result session_mark_verdict(struct transaction *t,
                                         const struct session_mark *m);
enum store_err session_mark_apply(struct transaction *t,
                                  const struct session_mark *m);

/* Groups (group_write.c). The row with that name: NOTFOUND, CORRUPT. */
enum store_err group_find(struct transaction *t, struct slice name,
                          struct group_row *ret_row);
enum store_err group_put(struct transaction *t, const struct group_row *row,
                         const uint64_t *ids);
/* The ids of a row, with room for `more` after them; the caller frees them. NULL: out of
 * memory, or the row is damaged. */
uint64_t *group_ids(const struct group_row *row, size_t more);

/* Counts that a stored session of `identity` has entered (more) or left the shared
 * subscription `filter`; does nothing for other filters. */
enum store_err group_count(struct transaction *t, struct slice identity,
                           struct slice filter, bool more);

/* Deletes the row with that name (token, NUL, group, NUL, filter) and its rows of `given`,
 * whoever is still counted in it. */
enum store_err group_delete(struct transaction *t, struct slice name);

/* Notes that a message of the shared subscription `g->filter` belongs to the session of
 * `identity`; does nothing if no stored session is in that group. */
enum store_err group_given(struct transaction *t, struct slice identity,
                           const struct session_given *g);

/* A walk over all sessions, begun every minute, that deletes those that are over and those
 * of revoked tokens. */
struct session_sweep {
    bool walking;
    int64_t next_us;
    struct schema_key at;
};

bool session_sweep_due(const struct session_sweep *s, int64_t now_us);
enum store_err session_sweep_step(struct session_sweep *s,
                                  struct transaction *t);

/* At start nobody is connected, so sessions that are stored as connected (the process was
 * killed) end now. Does a step of a walk over all sessions, from *at on; zero it to
 * begin. */
enum store_err session_recover_step(struct transaction *t,
                                    struct schema_key *at, bool *ret_done);

#endif
