/* Many commands, one transaction, one commit (two flushes of the disk); when
 * that fails, halves of it, down to the one command that is to blame, which
 * alone is refused. A commit of which nobody can tell whether it is on disk
 * (STORE_UNCERTAIN) ends the process: base/disk_fault.h. Housekeeping (retention's walk, deleting what trims left)
 * rides along, so that it costs no flushes of its own while there is traffic.
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

    struct settings wanted; /* as the configuration had them last … */
    bool settings_written;  /* … and as they are in `meta` since a commit */
    unsigned refused_in_a_row; /* by disk or map, one by one */
    bool has_room;             /* when last measured */
    int64_t keys_next_us;      /* when to look again for keys that are over */
    bool freed_last;           /* the last commit deleted something: LMDB uses
                                  its pages again only after one more */
    bool logged_accepting;     /* what the log was told last … */
    int64_t told_mono_us;      /* … and when */
    uint64_t failures;         /* of the disk, since the start … */
    int64_t failed_mono_us;    /* … and when the log was told of one */
    int64_t housekeep_mono_us; /* not before: it failed or had nothing to do */
    bool housekept;            /* in the last transaction */
    /* For writer_is_alive(), read by other threads: */
    atomic_uint_fast64_t steps; /* commands tried and commits done */
    atomic_bool committing;     /* the disk has it */
};

/* STORE_*: the store cannot be read. Borrowed: everything. */
enum store_err group_commit_init(struct group_commit *g, struct store *st,
                                 const struct writer_opts *opts,
                                 struct commit_stats *stats);
void group_commit_release(struct group_commit *g);

/* Applies, commits and answers all n commands, offers what was stored. */
void group_commit_run(struct group_commit *g, struct command **c, size_t n);

/* How long until there may be housekeeping to do, in µs; 0: now. */
int64_t housekeeping_wait(const struct group_commit *g);
/* A step of it, in a transaction of its own. */
void housekeeping_run(struct group_commit *g);

#endif
