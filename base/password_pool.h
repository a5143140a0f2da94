/* Hashes of passwords, made and checked in threads of their own: one takes tens of
 * milliseconds and megabytes on purpose, which no loop and no writer has.
 *
 * The hash is argon2id (RFC 9106) in the text form of libsodium, which contains its
 * costs: `$argon2id$v=19$m=65536,t=2,p=1$…`. Passwords are copied, and wiped when
 * they have been hashed.
 *
 * Memory:   threads × `memory` for the work, and `queue` passwords that wait. A
 *           hash with higher costs than PASSWORD_MEMORY_MAX or PASSWORD_OPS_MAX
 *           is not checked.
 * Threads:  submitting is for any thread and does not block; `done` is called once
 *           for each job that was taken, mostly in a thread of the pool: it posts
 *           the result to its own loop. sodium_init() comes before.
 * Logging:  none. */
#ifndef CONFAB_BASE_PASSWORD_POOL_H
#define CONFAB_BASE_PASSWORD_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define PASSWORD_MAX 1024      /* bytes */
#define PASSWORD_HASH_SIZE 128 /* with its NUL */

/* Costs of new hashes, libsodium's INTERACTIVE: about 0.1 s. */
#define PASSWORD_MEMORY_DEFAULT (64U << 20)
#define PASSWORD_OPS_DEFAULT 2U
#define PASSWORD_MEMORY_MIN (8U << 10)
#define PASSWORD_MEMORY_MAX (256U << 20)
#define PASSWORD_OPS_MIN 1U
#define PASSWORD_OPS_MAX 16U

struct password_costs {
    size_t memory; /* bytes */
    unsigned ops;  /* passes over it */
};

enum password_outcome {
    PASSWORD_HASHED,
    PASSWORD_RIGHT,
    PASSWORD_WRONG,
    PASSWORD_FAILED, /* no memory, or what was stored is no hash */
    PASSWORD_STOPPED /* the pool ends; nothing was done */
};

/* Valid during the call. */
struct password_result {
    enum password_outcome outcome;
    const char *hash; /* of PASSWORD_HASHED, else NULL */
    /* Of PASSWORD_RIGHT: the costs are others now, so hash it again and store
     * that. */
    bool needs_rehash;
};

typedef void password_done(void *arg, const struct password_result *result);

enum password_submit {
    PASSWORD_TAKEN,
    PASSWORD_BUSY, /* the queue is full, or the pool ends: try later (503) */
    PASSWORD_TOO_LONG /* above PASSWORD_MAX; no job */
};

struct password_pool; /* opaque */

/* Starts `threads` (> 0) threads. queue: how many jobs may wait (> 0). NULL: out
 * of memory or threads; nothing is left over. */
struct password_pool *password_pool_new(unsigned threads, size_t queue,
                                        const struct password_costs *costs);
/* Jobs that wait end with PASSWORD_STOPPED, in this thread; then it waits for
 * those that are being done. Further ones are refused as PASSWORD_BUSY. Once. */
void password_pool_stop(struct password_pool *p);
/* After password_pool_stop(), when nobody submits any more; NULL is fine. */
void password_pool_free(struct password_pool *p);

/* Makes the hash of a new password. */
enum password_submit password_pool_hash(struct password_pool *p,
                                        struct slice password,
                                        password_done *done, void *arg);
/* Compares with a hash. Of a user that does not exist `hash` is empty: that takes
 * as long and ends with PASSWORD_WRONG, so that nobody learns who exists. */
enum password_submit password_pool_verify(struct password_pool *p,
                                          struct slice password,
                                          struct slice hash,
                                          password_done *done, void *arg);

/* Jobs that wait; any thread, a snapshot for metrics. */
size_t password_pool_waiting(struct password_pool *p);

#endif
