/* The writer's cache of things: their rows as the open transaction will leave them. A row is
 * written once per commit, however many messages came.
 *
 * Least recently used entries are dropped first; entries changed since the last commit stay
 * until thing_cache_committed() or _aborted(). Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_THING_CACHE_H
#define CONFAB_STORE_WRITE_THING_CACHE_H

#include <sys/queue.h>

#include "base/name_hash.h"
#include "store/env/env.h"

#define THING_CACHE_ENTRIES 65536
#define THING_CACHE_BYTES (64u << 20) /* names may have 65,535 bytes */

struct token;

struct thing {
    struct thing_state state; /* row.topic is the name below */
    uint64_t keep;            /* plan's retention_count; 0: all */
    uint64_t retained_id;     /* of the retained message; 0: none */
    bool retained_known;      /* retained_id was looked up */
    bool pending;             /* has a row in `trims` */
    bool pending_known;       /* pending was looked up */
    bool dirty;
    uint16_t token_len;  /* bytes of the token; 0: no <token>/<thing> */
    struct token *token; /* its token's entry, valid while the token cache has
                            `token_generation`; see transaction_token_of() */
    uint64_t token_generation;
    UT_hash_handle hh;
    TAILQ_ENTRY(thing) age;
    STAILQ_ENTRY(thing) change;
    size_t name_len;
    char name[];
};

STAILQ_HEAD(thing_changes, thing);

/* The entries found last, by a cheap hash of their names. Most topics are published to again
 * soon, and SipHash would be a tenth of what their message costs here. A client that picks
 * names which collide only gets SipHash back. */
#define THING_CACHE_RECENT 1024

struct thing_cache {
    struct thing *by_name;
    struct thing *recent[THING_CACHE_RECENT];
    TAILQ_HEAD(thing_ages, thing) by_age; /* most recently used first */
    struct thing_changes changed;
    size_t entries, bytes;
};

void thing_cache_init(struct thing_cache *c);
void thing_cache_release(struct thing_cache *c);

/* The entry of `topic`, read inside `txn` if it is not in memory. A topic that was never
 * written to gets one with state.row.last_seq = 0. The pointer is valid until
 * thing_cache_committed() or _aborted(). STORE_CORRUPT: its row cannot be read. */
enum store_err thing_cache_get(struct thing_cache *c, struct store_env *e,
                               MDB_txn *txn, struct slice topic,
                               struct thing **ret_thing);

/* Call it when the row, or what is known about it, changed in the open transaction. */
void thing_changed(struct thing_cache *c, struct thing *thing);

/* The row shall be deleted: as if it had never been written to. */
void thing_removed(struct thing_cache *c, struct thing *thing);

/* Writes the changed rows and deletes those of removed things; `row` is scratch. */
enum store_err thing_cache_flush(struct thing_cache *c, struct store_env *e,
                                 MDB_txn *txn, struct buffer *row);
void thing_cache_committed(struct thing_cache *c);
void thing_cache_aborted(struct thing_cache *c); /* forgets what changed */

static inline struct slice thing_topic(const struct thing *t)
{
    return slice_of(t->name, t->name_len);
}

static inline struct slice thing_token(const struct thing *t)
{
    return slice_of(t->name, t->token_len);
}

#endif
