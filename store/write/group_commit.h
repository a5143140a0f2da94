/* Many commands, one transaction, one commit (two flushes of the disk). If that fails, its
 * halves are tried, down to the single command that fails, which alone is refused. If
 * nobody can tell whether a commit is on disk (STORE_UNCERTAIN), the process ends:
 * base/disk_fault.h. Housekeeping (the walk of retention, deleting what trims have hidden)
 * joins these transactions, so that it needs no flushes of its own while there is traffic.
 * Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_GROUP_COMMIT_H
#define CONFAB_STORE_WRITE_GROUP_COMMIT_H

#include "store/write/command_type.h"
#include "store/write/commit_stats.h"
#include "store/write/retention.h"
#include "store/write/session_write.h"
#include "store/write/transaction.h"

struct group_commit {
    struct transaction t;
    const struct command_type *const *commands; /* by kind */
    struct sweep sweep;
    struct session_sweep sessions;
    struct commit_stats *stats;
    int64_t (*now_us)(void); /* real time */
    void (*on_batch)(void *arg, struct batch *b);
    void (*on_entry)(void *arg, const struct admission *in,
                     const struct command *c);
    void *arg;

    struct settings wanted;    /* the configuration's, when last read … */
    bool settings_written;     /* … and a commit has put them into `meta` */
    unsigned refused_in_a_row; /* single commands that disk or map refused */
    bool has_room;             /* when last measured */
    int64_t keys_next_us;      /* when to look again for expired keys */
    bool freed_last;        /* the last commit deleted something: LMDB reuses
                                  its pages only after another commit */
    bool logged_accepting;  /* the last state that was logged … */
    int64_t told_mono_us;   /* … and when */
    uint64_t failures;      /* of the disk, since the start … */
    int64_t failed_mono_us; /* … and when one was last logged */
    int64_t housekeep_mono_us; /* not before: it failed or had nothing to do */
    bool housekept;            /* in the last transaction */
    /* For writer_is_alive(), which other threads call: */
    atomic_uint_fast64_t steps; /* number of commands tried and commits done */
    atomic_bool committing;     /* waiting for the disk */
};

/* STORE_*: the store cannot be read. All arguments are borrowed. */
enum store_err group_commit_init(struct group_commit *g, struct store *st,
                                 const struct writer_opts *opts,
                                 struct commit_stats *stats);
void group_commit_release(struct group_commit *g);

/* Applies, commits and answers all n commands, and offers the stored messages. */
void group_commit_run(struct group_commit *g, struct command **c, size_t n);

/* How long until there may be housekeeping to do, in µs; 0: now. */
int64_t housekeeping_wait(const struct group_commit *g);
/* Does a step of it, in a transaction of its own. */
void housekeeping_run(struct group_commit *g);

#endif
