#include "base/callers.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/config.h"
#include "base/name_hash.h"

struct callers {
    pthread_mutex_t mutex;
    struct shared_caller *all; /* by `spelled` */
};

/* One allocation: a plan with own limits, the rights and all text stand behind it. */
struct shared_caller {
    struct caller caller; /* first: caller_unref() finds the rest by it */
    struct callers *owner;
    UT_hash_handle hh;
    size_t references;
    struct slice spelled;
};

struct callers *callers_new(void)
{
    struct callers *all = calloc(1, sizeof(*all));

    if (all != NULL && pthread_mutex_init(&all->mutex, NULL) != 0) {
        free(all);
        return NULL;
    }
    return all;
}

void callers_free(struct callers *all)
{
    if (all == NULL)
        return;
    assert(all->all == NULL);
    pthread_mutex_destroy(&all->mutex);
    free(all);
}

/* ---- what makes two of them equal ------------------------------------------ */

static void spell_slice(struct buffer *b, struct slice s)
{
    const bool is_there = s.data != NULL;

    buffer_put(b, &is_there, sizeof(is_there));
    buffer_put(b, &s.len, sizeof(s.len));
    if (s.len > 0)
        buffer_put(b, s.data, s.len);
}

/* A plan with limits of the tenant's own is the caller's, and copied with it. */
static bool has_own_plan(const struct caller *c)
{
    return c->plan != NULL && c->plan->own != 0;
}

static void spell(struct buffer *b, const struct caller *c)
{
    spell_slice(b, c->tenant);
    spell_slice(b, c->key);
    spell_slice(b, c->user);
    if (has_own_plan(c)) /* from byte to byte: it has no padding */
        buffer_put(b, c->plan, sizeof(*c->plan));
    else
        buffer_put(b, &c->plan, sizeof(c->plan));
    buffer_put(b, &c->mounted, sizeof(c->mounted));
    spell_slice(b, c->mount);
    buffer_put(b, &c->expires_us, sizeof(c->expires_us));
    for (size_t i = 0; i < c->right_count; i++) {
        buffer_put(b, &c->rights[i].action, sizeof(c->rights[i].action));
        spell_slice(b, slice_str(c->rights[i].filter));
    }
}

/* ---- copies ---------------------------------------------------------------- */

static size_t size_of_copy(const struct caller *c, size_t spelled)
{
    size_t size = sizeof(struct shared_caller) +
                  (has_own_plan(c) ? sizeof(struct plan) : 0) +
                  c->right_count * sizeof(struct right) + c->tenant.len +
                  c->key.len + c->user.len + c->mount.len + spelled;

    for (size_t i = 0; i < c->right_count; i++)
        size += strlen(c->rights[i].filter) + 1;
    return size;
}

static const char *copy_bytes(char **at, const void *data, size_t len)
{
    const char *start = *at;

    if (len > 0)
        memcpy(*at, data, len);
    *at += len;
    return start;
}

static struct slice copy_slice(char **at, struct slice s)
{
    return s.data == NULL ? s : slice_of(copy_bytes(at, s.data, s.len), s.len);
}

/* NULL: out of memory. */
static struct shared_caller *copy_caller(const struct caller *c,
                                         struct slice spelled)
{
    struct shared_caller *s = malloc(size_of_copy(c, spelled.len));

    if (s == NULL)
        return NULL;
    struct plan *own = (struct plan *)(s + 1);
    struct right *rights = (struct right *)(own + (has_own_plan(c) ? 1 : 0));
    char *at = (char *)(rights + c->right_count);
    *s = (struct shared_caller){
        .caller = {.tenant = copy_slice(&at, c->tenant),
                   .key = copy_slice(&at, c->key),
                   .user = copy_slice(&at, c->user),
                   .plan = has_own_plan(c) ? own : c->plan,
                   .rights = rights,
                   .right_count = c->right_count,
                   .mounted = c->mounted,
                   .mount = copy_slice(&at, c->mount),
                   .expires_us = c->expires_us},
    };
    if (has_own_plan(c))
        *own = *c->plan;
    for (size_t i = 0; i < c->right_count; i++) {
        const char *filter = c->rights[i].filter;
        rights[i].action = c->rights[i].action;
        rights[i].filter = copy_bytes(&at, filter, strlen(filter) + 1);
    }
    s->spelled = copy_slice(&at, spelled);
    return s;
}

/* ---- sharing --------------------------------------------------------------- */

/* NULL: out of memory. */
static struct shared_caller *add_caller(struct callers *all,
                                        const struct caller *c,
                                        struct slice spelled)
{
    struct shared_caller *s = copy_caller(c, spelled);

    if (s == NULL)
        return NULL;
    s->owner = all;
    HASH_ADD_KEYPTR(hh, all->all, s->spelled.data, s->spelled.len, s);
    if (s->hh.tbl != NULL)
        return s;
    free(s); /* out of memory in the table */
    return NULL;
}

const struct caller *caller_share(struct callers *all, const struct caller *c)
{
    struct buffer spelled = BUFFER_INIT;
    struct shared_caller *s = NULL;

    spell(&spelled, c);
    if (!buffer_ok(&spelled))
        return NULL;
    pthread_mutex_lock(&all->mutex);
    HASH_FIND(hh, all->all, spelled.data, spelled.len, s);
    if (s == NULL)
        s = add_caller(all, c, buffer_slice(&spelled));
    if (s != NULL)
        s->references++;
    pthread_mutex_unlock(&all->mutex);
    buffer_release(&spelled);
    return s == NULL ? NULL : &s->caller;
}

const struct caller *caller_ref(const struct caller *c)
{
    struct shared_caller *s = (struct shared_caller *)c;

    pthread_mutex_lock(&s->owner->mutex);
    s->references++;
    pthread_mutex_unlock(&s->owner->mutex);
    return c;
}

size_t caller_bytes(const struct caller *c)
{
    return size_of_copy(c, ((const struct shared_caller *)c)->spelled.len);
}

void caller_unref(const struct caller *c)
{
    struct shared_caller *s = (struct shared_caller *)c;

    if (s == NULL)
        return;
    struct callers *all = s->owner;
    pthread_mutex_lock(&all->mutex);
    if (--s->references == 0) {
        HASH_DEL(all->all, s);
        free(s);
    }
    pthread_mutex_unlock(&all->mutex);
}
