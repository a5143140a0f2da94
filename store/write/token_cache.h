/* The writer's cache of tokens: token row, plan and usage row. Works like
 * store/write/thing_cache.h. A token that does not exist has an entry, too, so that a flood
 * of requests for an unknown one costs no reads. Writer's thread only. */
#ifndef CONFAB_STORE_WRITE_TOKEN_CACHE_H
#define CONFAB_STORE_WRITE_TOKEN_CACHE_H

#include <sys/queue.h>

#include "base/name_hash.h"
#include "store/env/env.h"
#include "store/write/settings.h"

#define TOKEN_CACHE_ENTRIES 16384

struct token {
    bool exists;
    bool implied; /* open mode created it; it is valid only there */
    bool dirty;   /* usage changed, or the token row was written */
    bool named;   /* a tenant that needs keys */
    int64_t revoked_us, suspended_us; /* 0: it is not */
    uint64_t since_id;                /* as in its row */
    const struct plan *plan;          /* what applies now; never NULL */
    struct plan *own; /* that plan, if it has own limits; else NULL */
    char plan_name[CONFIG_NAME_MAX]; /* as in its row; empty: it is too long */
    struct usage_row usage;
    /* Events that were published since then; of this process, not stored. */
    int64_t events_since_us;
    uint64_t events;
    UT_hash_handle hh;
    TAILQ_ENTRY(token) age;
    STAILQ_ENTRY(token) change;
    size_t name_len;
    char name[TOKEN_MAX];
};

struct token_cache {
    const struct settings *settings;
    struct token *by_name;
    TAILQ_HEAD(token_ages, token) by_age;
    STAILQ_HEAD(token_changes, token) changed;
    size_t entries;
    uint64_t generation; /* grows when an entry is forgotten; from 1 */
    bool own_retention;  /* some token had own limits of what it keeps */
    unsigned told;       /* missing plans that have been logged so far */
    char told_names[16][CONFIG_NAME_MAX];
};

/* `settings` is borrowed; call token_cache_settings_changed() after it changed. */
void token_cache_init(struct token_cache *c, const struct settings *settings);
void token_cache_release(struct token_cache *c);
void token_cache_settings_changed(struct token_cache *c);

/* `name` must be token_valid(), or ACCOUNT_NOBODY (store/write/account.h). One that does not exist gets exists = false
 * and the plan it would come into being with. A plan that the configuration no
 * longer has is replaced by tokens.default_plan, which is logged once. The
 * pointer is valid until token_cache_committed() or _aborted(). */
enum store_err token_cache_get(struct token_cache *c, struct store_env *e,
                               MDB_txn *txn, struct slice name,
                               struct token **ret_token);

/* Marks an entry as used that was found by other means than token_cache_get(). */
void token_cache_used(struct token_cache *c, struct token *t);

void token_changed(struct token_cache *c, struct token *t);

/* Writes the token row and copies it into the entry. `plan` must exist. */
enum store_err token_put(struct token_cache *c, struct store_env *e,
                         MDB_txn *txn, struct buffer *row, struct token *t,
                         const struct token_row *value);

/* The row was deleted; the usage row is deleted with the next flush. */
void token_removed(struct token_cache *c, struct token *t);

enum store_err token_cache_flush(struct token_cache *c, struct store_env *e,
                                 MDB_txn *txn, struct buffer *row);
void token_cache_committed(struct token_cache *c);
void token_cache_aborted(struct token_cache *c);

#endif
