/* Stored sessions inside the writer's transaction: what their commands
 * (session_command.c) and the removal of those that are over (session_sweep.c)
 * have in common. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_SESSION_WRITE_H
#define CONFAB_STORE_WRITE_SESSION_WRITE_H

#include "store/write/transaction.h"

/* `who` pays for it (store/write/account.h), as in all of these. */
enum store_err session_put(struct transaction *t, struct token *who,
                           const struct session_row *s);
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

/* At start, before the writer's thread: nobody is connected, so sessions that
 * still say so (the process was killed) ended now, and their wills are due after
 * their delay. Own transactions, in steps. */
enum store_err session_recover(struct transaction *t, int64_t now_us);

#endif
