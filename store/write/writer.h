/* The one thread that writes. It takes every command that waits (bounded by
 * count and bytes), applies them in one transaction, commits once (two
 * flushes), and only then reports results and offers the batch.
 *
 * Commands validate by reads first, then write, and are pure functions of
 * (transaction, command): times, random ids and hashes arrive inside. Limits
 * of the token's plan, space and time are decided here, before numbering. */
#ifndef CONFAB_STORE_WRITE_WRITER_H
#define CONFAB_STORE_WRITE_WRITER_H

#include <sys/queue.h>

#include "base/config.h"
#include "store/session.h"
#include "store/store.h"

/* X(name, status, text): status is what HTTP would say. */
#define COMMAND_RESULTS(X)                                                    \
    X(OK, 200, "done")                                                        \
    X(INVALID, 400, "malformed command")                                      \
    X(UNKNOWN_TOKEN, 401, "unknown token")                                    \
    X(REVOKED, 401, "token was revoked")                                      \
    X(NOT_FOUND, 404, "no such entry")                                        \
    X(EXISTS, 409, "exists already")                                          \
    X(TOO_LARGE, 413, "payload larger than the token's plan allows")          \
    X(RATE, 429, "hourly write limit of the token's plan reached")            \
    X(THINGS, 429, "the token's plan allows no more things (things_max)")     \
    X(BYTES, 507, "the token's plan allows no more stored bytes (bytes_max)") \
    X(SESSIONS, 429,                                                          \
      "the token's plan allows no more stored sessions (sessions_max)")       \
    X(SESSION_BYTES, 507,                                                     \
      "the token's plan allows its sessions no more bytes "                   \
      "(session_bytes_max)")                                                  \
    X(SHARE, 507,                                                             \
      "the token holds its share of the store (limits.token_share): trim or " \
      "delete some of it")                                                    \
    X(FULL, 507, "storage full: retry later")                                 \
    X(IO, 507, "disk refused the write: retry later")                         \
    X(STOPPED, 503, "server is shutting down")

enum command_result {
#define X(name, status, text) RESULT_##name,
    COMMAND_RESULTS(X)
#undef X
};
int command_status(enum command_result r);
const char *command_text(enum command_result r);

enum command_kind {
    COMMAND_APPEND,       /* message: store, number, fan out */
    COMMAND_EVENT,        /* message: fan out only, in order with the stored */
    COMMAND_TOKEN_CREATE, /* token, plan, now_us */
    COMMAND_TOKEN_REVOKE, /* token, now_us; offers a `revoked` event */
    COMMAND_USAGE,        /* token, window_start_us, reads */
    COMMAND_PING, /* a real write: a row in meta; OK: it was committed and
                             appends are accepted, FULL or IO: they are not */
    COMMAND_TRIM, /* topic, through: retention on demand */
    COMMAND_SESSION_OPEN, /* open, token; see store/session.h */
    COMMAND_SESSION_SAVE, /* save */
    COMMAND_GROUP_SAVE,   /* group */
    COMMAND_TOKEN_SET,    /* token, plan: changes the plan */
    COMMAND_TOKEN_DELETE, /* token, now_us; revokes it, then removes a part of
                             what is stored under it, at last itself; see
                             store/write/erase.h */
    COMMAND_THING_PURGE   /* topic: removes a part of the messages it has now,
                             at last, when none came since, the thing */
};

/* Made by the submitter, the writer's from writer_submit() until `done` is
 * called (in the writer's thread, exactly once, after the commit), then the
 * submitter's again. Typically embedded in a larger struct. It may be submitted
 * anew from within `done`.
 *
 * What is checked, in this order: malformed; done before by operation id;
 * revoked or unknown token; done before by Idempotency-Key; size, hourly window,
 * things and bytes of the plan; the token's share of the store; space and disk. A refusal changes nothing and
 * uses no number. */
struct command {
    enum command_kind kind;
    struct message *message; /* APPEND (kind MESSAGE), EVENT (kind EVENT): a
                                reference the submitter keeps; nobody else
                                reads it before done() */
    struct slice token;      /* TOKEN_*, USAGE; borrowed until done */
    struct slice plan;
    struct slice topic; /* TRIM */
    uint64_t through;
    uint64_t reads;
    int64_t window_start_us; /* USAGE, and APPEND from the bridge: the token's
                                window as it knows it; 0: none */
    int64_t now_us;          /* the submitter's clock */
    struct slice
        operation; /* operation id, ≤ 64 bytes; empty: none. Of APPEND,
                                TOKEN_CREATE and TRIM; the others may be done
                                twice */
    struct slice
        idempotency; /* ≤ 256 bytes; scoped to the topic; empty: none */
    bool uncharged;  /* nameless client in open mode: no limit of the
                                plan holds; things and bytes are counted */
    struct session_open *open;       /* SESSION_OPEN */
    const struct session_save *save; /* SESSION_SAVE */
    const struct group_save *group;  /* GROUP_SAVE */
    struct session_mark mark;        /* APPEND */
    /* Commands of one commit that follow each other and share this function
     * come together, n of them (≥ 1) in order; c[] is borrowed. */
    void (*done)(struct command **c, size_t n);
    void *owner; /* the submitter's, untouched */

    /* results, valid from done() on */
    enum command_result result;
    bool repeated;    /* answered from an earlier result; TOKEN_REVOKE:
                                was revoked already */
    uint64_t id, seq; /* APPEND; of the first time when repeated */
    int64_t at_us;
    uint64_t remaining; /* APPEND, USAGE: writes left; UINT64_MAX: no limit;
                                0 for a token that is unknown or revoked */
    uint32_t retry_after_s; /* RATE: until the window ends, ≥ 1 */
    uint64_t removed; /* TRIM; of the first time when repeated. TOKEN_DELETE
                               and THING_PURGE: messages this command removed */
    bool more; /* TOKEN_DELETE, THING_PURGE: not all of it yet; the writer goes
                  on by itself, and with the next such command */

    STAILQ_ENTRY(command) entry; /* the writer's; before, in a command_list */
};

STAILQ_HEAD(command_list, command);

/* What became durable in one commit, in order: stored messages with growing
 * ids and events between them. Reference counted, atomically; immutable. */
struct batch {
    atomic_uint refs;
    uint64_t head; /* last id of the log after this batch */
    size_t count;
    size_t events; /* how many of the messages are events, not stored */
    size_t bytes;  /* the messages take in memory */
    struct message *messages[]; /* a reference each */
};
void batch_ref(struct batch *b);
void batch_unref(struct batch *b);

struct writer;

struct writer_opts {
    const struct config *config; /* plans, access; borrowed for life */
    /* Writer's thread, after the commit and after the done() calls of it;
     * `b` is borrowed: take a reference to keep it. Must not block. */
    void (*on_batch)(void *arg, struct batch *b);
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

#endif
