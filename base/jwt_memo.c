#include "base/jwt_memo.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/caller.h"
#include "base/config.h"
#include "base/name_hash.h"
#include "base/topic.h"

struct memo_tenant;

struct memo_entry {
    unsigned char token[JWT_MEMO_HASH_BYTES];
    UT_hash_handle hh;
    TAILQ_ENTRY(memo_entry) link;
    struct memo_tenant *owner;
    const struct caller *caller; /* referenced */
    int64_t from_us;
    size_t bytes;
};
TAILQ_HEAD(memo_entries, memo_entry);

/* Exists as long as it has entries. */
struct memo_tenant {
    char name[TOKEN_MAX];
    unsigned char rules[JWT_MEMO_HASH_BYTES]; /* of all of its entries */
    UT_hash_handle hh;
    TAILQ_ENTRY(memo_tenant) link;
    struct memo_entries entries; /* the last used one first */
    size_t bytes;                /* with itself */
    unsigned size_class;
};
TAILQ_HEAD(memo_tenants, memo_tenant);

#define SIZE_CLASSES 32 /* of a tenant's bytes, by powers of two */

struct jwt_memo {
    pthread_mutex_t mutex;
    unsigned char key[crypto_generichash_KEYBYTES];
    size_t entries_max, bytes_max;
    struct memo_entry *entries;  /* by token */
    struct memo_tenant *tenants; /* by name */
    struct memo_tenants by_size[SIZE_CLASSES];
    struct jwt_memo_figures figures;
};

/* ---- names ----------------------------------------------------------------- */

/* With its length, so that no two lists of texts are the same bytes. */
static void hash_slice(crypto_generichash_state *state, struct slice s)
{
    const uint64_t len = s.len;

    crypto_generichash_update(state, (const unsigned char *)&len, sizeof(len));
    if (len > 0)
        crypto_generichash_update(state, s.data, len);
}

void jwt_memo_name(const struct jwt_memo *m, struct slice tenant,
                   const struct slice *rules, size_t count, struct slice token,
                   struct jwt_memo_name *ret_name)
{
    struct jwt_memo_name *n = ret_name;
    crypto_generichash_state state;

    crypto_generichash_init(&state, m->key, sizeof(m->key), sizeof(n->rules));
    hash_slice(&state, tenant);
    for (size_t i = 0; i < count; i++)
        hash_slice(&state, rules[i]);
    crypto_generichash_final(&state, n->rules, sizeof(n->rules));
    crypto_generichash_init(&state, m->key, sizeof(m->key), sizeof(n->token));
    hash_slice(&state, slice_of(n->rules, sizeof(n->rules)));
    hash_slice(&state, token);
    crypto_generichash_final(&state, n->token, sizeof(n->token));
    sodium_memzero(&state, sizeof(state)); /* it had a key and a token */
}

/* ---- tenants --------------------------------------------------------------- */

static struct memo_tenant *find_tenant(const struct jwt_memo *m,
                                       struct slice name)
{
    struct memo_tenant *t = NULL;

    HASH_FIND(hh, m->tenants, name.data, name.len, t);
    return t;
}

static unsigned class_of(size_t bytes)
{
    unsigned i = 0;

    while (i < SIZE_CLASSES - 1 && bytes >> i > 1)
        i++;
    return i;
}

/* Puts it where its size belongs. */
static void file_tenant(struct jwt_memo *m, struct memo_tenant *t)
{
    const unsigned size_class = class_of(t->bytes);

    if (size_class == t->size_class)
        return;
    TAILQ_REMOVE(&m->by_size[t->size_class], t, link);
    t->size_class = size_class;
    TAILQ_INSERT_TAIL(&m->by_size[size_class], t, link);
}

/* NULL: out of memory. */
static struct memo_tenant *add_tenant(struct jwt_memo *m,
                                      const struct jwt_memo_name *name,
                                      struct slice tenant)
{
    struct memo_tenant *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    memcpy(t->name, tenant.data, tenant.len);
    memcpy(t->rules, name->rules, sizeof(t->rules));
    HASH_ADD_KEYPTR(hh, m->tenants, t->name, tenant.len, t);
    if (t->hh.tbl == NULL) { /* out of memory in the table */
        free(t);
        return NULL;
    }
    TAILQ_INIT(&t->entries);
    t->bytes = sizeof(*t);
    t->size_class = class_of(t->bytes);
    TAILQ_INSERT_TAIL(&m->by_size[t->size_class], t, link);
    m->figures.bytes += t->bytes;
    return t;
}

static void drop_tenant(struct jwt_memo *m, struct memo_tenant *t)
{
    HASH_DEL(m->tenants, t);
    TAILQ_REMOVE(&m->by_size[t->size_class], t, link);
    m->figures.bytes -= t->bytes;
    free(t);
}

/* ---- entries --------------------------------------------------------------- */

/* Without entries its tenant goes, too. */
static void forget_entry(struct jwt_memo *m, struct memo_entry *e)
{
    struct memo_tenant *t = e->owner;

    HASH_DEL(m->entries, e);
    TAILQ_REMOVE(&t->entries, e, link);
    t->bytes -= e->bytes;
    m->figures.bytes -= e->bytes;
    m->figures.entries--;
    caller_unref(e->caller);
    free(e);
    if (TAILQ_EMPTY(&t->entries))
        drop_tenant(m, t);
    else
        file_tenant(m, t);
}

static void forget_tenant(struct jwt_memo *m, struct memo_tenant *t)
{
    struct memo_entry *e, *next;

    for (e = TAILQ_FIRST(&t->entries); e != NULL; e = next) {
        next = TAILQ_NEXT(e, link); /* the last one takes the tenant along */
        forget_entry(m, e);
    }
}

/* Of one of the tenants that have most. */
static struct memo_entry *first_to_go(const struct jwt_memo *m)
{
    unsigned i = SIZE_CLASSES;

    while (i-- > 0)
        if (!TAILQ_EMPTY(&m->by_size[i]))
            return TAILQ_LAST(&TAILQ_FIRST(&m->by_size[i])->entries,
                              memo_entries);
    return NULL;
}

static void make_room(struct jwt_memo *m, size_t bytes)
{
    struct memo_entry *e;

    while (m->figures.entries >= m->entries_max ||
           m->figures.bytes + bytes > m->bytes_max) {
        e = first_to_go(m);
        if (e == NULL)
            return;
        forget_entry(m, e);
    }
}

/* ---- life ------------------------------------------------------------------ */

struct jwt_memo *jwt_memo_new(size_t entries_max, size_t bytes_max)
{
    struct jwt_memo *m = calloc(1, sizeof(*m));

    if (m == NULL || pthread_mutex_init(&m->mutex, NULL) != 0) {
        free(m);
        return NULL;
    }
    m->entries_max = entries_max;
    m->bytes_max = bytes_max;
    crypto_generichash_keygen(m->key);
    for (unsigned i = 0; i < SIZE_CLASSES; i++)
        TAILQ_INIT(&m->by_size[i]);
    return m;
}

void jwt_memo_free(struct jwt_memo *m)
{
    struct memo_entry *e;

    if (m == NULL)
        return;
    while ((e = first_to_go(m)) != NULL)
        forget_entry(m, e);
    pthread_mutex_destroy(&m->mutex);
    sodium_memzero(m->key, sizeof(m->key));
    free(m);
}

/* ---- remembering ----------------------------------------------------------- */

static bool has_ended(const struct memo_entry *e, int64_t now_us)
{
    return e->caller->expires_us != 0 && e->caller->expires_us <= now_us;
}

/* The entry of a token as its tenant's settings are now. */
static struct memo_entry *find_entry(struct jwt_memo *m, struct slice tenant,
                                     const struct jwt_memo_name *name)
{
    struct memo_tenant *t = find_tenant(m, tenant);
    struct memo_entry *e = NULL;

    if (t != NULL && memcmp(t->rules, name->rules, sizeof(t->rules)) != 0)
        forget_tenant(m, t);
    HASH_FIND(hh, m->entries, name->token, sizeof(name->token), e);
    return e;
}

/* A plan with own limits is a copy each time it is looked up. */
static bool is_same_plan(const struct plan *a, const struct plan *b)
{
    return a == b || (a != NULL && b != NULL && a->own != 0 && b->own != 0 &&
                      memcmp(a, b, sizeof(*a)) == 0);
}

/* The same, without those that do not say who it is now. */
static struct memo_entry *find_current(struct jwt_memo *m, struct slice tenant,
                                       const struct jwt_memo_name *name,
                                       const struct plan *plan, int64_t now_us)
{
    struct memo_entry *e = find_entry(m, tenant, name);

    if (e != NULL &&
        (has_ended(e, now_us) || !is_same_plan(e->caller->plan, plan))) {
        forget_entry(m, e);
        return NULL;
    }
    /* A clock that was set back: it will hold again. */
    return e != NULL && now_us >= e->from_us ? e : NULL;
}

const struct caller *jwt_memo_find(struct jwt_memo *m, struct slice tenant,
                                   const struct jwt_memo_name *name,
                                   const struct plan *plan, int64_t now_us)
{
    const struct caller *caller = NULL;

    pthread_mutex_lock(&m->mutex);
    struct memo_entry *e = find_current(m, tenant, name, plan, now_us);
    if (e != NULL) {
        TAILQ_REMOVE(&e->owner->entries, e, link);
        TAILQ_INSERT_HEAD(&e->owner->entries, e, link);
        caller = caller_ref(e->caller);
        m->figures.found++;
    } else {
        m->figures.missed++;
    }
    pthread_mutex_unlock(&m->mutex);
    return caller;
}

/* NULL: out of memory. */
static struct memo_entry *add_entry(struct jwt_memo *m, struct memo_tenant *t,
                                    const struct jwt_memo_name *name,
                                    size_t bytes)
{
    struct memo_entry *e = calloc(1, sizeof(*e));

    if (e == NULL)
        return NULL;
    memcpy(e->token, name->token, sizeof(e->token));
    HASH_ADD(hh, m->entries, token, sizeof(e->token), e);
    if (e->hh.tbl == NULL) { /* out of memory in the table */
        free(e);
        return NULL;
    }
    e->owner = t;
    e->bytes = bytes;
    TAILQ_INSERT_HEAD(&t->entries, e, link);
    t->bytes += bytes;
    m->figures.bytes += bytes;
    m->figures.entries++;
    file_tenant(m, t);
    return e;
}

static void remember(struct jwt_memo *m, const struct jwt_memo_name *name,
                     const struct caller *caller, int64_t from_us)
{
    const size_t bytes = sizeof(struct memo_entry) + caller_bytes(caller);
    const size_t with_tenant = bytes + sizeof(struct memo_tenant);

    /* Two threads may have verified the same token at the same time. */
    struct memo_entry *e = find_entry(m, caller->tenant, name);
    if (e != NULL)
        forget_entry(m, e);
    if (caller->tenant.len > TOKEN_MAX || with_tenant > m->bytes_max ||
        m->entries_max == 0)
        return;
    make_room(m, with_tenant);
    struct memo_tenant *t = find_tenant(m, caller->tenant);
    if (t == NULL)
        t = add_tenant(m, name, caller->tenant);
    if (t == NULL)
        return;
    e = add_entry(m, t, name, bytes);
    if (e == NULL && TAILQ_EMPTY(&t->entries))
        drop_tenant(m, t);
    if (e == NULL)
        return;
    e->caller = caller_ref(caller);
    e->from_us = from_us;
}

void jwt_memo_add(struct jwt_memo *m, const struct jwt_memo_name *name,
                  const struct caller *caller, int64_t from_us)
{
    pthread_mutex_lock(&m->mutex);
    remember(m, name, caller, from_us);
    pthread_mutex_unlock(&m->mutex);
}

void jwt_memo_forget(struct jwt_memo *m, struct slice tenant)
{
    pthread_mutex_lock(&m->mutex);
    struct memo_tenant *t = find_tenant(m, tenant);
    if (t != NULL)
        forget_tenant(m, t);
    pthread_mutex_unlock(&m->mutex);
}

void jwt_memo_figures(struct jwt_memo *m, struct jwt_memo_figures *ret_figures)
{
    pthread_mutex_lock(&m->mutex);
    *ret_figures = m->figures;
    pthread_mutex_unlock(&m->mutex);
}
