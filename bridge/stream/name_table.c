#include "bridge/stream/name_table.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

_Static_assert(sizeof(((struct name_table *)0)->key) ==
                   crypto_shorthash_KEYBYTES,
               "SipHash-2-4 takes a key of 16 bytes");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES,
               "SipHash-2-4 gives 8 bytes");

static uint64_t hash_of(const struct name_table *t, struct slice name)
{
    uint64_t hash;

    crypto_shorthash((unsigned char *)&hash,
                     name.len == 0 ? (const unsigned char *)"" : name.data,
                     name.len, t->key);
    return hash;
}

static struct name_node **table_bucket(const struct name_table *t,
                                       uint64_t hash)
{
    return &t->buckets[hash & (t->bucket_count - 1)];
}

void name_table_init(struct name_table *t)
{
    *t = (struct name_table){.bucket_count = NAME_TABLE_FIRST};
    t->buckets = t->first_buckets;
    randombytes_buf(t->key, sizeof(t->key));
}

void name_table_release(struct name_table *t)
{
    if (t->buckets != t->first_buckets)
        free(t->buckets);
    t->buckets = t->first_buckets;
    t->bucket_count = NAME_TABLE_FIRST;
    t->count = 0;
}

struct name_node *name_table_find(const struct name_table *t,
                                  struct slice name)
{
    const uint64_t hash = hash_of(t, name);
    struct name_node *n;

    for (n = *table_bucket(t, hash); n != NULL; n = n->next)
        if (n->hash == hash && slice_eq(n->name, name))
            return n;
    return NULL;
}

static void table_grow(struct name_table *t)
{
    const size_t old_count = t->bucket_count;
    struct name_node **old = t->buckets;
    struct name_node **wider =
        calloc(old_count * 2, sizeof(struct name_node *));

    if (wider == NULL)
        return;
    t->buckets = wider;
    t->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        struct name_node *n, *next;
        for (n = old[i]; n != NULL; n = next) {
            next = n->next;
            n->next = *table_bucket(t, n->hash);
            *table_bucket(t, n->hash) = n;
        }
    }
    if (old != t->first_buckets)
        free(old);
}

void name_table_add(struct name_table *t, struct name_node *n)
{
    n->hash = hash_of(t, n->name);
    if (t->count >= t->bucket_count)
        table_grow(t);
    n->next = *table_bucket(t, n->hash);
    *table_bucket(t, n->hash) = n;
    t->count++;
}

void name_table_remove(struct name_table *t, struct name_node *n)
{
    struct name_node **at = table_bucket(t, n->hash);

    while (*at != n) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = n->next;
    t->count--;
}

static void each_in(struct name_table *t, size_t i,
                    void (*each)(void *arg, struct name_node *n), void *arg)
{
    struct name_node *n, *next;

    for (n = t->buckets[i]; n != NULL; n = next) {
        next = n->next;
        each(arg, n);
    }
}

void name_table_each(struct name_table *t,
                     void (*each)(void *arg, struct name_node *n), void *arg)
{
    for (size_t i = 0; i < t->bucket_count; i++)
        each_in(t, i, each, arg);
}

void name_table_some(struct name_table *t, size_t *at, size_t parts,
                     void (*each)(void *arg, struct name_node *n), void *arg)
{
    size_t count = t->bucket_count / parts + 1;

    if (count > t->bucket_count)
        count = t->bucket_count;
    while (count-- > 0)
        each_in(t, (*at)++ & (t->bucket_count - 1), each, arg);
}
