/* What changes the store: a command, made by a broker worker or the command line,
 * decided and applied by the writer's thread (store/write/writer.h), answered
 * after the commit. */
#ifndef CONFAB_STORE_COMMAND_H
#define CONFAB_STORE_COMMAND_H

#include <sys/queue.h>

#include "store/session.h"

struct clock_steps;   /* store/env/wall_clock.h */
struct repeat_bounds; /* store/write/repeat.h */

#define OPERATION_MAX 64    /* bytes of an operation id */
#define IDEMPOTENCY_MAX 256 /* of an Idempotency-Key */

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
    COMMAND_THING_PURGE,  /* topic: removes a part of the messages it has now,
                             at last, when none came since, the thing */
    /* What the writer proposes by itself, with explicit bounds: */
    COMMAND_SETTINGS,       /* settings: the plans and access that hold now */
    COMMAND_CLOCK_STEPS,    /* steps: the clock was set back */
    COMMAND_SESSION_LOST,   /* mark: its connection ended with the process */
    COMMAND_SESSION_EXPIRE, /* mark: it is over; removes some of its rows */
    COMMAND_HIDDEN_DELETE,  /* deletes some of what trims have hidden */
    COMMAND_ERASE_STEP,     /* topic: goes on removing that thing or token */
    COMMAND_ANSWERS_FORGET, /* forget: operation ids, Idempotency-Keys */
    COMMAND_KIND_COUNT
};

/* What the writer is given to run (struct writer_opts): by kind. */
struct command_type; /* store/write/command_type.h */
extern const struct command_type *const command_types[COMMAND_KIND_COUNT];

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
    struct session_open *open;          /* SESSION_OPEN */
    const struct session_save *save;    /* SESSION_SAVE */
    const struct group_save *group;     /* GROUP_SAVE */
    struct session_mark mark;           /* APPEND, SESSION_LOST, _EXPIRE */
    struct slice settings;              /* SETTINGS: the row of `meta` */
    const struct clock_steps *steps;    /* CLOCK_STEPS */
    const struct repeat_bounds *forget; /* ANSWERS_FORGET */
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

/* What administrators send to `$confab/<name>`: a msgpack map of the command's
 * fields that they may say (store/commands/codec.h). Appends to `b`; the caller
 * looks at buffer_ok(). Of commands that are no messages. */
struct buffer;
void command_encode(struct buffer *b, const struct command *c);

#endif
