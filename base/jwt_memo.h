/* Who JWTs were that have been verified, so that one that comes with each request is
 * verified once: a signature costs up to 300 µs, finding it here some µs.
 *
 *     (tenant, its settings about JWTs, token) ─hash─→ caller, from when, until when
 *
 * What is not here is verified, so forgetting costs time and nothing else; what does
 * not hold is never remembered.
 *
 * Never more than verifying would say: the name of an entry is a hash of all that the
 * verdict follows from but the clock and the plan, and those two are looked at each time.
 * So another key, audience or `jwt.require_exp` makes another name in the snapshot that
 * has it, and the tenant's entries of before are forgotten. Whether the tenant may be
 * used at all is not known here: ask the store each time.
 *
 * Neither tokens nor keys are kept: names are BLAKE2b-256 with a random key of this
 * table, which tell nothing to who reads the memory of it.
 *
 * Bounds: entries, and bytes with the callers that they hold. When there is no room the
 * tenant that takes most of it, within a factor of two, loses the entry that was not
 * used for longest; so who sends many tokens loses its own ones. An entry whose token
 * has ended is forgotten when it is asked for or when room is needed.
 *
 * Threads:  any, after sodium_init(). A mutex for each look-up; hashing is outside.
 * Logging:  none. */
#ifndef CONFAB_BASE_JWT_MEMO_H
#define CONFAB_BASE_JWT_MEMO_H

#include <stddef.h>
#include <stdint.h>

#include "base/callers.h"

/* Of a process: the broker has a table, and so has the bridge. */
#define JWT_MEMO_ENTRIES 16384
#define JWT_MEMO_BYTES ((size_t)16 << 20)

#define JWT_MEMO_HASH_BYTES 32

struct jwt_memo;
struct plan;

/* NULL: out of memory. */
struct jwt_memo *jwt_memo_new(size_t entries_max, size_t bytes_max);
/* Before the callers it holds: callers_free(). NULL is fine. */
void jwt_memo_free(struct jwt_memo *m);

struct jwt_memo_name {
    unsigned char rules[JWT_MEMO_HASH_BYTES]; /* tenant and settings */
    unsigned char token[JWT_MEMO_HASH_BYTES]; /* these and the token */
};

/* rules: the values of `count` settings, always in the same order. */
void jwt_memo_name(const struct jwt_memo *m, struct slice tenant,
                   const struct slice *rules, size_t count, struct slice token,
                   struct jwt_memo_name *ret_name);

/* The caller of a token that holds at now_us (since 1970) and has this plan, to be given
 * back with caller_unref(). NULL: verify it. */
const struct caller *jwt_memo_find(struct jwt_memo *m, struct slice tenant,
                                   const struct jwt_memo_name *name,
                                   const struct plan *plan, int64_t now_us);

/* Remembers a token that was just verified. `caller` comes from caller_share(), and ends
 * when it says (expires_us). from_us: it holds from then on. Without memory, or if it is
 * too large, nothing is remembered. */
void jwt_memo_add(struct jwt_memo *m, const struct jwt_memo_name *name,
                  const struct caller *caller, int64_t from_us);

/* Forgets all of a tenant: it is gone or suspended. */
void jwt_memo_forget(struct jwt_memo *m, struct slice tenant);

struct jwt_memo_figures {
    size_t entries, bytes;
    uint64_t found, missed; /* by jwt_memo_find() */
};
void jwt_memo_figures(struct jwt_memo *m,
                      struct jwt_memo_figures *ret_figures);

#endif
