#include "bridge/stream/stream_index.h"

#include <assert.h>
#include <stdlib.h>

#include "base/topic.h"

struct index_name {
    struct name_node node; /* first: a node is its filter */
    LIST_HEAD(, audience_filter) filters;
    char text[];
};

bool stream_index_init(struct stream_index *x)
{
    name_table_init(&x->audiences);
    name_table_init(&x->names);
    name_table_init(&x->tokens);
    x->visits = 0;
    x->patterns = subscription_index_new();
    return x->patterns != NULL;
}

void stream_index_release(struct stream_index *x)
{
    assert(x->audiences.count == 0);
    name_table_release(&x->audiences);
    name_table_release(&x->names);
    name_table_release(&x->tokens);
    subscription_index_free(x->patterns);
}

static int compare_slices(const void *left, const void *right)
{
    const struct slice *a = left, *b = right;
    const size_t common = a->len < b->len ? a->len : b->len;
    const int order = memcmp(a->data, b->data, common);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

size_t stream_filters_normalize(struct slice *filters, size_t count)
{
    size_t n = 0;

    qsort(filters, count, sizeof(*filters), compare_slices);
    for (size_t i = 0; i < count; i++)
        if (n == 0 || !slice_eq(filters[n - 1], filters[i]))
            filters[n++] = filters[i];
    return n;
}

/* ---- names and tokens, there as long as somebody is listed under them --- */

static struct index_name *name_of(struct stream_index *x, struct slice name)
{
    struct index_name *t =
        (struct index_name *)name_table_find(&x->names, name);

    if (t != NULL)
        return t;
    t = malloc(sizeof(*t) + name.len);
    if (t == NULL)
        return NULL;
    memcpy(t->text, name.data, name.len);
    t->node.name = slice_of(t->text, name.len);
    LIST_INIT(&t->filters);
    name_table_add(&x->names, &t->node);
    return t;
}

static struct index_token *token_of(struct stream_index *x, struct slice name)
{
    struct index_token *t = stream_index_token(x, name);

    if (t != NULL)
        return t;
    t = malloc(sizeof(*t) + name.len);
    if (t == NULL)
        return NULL;
    memcpy(t->text, name.data, name.len);
    t->node.name = slice_of(t->text, name.len);
    LIST_INIT(&t->audiences);
    name_table_add(&x->tokens, &t->node);
    return t;
}

struct index_token *stream_index_token(struct stream_index *x,
                                       struct slice token)
{
    return (struct index_token *)name_table_find(&x->tokens, token);
}

static void drop_name(struct stream_index *x, struct index_name *n)
{
    if (!LIST_EMPTY(&n->filters))
        return;
    name_table_remove(&x->names, &n->node);
    free(n);
}

static void unlist_filter(struct stream_index *x, struct audience_filter *f)
{
    if (f->pattern.node != NULL)
        subscription_index_remove(x->patterns, &f->pattern);
    LIST_REMOVE(f, entry);
    drop_name(x, f->name);
}

static void drop_token(struct stream_index *x, struct index_token *t)
{
    if (!LIST_EMPTY(&t->audiences))
        return;
    name_table_remove(&x->tokens, &t->node);
    free(t);
}

/* ---- audiences ----------------------------------------------------------- */

/* The filters with a NUL after each (MQTT has no NUL in names), then the format.
 * Without filters the token, which has no level below it as they do. */
static size_t key_len(struct slice token, const struct slice *filters,
                      size_t count)
{
    size_t len = 1;

    for (size_t i = 0; i < count; i++)
        len += filters[i].len + 1;
    return count == 0 ? token.len + 2 : len;
}

static void put_key(char *key, struct slice token, const struct slice *filters,
                    size_t count, const struct stream_format *format)
{
    if (count == 0)
        filters = &token;
    for (size_t i = 0; i < count || i == 0; i++) {
        memcpy(key, filters[i].data, filters[i].len);
        key += filters[i].len;
        *key++ = 0;
    }
    *key = (char)format->number;
}

static struct audience *find_audience(struct stream_index *x,
                                      struct slice token,
                                      const struct slice *filters,
                                      size_t count,
                                      const struct stream_format *format)
{
    char small[512];
    const size_t len = key_len(token, filters, count);
    char *key = len <= sizeof(small) ? small : malloc(len);

    if (key == NULL)
        return NULL;
    put_key(key, token, filters, count, format);
    struct name_node *n = name_table_find(&x->audiences, slice_of(key, len));
    if (key != small)
        free(key);
    return (struct audience *)n;
}

static bool list_filter(struct stream_index *x, struct audience *a,
                        struct audience_filter *f)
{
    const struct subscriber who = {.who = f};

    f->name = name_of(x, f->filter);
    if (f->name == NULL)
        return false;
    if (filter_has_wildcard(f->filter)) {
        a->has_pattern = true;
        if (!subscription_index_add(x->patterns, f->filter, &who,
                                    &f->pattern)) {
            drop_name(x, f->name);
            return false;
        }
    }
    LIST_INSERT_HEAD(&f->name->filters, f, entry);
    return true;
}

/* Takes the first `listed` filters back out and frees a. */
static void discard_audience(struct stream_index *x, struct audience *a,
                             size_t listed)
{
    for (size_t i = 0; i < listed; i++)
        unlist_filter(x, &a->filters[i]);
    LIST_REMOVE(a, in_token);
    drop_token(x, a->token);
    gap_walk_release(&a->walk);
    free(a);
}

static struct audience *add_audience(struct stream_index *x,
                                     struct slice token,
                                     const struct slice *filters, size_t count,
                                     const struct stream_format *format)
{
    const size_t len = key_len(token, filters, count);
    const size_t fixed =
        sizeof(struct audience) + count * sizeof(struct audience_filter);
    struct audience *a = calloc(1, fixed + len);

    if (a == NULL)
        return NULL;
    a->token = token_of(x, token);
    if (a->token == NULL) {
        free(a);
        return NULL;
    }
    a->format = format;
    LIST_INSERT_HEAD(&a->token->audiences, a, in_token);
    LIST_INIT(&a->streams);
    char *key = (char *)a + fixed;
    put_key(key, token, filters, count, format);
    a->node.name = slice_of(key, len);
    a->filter_count = count;
    for (size_t i = 0; i < count; i++) {
        a->filters[i].audience = a;
        a->filters[i].filter = slice_of(key, filters[i].len);
        key += filters[i].len + 1;
        if (!list_filter(x, a, &a->filters[i])) {
            discard_audience(x, a, i);
            return NULL;
        }
    }
    name_table_add(&x->audiences, &a->node);
    return a;
}

struct audience *stream_index_enter(struct stream_index *x, struct slice token,
                                    const struct slice *filters, size_t count,
                                    const struct stream_format *format)
{
    struct audience *a = find_audience(x, token, filters, count, format);

    if (a == NULL)
        a = add_audience(x, token, filters, count, format);
    if (a != NULL)
        a->refs++;
    return a;
}

void stream_index_leave(struct stream_index *x, struct audience *a)
{
    if (--a->refs > 0)
        return;
    name_table_remove(&x->audiences, &a->node);
    discard_audience(x, a, a->filter_count);
}

/* ---- matching ------------------------------------------------------------ */

void stream_index_match(struct stream_index *x, struct slice topic,
                        void (*each)(void *arg, struct audience *a), void *arg)
{
    const uint64_t visit = ++x->visits;
    const struct index_name *name =
        (struct index_name *)name_table_find(&x->names, topic);
    const struct index_match *matches;
    struct audience_filter *f;

    if (name != NULL)
        LIST_FOREACH (f, &name->filters, entry) {
            f->audience->visit = visit;
            each(arg, f->audience);
        }
    if (subscription_index_count(x->patterns) == 0)
        return;
    const size_t n = subscription_index_match(x->patterns, topic, &matches);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < matches[i].count; j++) {
            f = matches[i].subscribers[j].who;
            if (f->audience->visit == visit)
                continue;
            f->audience->visit = visit;
            each(arg, f->audience);
        }
}

size_t stream_index_visited(const struct stream_index *x)
{
    return subscription_index_visited(x->patterns);
}

void stream_index_followers(struct stream_index *x, struct slice filter,
                            void (*each)(void *arg, struct audience *a),
                            void *arg)
{
    const struct index_name *name =
        (struct index_name *)name_table_find(&x->names, filter);
    struct audience_filter *f;

    if (name != NULL)
        LIST_FOREACH (f, &name->filters, entry)
            each(arg, f->audience);
}
