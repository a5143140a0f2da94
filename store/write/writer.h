/* The one thread that writes. It takes every command that waits (bounded by
 * count and bytes), applies them in one transaction, commits once (two
 * flushes), and only then reports results and offers the batch.
 *
 * Commands validate by reads first, then write, and are pure functions of
 * (transaction, command): times, random ids and hashes arrive inside. Limits
 * of the token's plan, space and time are decided here, before numbering. */
#ifndef CONFAB_STORE_WRITE_WRITER_H
#define CONFAB_STORE_WRITE_WRITER_H

#include "base/config.h"
#include "store/batch.h"
#include "store/command.h"
#include "store/store.h"

struct admission; /* store/write/admission.h */
struct writer;

struct writer_opts {
    const struct config *config; /* plans, access; borrowed for life */
    const struct command_type *const *commands; /* command_types, as a rule */
    /* Writer's thread, after the commit and after the done() calls of it;
     * `b` is borrowed: take a reference to keep it. Must not block. */
    void (*on_batch)(void *arg, struct batch *b);
    /* Each command that is about to be applied, those that the writer proposes by
     * itself too, in order: the log of commands. Also those of an attempt that
     * then fails and is made again. NULL: nobody keeps it. */
    void (*on_entry)(void *arg, const struct admission *in,
                     const struct command *c);
    void *arg;
    size_t queue_bound; /* commands waiting; 0: 65536 */
    /* Real time, µs since 1970, asked once per transaction by the writer's
     * thread; NULL: clock_real_us(). For tests that own the clock. */
    int64_t (*now_us)(void);
};

/* Starts the thread. `st` not read_only; close it after writer_free(). */
enum store_err writer_start(struct store *st, const struct writer_opts *opts,
                            struct writer **ret_writer);

/* Any thread, never blocks. false: queue full (submitters bound what they have
 * under way by credits, so this means a bug or a flood): c stays the caller's. */
bool writer_submit(struct writer *w, struct command *c);

/* The same for `count` commands, in order, under one lock and with one wake-up:
 * what fits is taken off the list; returns how many that were. */
size_t writer_submit_all(struct writer *w, struct command_list *list,
                         size_t count);

/* Commits what waits, answers everything, joins the thread; once. Commands
 * submitted from now on are answered STOPPED, by calling done() within
 * writer_submit() or writer_submit_all(). */
void writer_stop(struct writer *w);
/* After writer_stop(), when nobody can submit any more. NULL is fine. */
void writer_free(struct writer *w);

/* Whether its thread has got on since the last call, waits for commands, or is in
 * a commit, which may take long: for a watchdog. One thread, now and then. */
bool writer_is_alive(struct writer *w);

/* Any thread; for /health and status. */
struct writer_stats {
    int64_t last_commit_us; /* real time; 0: none since start */
    bool accepting;         /* appends are not refused for space or I/O */
    uint64_t commits, appended, events, refused, trimmed;
    uint64_t sessions_expired; /* and removed, or their token was revoked */
    uint64_t commit_p50_us, commit_p99_us; /* of the last 1024 commits */
};
void writer_stats(struct writer *w, struct writer_stats *ret_stats);

/* What it has in hand at this moment. Any thread. */
struct writer_load {
    size_t queued; /* submitted and not answered */
    size_t bound;  /* most that may be */
    bool sleeping; /* for want of commands */
    bool committing;
};
void writer_load(struct writer *w, struct writer_load *ret_load);

#endif
