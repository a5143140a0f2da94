#include "store/write/token_cache.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/plan_limits.h"

/* The plan of tokens that open mode creates at their first write. */
#define PLAN_IMPLIED "local"

void token_cache_init(struct token_cache *c, const struct settings *settings)
{
    *c = (struct token_cache){.settings = settings, .generation = 1};
    TAILQ_INIT(&c->by_age);
    STAILQ_INIT(&c->changed);
}

static void forget_token(struct token_cache *c, struct token *t)
{
    HASH_DEL(c->by_name, t);
    TAILQ_REMOVE(&c->by_age, t, age);
    c->entries--;
    c->generation++;
    free(t->own);
    free(t);
}

void token_cache_release(struct token_cache *c)
{
    struct token *t;

    STAILQ_INIT(&c->changed);
    while ((t = TAILQ_FIRST(&c->by_age)) != NULL)
        forget_token(c, t);
}

static void tell_missing(struct token_cache *c, struct slice plan)
{
    const unsigned max = sizeof(c->told_names) / sizeof(c->told_names[0]);

    for (unsigned i = 0; i < c->told; i++)
        if (slice_eq(plan, slice_str(c->told_names[i])))
            return;
    /* Too many, or too long to remember: do not log, rather than flood the log. */
    if (c->told == max || plan.len >= CONFIG_NAME_MAX)
        return;
    memcpy(c->told_names[c->told], plan.data, plan.len);
    c->told_names[c->told][plan.len] = '\0';
    log_warn("store",
             "plan %s of some tokens is not configured: plan %s "
             "applies to them",
             c->told_names[c->told], c->settings->default_plan);
    c->told++;
}

/* The plan without own limits. */
static const struct plan *base_plan(struct token_cache *c, struct token *t,
                                    struct slice name)
{
    const size_t len = name.len < sizeof(t->plan_name) ? name.len : 0;

    if (name.data != t->plan_name)
        memcpy(t->plan_name, name.data, len);
    t->plan_name[len] = '\0';
    const struct plan *plan = settings_plan(c->settings, name);
    if (plan != NULL)
        return plan;
    tell_missing(c, name);
    plan = settings_plan(c->settings, slice_str(c->settings->default_plan));
    assert(plan != NULL); /* settings_get() made sure of the default */
    return plan;
}

/* Without own limits. */
static void set_plan(struct token_cache *c, struct token *t, struct slice name)
{
    free(t->own);
    t->own = NULL;
    t->plan = base_plan(c, t, name);
}

static enum store_err set_plan_of(struct token_cache *c, struct token *t,
                                  const struct token_row *row)
{
    struct plan own;

    set_plan(c, t, row->plan);
    if (plan_with_limits(t->plan, row->limits, &own) == t->plan)
        return STORE_OK;
    t->own = malloc(sizeof(own));
    if (t->own == NULL)
        return STORE_NOMEM;
    *t->own = own;
    t->plan = t->own;
    c->own_retention |= own.retention_count != 0 || own.retention_age != 0;
    return STORE_OK;
}

static void set_plan_again(struct token_cache *c, struct token *t)
{
    const struct plan *plan = base_plan(c, t, slice_str(t->plan_name));

    if (t->own == NULL)
        t->plan = plan;
    else
        plan_limits_move(t->own, plan);
}

void token_cache_settings_changed(struct token_cache *c)
{
    struct token *t;

    TAILQ_FOREACH (t, &c->by_age, age)
        set_plan_again(c, t);
}

static enum store_err load_usage(struct token *t, struct store_env *e,
                                 MDB_txn *txn)
{
    MDB_val k = {t->name_len, t->name}, v;
    const int rc = mdb_get(txn, e->db.usage, &k, &v);

    if (rc == MDB_NOTFOUND)
        return STORE_OK;
    if (rc != 0)
        return store_from_mdb(rc);
    return schema_get_usage(v, &t->usage) ? STORE_OK : STORE_CORRUPT;
}

static enum store_err load_token(struct token_cache *c, struct token *t,
                                 struct store_env *e, MDB_txn *txn)
{
    MDB_val k = {t->name_len, t->name}, v;
    struct token_row row;
    const int rc = mdb_get(txn, e->db.tokens, &k, &v);

    if (rc == MDB_NOTFOUND) { /* what it holds is counted all the same */
        set_plan(c, t, slice_str(PLAN_IMPLIED));
        return load_usage(t, e, txn);
    }
    if (rc != 0)
        return store_from_mdb(rc);
    if (!schema_get_token(k, v, &row))
        return STORE_CORRUPT;
    t->exists = true;
    t->implied = row.implied;
    t->named = row.named;
    t->revoked_us = row.revoked_us;
    t->suspended_us = row.suspended_us;
    t->since_id = row.since_id;
    const enum store_err err = set_plan_of(c, t, &row);
    return err == STORE_OK ? load_usage(t, e, txn) : err;
}

void token_cache_used(struct token_cache *c, struct token *t)
{
    if (t == TAILQ_FIRST(&c->by_age))
        return;
    TAILQ_REMOVE(&c->by_age, t, age);
    TAILQ_INSERT_HEAD(&c->by_age, t, age);
}

enum store_err token_cache_get(struct token_cache *c, struct store_env *e,
                               MDB_txn *txn, struct slice name,
                               struct token **ret_token)
{
    struct token *t = NULL;

    HASH_FIND(hh, c->by_name, name.data, name.len, t);
    if (t != NULL) {
        token_cache_used(c, t);
        *ret_token = t;
        return STORE_OK;
    }
    assert(name.len > 0 && name.len <= TOKEN_MAX);
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return STORE_NOMEM;
    memcpy(t->name, name.data, name.len);
    t->name_len = name.len;
    const enum store_err err = load_token(c, t, e, txn);
    if (err != STORE_OK) {
        free(t->own);
        free(t);
        return err;
    }
    HASH_ADD_KEYPTR(hh, c->by_name, t->name, t->name_len, t);
    if (t->hh.tbl == NULL) {
        free(t->own);
        free(t);
        return STORE_NOMEM;
    }
    TAILQ_INSERT_HEAD(&c->by_age, t, age);
    c->entries++;
    *ret_token = t;
    return STORE_OK;
}

void token_changed(struct token_cache *c, struct token *t)
{
    if (t->dirty)
        return;
    t->dirty = true;
    STAILQ_INSERT_TAIL(&c->changed, t, change);
}

enum store_err token_put(struct token_cache *c, struct store_env *e,
                         MDB_txn *txn, struct buffer *row, struct token *t,
                         const struct token_row *value)
{
    buffer_clear(row);
    schema_put_token(row, value);
    if (!buffer_ok(row))
        return STORE_NOMEM;
    MDB_val k = {t->name_len, t->name}, v = {row->len, row->data};
    /* Before the write: if that fails, the entry must be forgotten. */
    token_changed(c, t);
    t->exists = true;
    t->implied = value->implied;
    t->named = value->named;
    t->revoked_us = value->revoked_us;
    t->suspended_us = value->suspended_us;
    t->since_id = value->since_id;
    const enum store_err err = set_plan_of(c, t, value);
    return err == STORE_OK
               ? store_from_mdb(mdb_put(txn, e->db.tokens, &k, &v, 0))
               : err;
}

void token_removed(struct token_cache *c, struct token *t)
{
    token_changed(c, t);
    t->exists = t->implied = t->named = false;
    t->revoked_us = t->suspended_us = 0;
    t->since_id = 0;
    set_plan(c, t, slice_str(PLAN_IMPLIED));
    /* Its Idempotency-Keys outlive it, and are subtracted when they expire. */
    t->usage = (struct usage_row){.bytes = t->usage.bytes};
}

/* Whether a missing row would say the same. */
static bool is_nothing(const struct token *t)
{
    static const struct usage_row nothing;

    return !t->exists && memcmp(&t->usage, &nothing, sizeof(nothing)) == 0;
}

enum store_err token_cache_flush(struct token_cache *c, struct store_env *e,
                                 MDB_txn *txn, struct buffer *row)
{
    struct token *t;

    STAILQ_FOREACH (t, &c->changed, change) {
        MDB_val k = {t->name_len, t->name};
        if (is_nothing(t)) {
            const int gone = mdb_del(txn, e->db.usage, &k, NULL);
            if (gone != 0 && gone != MDB_NOTFOUND)
                return store_from_mdb(gone);
            continue;
        }
        buffer_clear(row);
        schema_put_usage(row, &t->usage);
        if (!buffer_ok(row))
            return STORE_NOMEM;
        MDB_val v = {row->len, row->data};
        const int rc = mdb_put(txn, e->db.usage, &k, &v, 0);
        if (rc != 0)
            return store_from_mdb(rc);
    }
    return STORE_OK;
}

void token_cache_committed(struct token_cache *c)
{
    struct token *t;

    STAILQ_FOREACH (t, &c->changed, change)
        t->dirty = false;
    STAILQ_INIT(&c->changed);
    while (c->entries > TOKEN_CACHE_ENTRIES)
        forget_token(c, TAILQ_LAST(&c->by_age, token_ages));
}

void token_cache_aborted(struct token_cache *c)
{
    while (!STAILQ_EMPTY(&c->changed)) {
        struct token *t = STAILQ_FIRST(&c->changed);
        STAILQ_REMOVE_HEAD(&c->changed, change);
        forget_token(c, t);
    }
    token_cache_committed(c);
}
