/* Stored sessions inside the writer's transaction: what their commands
 * (store/commands/session_*.c) and the removal of those that are over (session_sweep.c)
 * have in common. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_SESSION_WRITE_H
#define CONFAB_STORE_WRITE_SESSION_WRITE_H

#include "store/write/transaction.h"

/* `who` pays for it (store/write/account.h), as in all of these. */
enum store_err session_put(struct transaction *t, struct token *who,
                           const struct session_row *s);
/* NOTFOUND, CORRUPT. `identity` is borrowed by the row. */
enum store_err session_find(struct transaction *t, struct slice identity,
                            struct session_row *ret_row);
/* A row of one of its parts; a missing one is fine. */
enum store_err session_delete_row(struct transaction *t, struct token *who,
                                  MDB_dbi dbi, const struct schema_key *key);
/* NULL: deletes it. */
enum store_err session_put_will(struct transaction *t, struct token *who,
                                uint64_t number, const struct message *will);
/* What the will that is stored counts. */
uint64_t session_will_cost(struct transaction *t, uint64_t number);
/* One more or less among the token's sessions. */
void session_count(struct transaction *t, struct token *who, bool more);

/* Rows of sessions that one transaction deletes where it can go on in the next. */
#define SESSION_ROWS_DELETED 1024

/* The row and everything that belongs to it, at most *left rows, which it counts
 * down: the session's own row goes last. *left is 0: some are left, and the session
 * is over. */
enum store_err session_delete_some(struct transaction *t,
                                   const struct session_row *s,
                                   unsigned *left);
/* All of them. */
enum store_err session_delete(struct transaction *t,
                              const struct session_row *s);

/* With a message (session_mark.c): whether there is room for it, and doing it. */
enum command_result session_mark_verdict(struct transaction *t,
                                         const struct session_mark *m);
enum store_err session_mark_apply(struct transaction *t,
                                  const struct session_mark *m);

/* Groups (group_write.c). The row of that name: NOTFOUND, CORRUPT. */
enum store_err group_find(struct transaction *t, struct slice name,
                          struct group_row *ret_row);
enum store_err group_put(struct transaction *t, const struct group_row *row,
                         const uint64_t *ids);
/* The ids of a row, and room for `more` behind them; the caller's to free. NULL:
 * out of memory, or the row is damaged. */
uint64_t *group_ids(const struct group_row *row, size_t more);

/* A stored session of `identity` came to, or left, the shared subscription
 * `filter`; nothing for other filters. */
enum store_err group_count(struct transaction *t, struct slice identity,
                           struct slice filter, bool more);

/* The row of that name (token, NUL, group, NUL, filter) and its notes of what was
 * given, whoever is still counted in it. */
enum store_err group_delete(struct transaction *t, struct slice name);

/* A message of the shared subscription `g->filter` is the session's of `identity`;
 * nothing when no stored session is in that group. */
enum store_err group_given(struct transaction *t, struct slice identity,
                           const struct session_given *g);

/* A walk over all sessions, begun every minute, that deletes those which are
 * over, and those of revoked tokens. */
struct session_sweep {
    bool walking;
    int64_t next_us;
    struct schema_key at;
};

bool session_sweep_due(const struct session_sweep *s, int64_t now_us);
enum store_err session_sweep_step(struct session_sweep *s,
                                  struct transaction *t);

/* At start: nobody is connected, so sessions that still say so (the process was
 * killed) ended now. A step of a walk over all of them, from *at on; zero it to
 * begin. */
enum store_err session_recover_step(struct transaction *t,
                                    struct schema_key *at, bool *ret_done);

#endif
