/* The one thread that writes. It takes all commands that wait (up to a number and a size),
 * applies them in one transaction, commits once (two flushes), and only then reports
 * results and offers the batch.
 *
 * Commands first check by reading, then write. They are pure functions of (transaction,
 * command): times, random ids and hashes are inside them. Limits of the token's plan,
 * space and time are decided here, before numbering. */
#ifndef CONFAB_STORE_WRITE_WRITER_H
#define CONFAB_STORE_WRITE_WRITER_H

#include "base/config.h"
#include "store/batch.h"
#include "store/command.h"
#include "store/store.h"

struct admission; /* store/write/admission.h */
struct writer;

struct writer_opts {
    const struct config *config; /* plans, access; borrowed while it runs */
    const struct command_type *const *commands; /* usually command_types */
    /* Called in the writer's thread, after the commit and its done() calls. `b` is
     * borrowed: take a reference to keep it. Must not block. */
    void (*on_batch)(void *arg, struct batch *b);
    /* Called for each command before it is applied, in order, including those that the
     * writer proposes by itself: this is the log of commands. If an attempt fails and
     * is repeated, its commands come again. May be NULL. */
    void (*on_entry)(void *arg, const struct admission *in,
                     const struct command *c);
    void *arg;
    size_t queue_bound; /* most commands waiting; 0: 65536 */
    /* Real time, µs since 1970; the writer's thread calls it once per transaction.
     * NULL: clock_real_us(). For tests that own the clock. */
    int64_t (*now_us)(void);
};

/* Starts the thread. `st` must not be read_only; close it after writer_free(). */
enum store_err writer_start(struct store *st, const struct writer_opts *opts,
                            struct writer **ret_writer);

/* Any thread, never blocks. false: the queue is full, and c stays the caller's. Credits
 * bound what submitters have in flight, so this means a bug or a flood. */
bool writer_submit(struct writer *w, struct command *c);

/* The same for `count` commands, in order, under one lock and with one wake-up. Takes as
 * many off the list as fit, and returns their number. */
size_t writer_submit_all(struct writer *w, struct command_list *list,
                         size_t count);

/* Commits what waits, answers everything, and joins the thread. Call it once. Commands
 * submitted from now on are answered STOPPED, by done() inside writer_submit() or
 * writer_submit_all(). */
void writer_stop(struct writer *w);
/* Call it after writer_stop(), when nobody can submit any more. NULL is fine. */
void writer_free(struct writer *w);

/* For a watchdog: whether the writer's thread has advanced since the last call, or waits
 * for commands, or is in a commit (which may take long). From one thread only. */
bool writer_is_alive(struct writer *w);

/* Any thread; for /health and status. */
struct writer_stats {
    int64_t last_commit_us; /* real time; 0: none since start */
    bool accepting;         /* appends are not refused for space or I/O */
    uint64_t commits, appended, events, refused, trimmed;
    uint64_t
        sessions_expired; /* removed: expired, or their token was revoked */
    uint64_t commit_p50_us, commit_p99_us; /* of the last 1024 commits */
};
void writer_stats(struct writer *w, struct writer_stats *ret_stats);

/* What it is working on now. Any thread. */
struct writer_load {
    size_t queued; /* submitted and not answered */
    size_t bound;  /* the greatest `queued` allowed */
    bool sleeping; /* because no commands wait */
    bool committing;
};
void writer_load(struct writer *w, struct writer_load *ret_load);

#endif
