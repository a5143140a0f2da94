#include "base/subscription_index.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/filter_shape.h"

#define FIRST_BUCKETS 64

struct subscribers {
    struct subscriber *items;
    uint32_t count, cap;
};

/* One level below `parent`. All nodes but the root are in one hash table keyed
 * by (parent, level): a table per node would cost 500 bytes each. */
struct index_node {
    struct index_node *parent;
    struct index_node *next; /* next in its bucket */
    struct index_node *plus; /* the child `+`, which is in the table, too */
    uint64_t hash;
    uint32_t children;
    struct subscribers here;     /* filters that end at this level */
    struct subscribers below;    /* filters that continue with `/#` */
    struct filter_shapes shapes; /* of the owner that ends at this level */
    size_t len;
    char level[];
};

struct subscription_index {
    struct index_node *root;
    struct index_node **buckets;
    size_t bucket_count; /* a power of two */
    size_t node_count;
    size_t count;        /* subscriptions */
    size_t dollar_count; /* of these, those to filters that begin with `$` */
    struct index_match *matches;
    size_t match_count, match_cap;
    size_t visited; /* nodes visited by the last match */
    size_t vectors; /* non-empty vectors: the most that one topic can match */
    unsigned char key[crypto_shorthash_KEYBYTES];
};

static struct index_node *node_new(struct index_node *parent,
                                   struct slice level, uint64_t hash)
{
    struct index_node *n = calloc(1, sizeof(*n) + level.len);

    if (n == NULL)
        return NULL;
    n->parent = parent;
    n->hash = hash;
    n->len = level.len;
    if (level.len > 0)
        memcpy(n->level, level.data, level.len);
    return n;
}

struct subscription_index *subscription_index_new(void)
{
    struct subscription_index *ix = calloc(1, sizeof(*ix));

    if (ix == NULL)
        return NULL;
    ix->bucket_count = FIRST_BUCKETS;
    ix->buckets = calloc(ix->bucket_count, sizeof(struct index_node *));
    ix->root = node_new(NULL, slice_of(NULL, 0), 0);
    if (ix->buckets == NULL || ix->root == NULL) {
        subscription_index_free(ix);
        return NULL;
    }
    randombytes_buf(ix->key, sizeof(ix->key));
    return ix;
}

static void node_free(struct index_node *n)
{
    if (n == NULL)
        return;
    free(n->here.items);
    free(n->below.items);
    filter_shapes_release(&n->shapes);
    free(n);
}

void subscription_index_free(struct subscription_index *ix)
{
    if (ix == NULL)
        return;
    for (size_t i = 0; ix->buckets != NULL && i < ix->bucket_count; i++) {
        struct index_node *n = ix->buckets[i];
        while (n != NULL) {
            struct index_node *next = n->next;
            node_free(n);
            n = next;
        }
    }
    node_free(ix->root);
    free(ix->buckets);
    free(ix->matches);
    free(ix);
}

/* ---- the tree ----------------------------------------------------------- */

static uint64_t edge_hash(const struct subscription_index *ix,
                          const struct index_node *parent, struct slice level)
{
    uint64_t hash;

    crypto_shorthash((unsigned char *)&hash,
                     level.len == 0 ? (const unsigned char *)"" : level.data,
                     level.len, ix->key);
    hash ^= parent->hash * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (uint64_t)(uintptr_t)parent >> 4;
}

static struct index_node *node_child(const struct subscription_index *ix,
                                     const struct index_node *parent,
                                     struct slice level, uint64_t hash)
{
    struct index_node *n = ix->buckets[hash & (ix->bucket_count - 1)];

    while (n != NULL && (n->hash != hash || n->parent != parent ||
                         !slice_eq(slice_of(n->level, n->len), level)))
        n = n->next;
    return n;
}

static bool grow_buckets(struct subscription_index *ix)
{
    const size_t count = ix->bucket_count * 2;
    struct index_node **buckets = calloc(count, sizeof(struct index_node *));

    if (buckets == NULL)
        return false;
    for (size_t i = 0; i < ix->bucket_count; i++) {
        struct index_node *n = ix->buckets[i];
        while (n != NULL) {
            struct index_node *next = n->next;
            n->next = buckets[n->hash & (count - 1)];
            buckets[n->hash & (count - 1)] = n;
            n = next;
        }
    }
    free(ix->buckets);
    ix->buckets = buckets;
    ix->bucket_count = count;
    return true;
}

static struct index_node *node_add(struct subscription_index *ix,
                                   struct index_node *parent,
                                   struct slice level, uint64_t hash)
{
    /* If the table cannot grow, it only gets slower. */
    if (ix->node_count >= ix->bucket_count)
        (void)grow_buckets(ix);

    struct index_node *n = node_new(parent, level, hash);
    if (n == NULL)
        return NULL;
    struct index_node **bucket = &ix->buckets[hash & (ix->bucket_count - 1)];
    n->next = *bucket;
    *bucket = n;
    ix->node_count++;
    parent->children++;
    if (level.len == 1 && *(const char *)level.data == '+')
        parent->plus = n;
    return n;
}

/* Returns the next level of a name, from *p, and moves *p past its slash;
 * after the last level, past `end`. */
static struct slice next_level(const char **p, const char *end)
{
    const char *from = *p;
    const char *slash =
        from == end ? NULL : memchr(from, '/', (size_t)(end - from));
    const char *stop = slash == NULL ? end : slash;

    *p = stop + 1;
    return slice_of(from, (size_t)(stop - from));
}

/* Removes the node, and ancestors that are no longer needed. */
static void node_prune(struct subscription_index *ix, struct index_node *n)
{
    while (n->parent != NULL && n->children == 0 && n->here.count == 0 &&
           n->below.count == 0) {
        struct index_node *parent = n->parent;
        struct index_node **at =
            &ix->buckets[n->hash & (ix->bucket_count - 1)];
        while (*at != n)
            at = &(*at)->next;
        *at = n->next;
        if (parent->plus == n)
            parent->plus = NULL;
        parent->children--;
        ix->node_count--;
        node_free(n);
        n = parent;
    }
}

/* ---- subscribers -------------------------------------------------------- */

static struct subscribers *vector_of(const struct subscription *where)
{
    return where->multi ? &where->node->below : &where->node->here;
}

static bool reserve_match(struct subscription_index *ix)
{
    if (ix->vectors < ix->match_cap)
        return true;
    const size_t cap = ix->match_cap == 0 ? 64 : ix->match_cap * 2;
    struct index_match *matches = realloc(ix->matches, cap * sizeof(*matches));
    if (matches == NULL)
        return false;
    ix->matches = matches;
    ix->match_cap = cap;
    return true;
}

static bool vector_put(struct subscription_index *ix, struct subscribers *v,
                       const struct subscriber *s)
{
    if (v->count == 0 && !reserve_match(ix))
        return false;
    if (v->count == v->cap) {
        const uint32_t cap = v->cap == 0 ? 1 : v->cap * 2;
        struct subscriber *items = realloc(v->items, cap * sizeof(*items));
        if (items == NULL)
            return false;
        v->items = items;
        v->cap = cap;
    }
    if (v->count == 0)
        ix->vectors++;
    v->items[v->count++] = *s;
    return true;
}

bool subscription_index_takes(const struct subscription_index *ix,
                              struct slice filter)
{
    const struct index_node *n = ix->root;
    const char *p = filter.data;
    struct filter_outline outline;

    filter_outline(filter, &outline);
    const char *end = p + outline.owner_len;
    while (n != NULL && p <= end) {
        const struct slice level = next_level(&p, end);
        n = node_child(ix, n, level, edge_hash(ix, n, level));
    }
    return filter_shapes_take(n == NULL ? NULL : &n->shapes, &outline);
}

bool subscription_index_add(struct subscription_index *ix, struct slice filter,
                            const struct subscriber *s,
                            struct subscription *where)
{
    const char *p = filter.data, *end = p + filter.len;
    struct index_node *n = ix->root, *owner = NULL;
    struct subscriber entry = *s;
    struct filter_shape *shape = NULL;
    struct filter_outline outline;
    bool multi = false;

    filter_outline(filter, &outline);
    while (p <= end) {
        const struct slice level = next_level(&p, end);
        if (level.len == 1 && *(const char *)level.data == '#') {
            multi = true;
            break;
        }
        const uint64_t hash = edge_hash(ix, n, level);
        struct index_node *child = node_child(ix, n, level, hash);
        if (child == NULL)
            child = node_add(ix, n, level, hash);
        if (child == NULL) {
            node_prune(ix, n);
            return false;
        }
        n = child;
        if ((size_t)(p - 1 - (const char *)filter.data) == outline.owner_len)
            owner = n;
    }
    if (outline.has_plus) {
        shape = filter_shape_get(&owner->shapes, &outline);
        if (shape == NULL) {
            node_prune(ix, n);
            return false;
        }
    }
    struct subscribers *v = multi ? &n->below : &n->here;
    entry.subscription = where;
    if (!vector_put(ix, v, &entry)) {
        filter_shape_put(shape);
        node_prune(ix, n);
        return false;
    }
    where->node = n;
    where->shape = shape;
    where->slot = v->count - 1;
    where->multi = multi;
    where->dollar = *(const char *)filter.data == '$';
    ix->count++;
    ix->dollar_count += where->dollar;
    return true;
}

struct subscriber *subscription_index_entry(const struct subscription *where)
{
    return &vector_of(where)->items[where->slot];
}

void subscription_index_remove(struct subscription_index *ix,
                               struct subscription *where)
{
    struct subscribers *v = vector_of(where);

    assert(where->slot < v->count);
    v->items[where->slot] = v->items[--v->count];
    v->items[where->slot].subscription->slot = where->slot;
    if (v->count == 0) {
        free(v->items);
        *v = (struct subscribers){0};
        ix->vectors--;
    }
    ix->count--;
    ix->dollar_count -= where->dollar;
    filter_shape_put(where->shape);
    where->shape = NULL;
    node_prune(ix, where->node);
    where->node = NULL;
}

size_t subscription_index_count(const struct subscription_index *ix)
{
    return ix->count;
}

bool subscription_index_has_plain(const struct subscription_index *ix)
{
    return ix->count > ix->dollar_count;
}

/* ---- matching ----------------------------------------------------------- */

static void add_match(struct subscription_index *ix,
                      const struct subscribers *v)
{
    if (v->count == 0)
        return;
    assert(ix->match_count < ix->match_cap);
    ix->matches[ix->match_count++] = (struct index_match){v->items, v->count};
}

/* `n` is the node of the levels before p; p == end + 1: no level is left.
 * Recurses only for `+`, at most TOPIC_LEVELS_MAX deep. */
static void match_below(struct subscription_index *ix,
                        const struct index_node *n, const char *p,
                        const char *end, bool wildcards)
{
    for (;;) {
        ix->visited++;
        if (wildcards)
            add_match(ix, &n->below); /* `a/#` matches `a`: MQTT 5 §4.7.1.2 */
        if (p > end) {
            add_match(ix, &n->here);
            return;
        }
        if (n->children == 0)
            return;
        const struct slice level = next_level(&p, end);

        if (wildcards && n->plus != NULL)
            match_below(ix, n->plus, p, end, true);
        n = node_child(ix, n, level, edge_hash(ix, n, level));
        if (n == NULL)
            return;
        wildcards = true;
    }
}

size_t subscription_index_match(struct subscription_index *ix,
                                struct slice topic,
                                const struct index_match **ret_matches)
{
    const char *p = topic.data;

    ix->match_count = 0;
    ix->visited = 0;
    /* MQTT-4.7.2-1: `$…` is not matched by a wildcard at the first level */
    match_below(ix, ix->root, p, p + topic.len, *p != '$');
    *ret_matches = ix->matches;
    return ix->match_count;
}

size_t subscription_index_visited(const struct subscription_index *ix)
{
    return ix->visited;
}
