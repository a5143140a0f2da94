/* A command: every change of the store is one. A broker worker or the command line makes
 * it, the writer's thread decides and applies it (store/write/writer.h), and answers it
 * after the commit. */
#ifndef CONFAB_STORE_COMMAND_H
#define CONFAB_STORE_COMMAND_H

#include <sys/queue.h>

#include "base/slice.h"
#include "store/message.h"

#define OPERATION_MAX 64    /* bytes of an operation id */
#define IDEMPOTENCY_MAX 256 /* of an Idempotency-Key */

/* X(name, status, text). status is the HTTP status; MQTT's reason code follows from it
 * (broker/publish/publish.c). Add at the end: entries of the log contain the numbers.
 * Administrators get the name as well: {"refused":"EXISTS"}. */
#define COMMAND_RESULTS(X)                                                    \
    X(OK, 200, "done")                                                        \
    X(INVALID, 400, "malformed command")                                      \
    X(UNKNOWN_TOKEN, 401, "unknown token")                                    \
    X(REVOKED, 401, "token was revoked")                                      \
    X(NOT_FOUND, 404, "no such entry")                                        \
    X(EXISTS, 409, "exists already")                                          \
    X(TOO_LARGE, 413,                                                         \
      "payload larger than the token's plan, or an event, "                   \
      "allows")                                                               \
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
    X(STOPPED, 503, "server is shutting down")                                \
    X(SUSPENDED, 403, "the tenant is suspended")                              \
    X(GONE, 410, "the message was deleted")                                   \
    X(BANNED, 403, "the user is banned from the room")                        \
    X(SLOW_MODE, 429, "the room has slow mode: wait before the next message")

enum command_result {
#define X(name, status, text) RESULT_##name,
    COMMAND_RESULTS(X)
#undef X
};
enum {
#define X(name, status, text) +1
    RESULT_COUNT = 0 COMMAND_RESULTS(X)
#undef X
};
int command_status(enum command_result r);
const char *command_text(enum command_result r);
const char *command_result_name(enum command_result r); /* "EXISTS" */

/* X(kind, name). Each command is a `struct command_type NAME_command` in
 * store/commands/ and a row here. Its arguments are a struct of their own, in the header
 * in store/command/ that says what the command does. */
#define COMMAND_KINDS(X)                                                      \
    X(APPEND, message_append)                                                 \
    X(EVENT, event)                                                           \
    X(EDIT, message_edit)                                                     \
    X(DELETE, message_delete)                                                 \
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
    X(TENANT_CREATE, tenant_create)                                           \
    X(TENANT_SET, tenant_set)                                                 \
    X(TENANT_SUSPEND, tenant_suspend)                                         \
    X(KEY_CREATE, key_create)                                                 \
    X(KEY_REVOKE, key_revoke)                                                 \
    X(KEY_ROTATE, key_rotate)                                                 \
    X(TICKET_TAKE, ticket_take)                                               \
    X(KEYS_USED, keys_used)                                                   \
    X(USER_PUT, user_put)                                                     \
    X(USER_DELETE, user_delete)                                               \
    X(ROOM_PUT, room_put)                                                     \
    X(ROOM_DELETE, room_delete)                                               \
    X(MEMBER_PUT, member_put)                                                 \
    X(MEMBER_DELETE, member_delete)                                           \
    X(BAN, ban)                                                               \
    X(UNBAN, unban)                                                           \
    X(WEBHOOK_SAVE, webhook_save)                                             \
    X(WEBHOOK_RETRY, webhook_retry)                                           \
    /* What the writer proposes by itself (store/command/upkeep.h): */        \
    X(SETTINGS, settings)                                                     \
    X(CLOCK_STEPS, clock_steps)       /* the clock was set back */            \
    X(SESSION_LOST, session_lost)     /* its process was killed */            \
    X(SESSION_EXPIRE, session_expire) /* it is over: removes some rows */     \
    X(HIDDEN_DELETE, hidden_delete)   /* some of what trims have hidden */    \
    X(ERASE_STEP, erase_step)                                                 \
    X(ANSWERS_FORGET, answers_forget) /* operation ids, Idempotency-Keys */   \
    X(KEYS_EXPIRE, keys_expire)       /* removes those that have expired */   \
    X(BANS_EXPIRE, bans_expire)       /* the same */

enum command_kind {
#define X(kind, name) COMMAND_##kind,
    COMMAND_KINDS(X)
#undef X
        COMMAND_KIND_COUNT
};
const char *command_kind_name(enum command_kind kind); /* "message_append" */

/* The table that the writer is given (struct writer_opts), by kind. */
struct command_type; /* store/write/command_type.h */
extern const struct command_type *const command_types[COMMAND_KIND_COUNT];

/* The submitter makes it. It belongs to the writer from writer_submit() until `done` is
 * called (in the writer's thread, exactly once, after the commit), then to the submitter
 * again. Usually embedded in a larger struct. `done` may submit it again.
 *
 * Checks, in this order: malformed; done before, by operation id; token revoked or
 * unknown; done before, by Idempotency-Key; size, hourly window, things and bytes of the
 * plan; the token's share of the store; space and disk. A refusal changes nothing and
 * uses no number. */
struct command {
    enum command_kind kind;
    void *
        args; /* the kind's struct, which may also have results; NULL: the kind
                   has none. Borrowed until done; the writer changes nothing but
                   those results */
    struct message *message; /* APPEND (kind MESSAGE), EVENT (kind EVENT): the
                                submitter keeps its reference; nobody else reads
                                it before done() */
    int64_t now_us;          /* the submitter's clock */
    struct slice operation; /* operation id, ≤ 64 bytes; empty: none. For kinds
                                that say so; the others may be repeated */
    struct slice idempotency; /* ≤ 256 bytes; valid per topic; empty: none */
    /* Adjacent commands of one commit with the same function are answered by one
     * call, n of them (≥ 1) in order; c[] is borrowed. */
    void (*done)(struct command **c, size_t n);
    void *owner; /* the submitter's; the writer does not use it */

    /* results, valid from done() on */
    enum command_result result;
    bool repeated;      /* this is the answer to an earlier request */
    uint64_t id, seq;   /* APPEND; if repeated, of the earlier request */
    int64_t at_us;      /* BANNED, SLOW_MODE: when it would be accepted; 0:
                           never */
    uint64_t remaining; /* APPEND, USAGE: writes left; UINT64_MAX: no limit;
                                0 for a token that is unknown or revoked */
    uint32_t retry_after_s; /* RATE: until the window ends, ≥ 1; BANNED,
                               SLOW_MODE: until at_us, ≥ 1 */
    uint64_t removed;       /* messages; if repeated, by the earlier request */
    bool more; /* something is left; the writer goes on by itself, and with the
                         next such command */

    STAILQ_ENTRY(command)
    entry; /* the writer's; before that, in a command_list */
};

STAILQ_HEAD(command_list, command);

/* Encodes what administrators send to `$confab/<name>`: a msgpack map of those fields of
 * the command that clients may set (store/commands/codec.h). Appends to `b`; the caller
 * checks buffer_ok(). Not for APPEND and EVENT. */
struct buffer;
void command_encode(struct buffer *b, const struct command *c);
/* What administrators are answered once the command is done, whoever submitted it: a JSON
 * object. `refused` is the result's name; if it is OK, the members of the command's type
 * (struct command_type) are in it. */
void command_answer(struct buffer *b, const struct command *c);

#endif
