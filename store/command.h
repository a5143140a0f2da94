/* What changes the store: a command, made by a broker worker or the command line,
 * decided and applied by the writer's thread (store/write/writer.h), answered
 * after the commit. */
#ifndef CONFAB_STORE_COMMAND_H
#define CONFAB_STORE_COMMAND_H

#include <sys/queue.h>

#include "base/slice.h"
#include "store/message.h"

#define OPERATION_MAX 64    /* bytes of an operation id */
#define IDEMPOTENCY_MAX 256 /* of an Idempotency-Key */

/* X(name, status, text): status is what HTTP would say; MQTT's reason code follows
 * from it (broker/publish/publish.c). New ones go to the end: entries of the log hold
 * their numbers. Administrators get the name, too: {"refused":"EXISTS"}. */
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
const char *command_result_name(enum command_result r); /* "EXISTS" */

/* X(kind, name): a command is a `struct command_type NAME_command` in
 * store/commands/ and a row here. What it takes is a struct of its own in
 * store/command/, in the header of what it is about; there is also what it does. */
#define COMMAND_KINDS(X)                                                      \
    X(APPEND, message_append)                                                 \
    X(EVENT, event)                                                           \
    X(TOKEN_CREATE, token_create)                                             \
    X(TOKEN_REVOKE, token_revoke)                                             \
    X(USAGE, usage)                                                           \
    X(PING,                                                                   \
      ping) /* a real write: a row in meta; OK: it was committed and    \
                     appends are accepted, FULL or IO: they are not */     \
    X(TRIM, trim)                                                             \
    X(SESSION_OPEN, session_open)                                             \
    X(SESSION_SAVE, session_save)                                             \
    X(GROUP_SAVE, group_save)                                                 \
    X(TOKEN_SET, token_set)                                                   \
    X(TOKEN_DELETE, token_delete)                                             \
    X(THING_PURGE, thing_purge)                                               \
    /* What the writer proposes by itself (store/command/upkeep.h): */        \
    X(SETTINGS, settings)                                                     \
    X(CLOCK_STEPS, clock_steps)       /* the clock was set back */            \
    X(SESSION_LOST, session_lost)     /* its process was killed */            \
    X(SESSION_EXPIRE, session_expire) /* it is over: removes some rows */     \
    X(HIDDEN_DELETE, hidden_delete)   /* some of what trims have hidden */    \
    X(ERASE_STEP, erase_step)                                                 \
    X(ANSWERS_FORGET, answers_forget) /* operation ids, Idempotency-Keys */

enum command_kind {
#define X(kind, name) COMMAND_##kind,
    COMMAND_KINDS(X)
#undef X
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
    void *args; /* the kind's struct; it may have results of its own, too. The
                   submitter's, untouched by the writer but for those; borrowed
                   until done. NULL: the kind takes none */
    struct message *message; /* APPEND (kind MESSAGE), EVENT (kind EVENT): a
                                reference the submitter keeps; nobody else
                                reads it before done() */
    int64_t now_us;          /* the submitter's clock */
    struct slice operation; /* operation id, ≤ 64 bytes; empty: none. For kinds
                                that say so; the others may be done twice */
    struct slice
        idempotency; /* ≤ 256 bytes; scoped to the topic; empty: none */
    /* Commands of one commit that follow each other and share this function
     * come together, n of them (≥ 1) in order; c[] is borrowed. */
    void (*done)(struct command **c, size_t n);
    void *owner; /* the submitter's, untouched */

    /* results, valid from done() on */
    enum command_result result;
    bool repeated;    /* answered from an earlier result */
    uint64_t id, seq; /* APPEND; of the first time when repeated */
    int64_t at_us;
    uint64_t remaining; /* APPEND, USAGE: writes left; UINT64_MAX: no limit;
                                0 for a token that is unknown or revoked */
    uint32_t retry_after_s; /* RATE: until the window ends, ≥ 1 */
    uint64_t removed;       /* messages; of the first time when repeated */
    bool more; /* not all of it yet; the writer goes on by itself, and with
                         the next such command */

    STAILQ_ENTRY(command) entry; /* the writer's; before, in a command_list */
};

STAILQ_HEAD(command_list, command);

/* What administrators send to `$confab/<name>`: a msgpack map of the command's
 * fields that they may say (store/commands/codec.h). Appends to `b`; the caller
 * looks at buffer_ok(). Of commands that are no messages. */
struct buffer;
void command_encode(struct buffer *b, const struct command *c);

#endif
