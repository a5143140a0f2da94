/* The writer's write transaction and what it has touched: how far numbering
 * is, rows not yet written back, the batch it will offer. Commands
 * (store/write/command_type.h) change it; group_commit.c begins, commits or aborts
 * it: then every row in memory that changed is forgotten. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_TRANSACTION_H
#define CONFAB_STORE_WRITE_TRANSACTION_H

#include "store/batch.h"
#include "store/command.h"
#include "store/env/env.h"
#include "store/env/room.h"
#include "store/write/admission.h"
#include "store/write/repeat.h"
#include "store/write/settings.h"
#include "store/write/thing_cache.h"
#include "store/write/token_cache.h"

/* Log entries deleted in one transaction: large deletes make LMDB's free list
 * long, and everybody waits for them. Twice what it may append on top, so that
 * retention keeps up with any load. */
#define TRANSACTION_DELETIONS 512

/* What only this machine knows. Deciding looks at it (decide functions and
 * store/write/admission.c, and housekeeping for what it proposes); applying a
 * command never does, but for keeping count of the room that is left and for the
 * last guard of the reserve (account_put()). */
struct here {
    const struct config *config;
    struct space space;
    struct wall_clock clock;
    int64_t now_us, mono_us; /* when the open transaction began */
    int64_t decay_us; /* ≤ now_us: the time by which things are destroyed */
    unsigned deletions; /* log entries the open transaction may still delete */
    /* Appends answer `paused_result` at once before this time: disk or map
     * refused twice in a row, and trying costs everybody a failed commit. */
    int64_t paused_until_mono_us; /* 0: not paused */
    enum command_result paused_result;
    /* Housekeeping's commands go through this, in the open transaction. */
    enum store_err (*propose)(void *arg, struct command *c);
    void *propose_arg;
};

struct transaction {
    struct store_env *e;
    struct thing_cache things;
    struct token_cache tokens;
    struct settings settings;
    struct buffer settings_row; /* as it is in `meta`; empty: there is none */
    struct clock_steps steps;   /* those in `meta` */
    struct buffer row;          /* scratch of whoever encodes a row */
    uint64_t committed_head;    /* last id of the last commit */
    uint64_t plain_through;     /* messages up to this id count without their
                                properties (store/write/account.h) */
    bool trims_waiting;         /* `trims` may have rows */
    bool erasures_waiting; /* `meta` may have rows of store/write/erase.h */
    struct here here;

    /* Of the open one: */
    MDB_txn *txn;        /* NULL: nothing needed one yet */
    MDB_cursor *log_end; /* where `log` is appended to; NULL: not open. LMDB
                            closes it with the transaction */
    struct admission in; /* of the command in hand */
    uint64_t head;       /* last id given */
    unsigned remembered[REPEAT_KIND_COUNT];
    bool settings_changed, steps_changed;
    struct settings settings_before; /* where that is so */
    struct clock_steps steps_before;
    bool put;     /* something was written besides the changed rows */
    bool deleted; /* something of which pages come back */
    struct batch *batch;
    uint64_t appended, events, trimmed, sessions_expired;
};

enum store_err transaction_init(struct transaction *t, struct store *st,
                                const struct config *config);
void transaction_release(struct transaction *t);

/* For up to `messages` messages. NOMEM: nothing was begun. */
enum store_err transaction_begin(struct transaction *t, size_t messages,
                                 int64_t now_us, int64_t mono_us);
/* Makes sure that t->txn is there; events alone need none. */
enum store_err transaction_open(struct transaction *t);
enum store_err transaction_put(struct transaction *t, MDB_dbi dbi, MDB_val key,
                               MDB_val value, unsigned flags);
/* The same with t->row as the value. NOMEM: encoding had failed. */
enum store_err transaction_put_row(struct transaction *t, MDB_dbi dbi,
                                   MDB_val key, unsigned flags);

/* t->row as the last row of `log`. */
enum store_err transaction_append_row(struct transaction *t, uint64_t id);
/* Before anything else changes `log` in this transaction: LMDB would have to
 * keep the cursor of the appends up with it. */
void transaction_log_changes(struct transaction *t);

/* Whether a commit would write anything. */
bool transaction_changed(const struct transaction *t);
/* Writes back and commits if anything changed, else aborts, which costs no
 * flush. On failure everything is as before transaction_begin(). Either way
 * the transaction is over; on success t->batch stays, for the caller to take. */
enum store_err transaction_commit(struct transaction *t);
void transaction_abort(struct transaction *t);
/* For the steps before the writer's thread starts, which have no batch and begin with
 * transaction_open(): commits what a step changed when it went well (`err`), else
 * aborts. Returns `err`, or that of the commit. */
enum store_err transaction_end_step(struct transaction *t, enum store_err err);

/* Rows of `meta` that have a copy in memory, which an abort takes back, too.
 * INVALID: they are no settings. */
enum store_err transaction_put_settings(struct transaction *t,
                                        struct slice row);
enum store_err transaction_put_clock_steps(struct transaction *t,
                                           const struct clock_steps *s);

/* For housekeeping: decides and applies a command of this machine's in the open
 * transaction. Borrowed for the call. */
enum store_err transaction_propose(struct transaction *t, struct command *c);

/* Entries as the open transaction would leave them. */
enum store_err transaction_thing(struct transaction *t, struct slice topic,
                                 struct thing **ret_thing);
enum store_err transaction_token(struct transaction *t, struct slice name,
                                 struct token **ret_token);
/* The token of a thing that has one: without hashing its name each time. */
enum store_err transaction_token_of(struct transaction *t, struct thing *thing,
                                    struct token **ret_token);

/* For apply functions that have only read so far: a row they need is damaged. The
 * command is refused with IO, and the log says so: it is the trouble of that thing,
 * token or session, not of the batch. Returns STORE_OK. One who applies entries of
 * another machine's must not go on behind this, but ask for a copy. */
enum store_err transaction_row_damaged(struct command *c);

/* A write of next to nothing: the row of `meta` that a ping writes. */
enum store_err transaction_touch(struct transaction *t);

/* When c->operation was done before: *ret_known, and c has its first result. */
enum store_err operation_find(struct transaction *t, struct command *c,
                              bool *ret_known);
enum store_err operation_remember(struct transaction *t,
                                  const struct command *c);

/* ---- retained messages (retained_write.c) ----------------------------- */

/* Learns thing->retained_id. */
enum store_err retained_load(struct transaction *t, struct thing *thing);
/* The message just numbered is, or (empty payload) clears, the retained one
 * (MQTT 5 §3.3.1.3). `who` pays for it (store/write/account.h). */
enum store_err retained_set(struct transaction *t, struct thing *thing,
                            struct token *who, const struct message *m);
/* Log entry thing->retained_id is about to be deleted: keeps the record. */
enum store_err retained_copy(struct transaction *t, struct thing *thing,
                             const struct message *m);

#endif
