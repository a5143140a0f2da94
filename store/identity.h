/* Who a secret or a JWT is (docs/design/2026-11-30-directory.md, "Who calls"): the
 * one place where keys become callers, for the broker and the bridge alike.
 *
 *     secret of a key ─┐
 *     ticket ──────────┼─→ row, tenant, plan, rights ─→ shared caller, or why not
 *     tenant and JWT ──┘
 *
 * What a caller then may do: caller_may() (base/caller.h). Whether the tenant is the
 * one that was named elsewhere, in a user name or path, is for whoever asks to
 * compare; so is the end of a key that comes later (caller.expires_us, and the event
 * key_revoked of caller.key).
 *
 * Threads:  any, after sodium_init(). Does not block. A key takes some µs, a JWT up
 *           to 300 µs the first time, some µs while it is remembered.
 * Logging:  none. No text contains anything of what was sent. */
#ifndef CONFAB_STORE_IDENTITY_H
#define CONFAB_STORE_IDENTITY_H

#include "base/callers.h"
#include "base/config.h"
#include "base/jwt_memo.h"
#include "store/directory.h"

/* caller.key of those who came with a JWT: no key id. */
#define IDENTITY_KEY_OF_JWT "jwt"

struct identity_source {
    struct callers *callers;     /* which shares what is made */
    struct jwt_memo *jwts;       /* verified before; NULL: none */
    const struct config *config; /* its plans */
    struct store_reader *reader; /* with a snapshot */
    int64_t now_us;              /* since 1970 */
    /* Called when a key has let somebody in whose row does not say that it was used
     * within KEY_USED_EVERY_US; the hash is valid during the call. It asks the writer
     * to save that (COMMAND_KEYS_USED), at once or later. NULL: nobody does. */
    void (*on_key_used)(void *arg,
                        const unsigned char hash[SECRET_HASH_BYTES]);
    void *on_key_used_arg;
};

/* X(name, text). The texts are for whoever calls. */
#define IDENTITY_ERRORS(X)                                                    \
    X(OK, "success")                                                          \
    X(KEY, "unknown or revoked key: create another one with "                 \
           "confab key create")                                               \
    X(EXPIRED, "the key has expired: create another one with "                \
               "confab key create")                                           \
    X(TICKET, "a ticket can only be used once, as ?key= of a request: use a " \
              "key here")                                                     \
    X(NO_TICKET, "only a ticket may be in an address, because addresses are " \
                 "logged: send the key as `Authorization: Bearer`")           \
    X(TICKET_GONE, "unknown ticket: it was used, has expired, or the key "    \
                   "that it was made with is gone")                           \
    X(TENANT, "there is no such tenant")                                      \
    X(TENANT_REVOKED, "the tenant was revoked")                               \
    X(TENANT_SUSPENDED, "this tenant is suspended: ask who runs the server")  \
    X(JWT, "the JWT does not hold")                                           \
    X(JWT_KEYS, "the tenant takes no JWTs: give it a key that checks them "   \
                "with confab tenant set")                                     \
    X(JWT_TENANT, "the JWT's `tenant` is another one")                        \
    X(JWT_RIGHTS, "the JWT has no rights: its claim `confab` must have "      \
                  "`publish`, `subscribe`, `manage` or `admin`")              \
    X(STORE, "the store cannot be read: retry later")                         \
    X(NOMEM, "out of memory: retry later")

enum identity_error {
#define X(name, text) IDENTITY_##name,
    IDENTITY_ERRORS(X)
#undef X
};

struct identity_refusal {
    enum identity_error error;
    /* Static; of IDENTITY_JWT that of jwt_refusal_text() (base/jwt.h). */
    const char *text;
};

/* Each returns a caller of caller_share(), to be given back with caller_unref(); or
 * NULL, and *ret_refusal says why. Arguments are borrowed for the call. */

/* Whose key has this secret (secret_parse() says that it looks like one). KEY,
 * EXPIRED, TICKET; TENANT_…, STORE, NOMEM. A key without rights in its row may
 * publish and subscribe to all of its tenant. */
const struct caller *identity_of_key(const struct identity_source *from,
                                     struct slice secret,
                                     struct identity_refusal *ret_refusal);

/* The same for what was in `?key=`: NO_TICKET, TICKET_GONE; TENANT_…, STORE, NOMEM.
 * The ticket is not used up by that: submit COMMAND_TICKET_TAKE with *ret_hash, and
 * let the caller in only if that says RESULT_OK, so that of two who ask at the same
 * time one is refused. The caller ends with the key that the ticket was made with,
 * whose id and end it has. */
const struct caller *identity_of_ticket(
    const struct identity_source *from, struct slice secret,
    unsigned char ret_hash[SECRET_HASH_BYTES],
    struct identity_refusal *ret_refusal);

/* Whom the tenant's JWT names: `sub` is the user, rights and mount are those of the
 * claim `confab`, without which it has none and is refused. It ends with `exp` (and
 * JWT_SKEW_US). JWT, JWT_KEYS, JWT_TENANT, JWT_RIGHTS; TENANT_…, STORE, NOMEM. */
const struct caller *identity_of_jwt(const struct identity_source *from,
                                     struct slice tenant, struct slice jwt,
                                     struct identity_refusal *ret_refusal);

#endif
