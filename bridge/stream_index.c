#include "bridge/stream_index.h"

#include <assert.h>
#include <stdlib.h>

#include "base/topic.h"

struct index_topic {
    struct name_node node; /* first: a node is its topic */
    LIST_HEAD(, audience_filter) filters;
    char text[];
};

void stream_index_init(struct stream_index *x)
{
    name_table_init(&x->audiences);
    name_table_init(&x->topics);
    name_table_init(&x->tokens);
    x->visits = 0;
}

void stream_index_release(struct stream_index *x)
{
    assert(x->audiences.count == 0);
    name_table_release(&x->audiences);
    name_table_release(&x->topics);
    name_table_release(&x->tokens);
}

static int compare(const void *left, const void *right)
{
    const struct slice *a = left, *b = right;
    const size_t common = a->len < b->len ? a->len : b->len;
    const int order = memcmp(a->data, b->data, common);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

size_t stream_filters_normalize(struct slice *filters, size_t count)
{
    size_t n = 0;

    qsort(filters, count, sizeof(*filters), compare);
    for (size_t i = 0; i < count; i++)
        if (n == 0 || !slice_eq(filters[n - 1], filters[i]))
            filters[n++] = filters[i];
    return n;
}

/* ---- topics and tokens, there as long as somebody is listed under them --- */

static struct index_topic *topic_of(struct stream_index *x, struct slice name)
{
    struct index_topic *t =
        (struct index_topic *)name_table_find(&x->topics, name);

    if (t != NULL)
        return t;
    t = malloc(sizeof(*t) + name.len);
    if (t == NULL)
        return NULL;
    memcpy(t->text, name.data, name.len);
    t->node.name = slice_of(t->text, name.len);
    LIST_INIT(&t->filters);
    name_table_add(&x->topics, &t->node);
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
    LIST_INIT(&t->patterns);
    LIST_INIT(&t->audiences);
    name_table_add(&x->tokens, &t->node);
    return t;
}

struct index_token *stream_index_token(struct stream_index *x,
                                       struct slice token)
{
    return (struct index_token *)name_table_find(&x->tokens, token);
}

static void unlist(struct stream_index *x, struct audience_filter *f)
{
    struct index_topic *t = f->topic;

    LIST_REMOVE(f, entry);
    if (t != NULL && LIST_EMPTY(&t->filters)) {
        name_table_remove(&x->topics, &t->node);
        free(t);
    }
}

static void drop_token(struct stream_index *x, struct index_token *t)
{
    if (!LIST_EMPTY(&t->audiences))
        return;
    name_table_remove(&x->tokens, &t->node);
    free(t);
}

/* ---- audiences ----------------------------------------------------------- */

/* The filters with a NUL after each (MQTT has no NUL in names), then the
 * framing. */
static size_t key_len(const struct slice *filters, size_t count)
{
    size_t len = 1;

    for (size_t i = 0; i < count; i++)
        len += filters[i].len + 1;
    return len;
}

static void put_key(char *key, const struct slice *filters, size_t count,
                    enum framing framing)
{
    for (size_t i = 0; i < count; i++) {
        memcpy(key, filters[i].data, filters[i].len);
        key += filters[i].len;
        *key++ = 0;
    }
    *key = (char)framing;
}

static struct audience *find(struct stream_index *x,
                             const struct slice *filters, size_t count,
                             enum framing framing)
{
    char small[512];
    const size_t len = key_len(filters, count);
    char *key = len <= sizeof(small) ? small : malloc(len);

    if (key == NULL)
        return NULL;
    put_key(key, filters, count, framing);
    struct name_node *n = name_table_find(&x->audiences, slice_of(key, len));
    if (key != small)
        free(key);
    return (struct audience *)n;
}

static bool list_filter(struct stream_index *x, struct audience *a,
                        struct audience_filter *f)
{
    if (filter_has_wildcard(f->filter)) {
        a->has_pattern = true;
        LIST_INSERT_HEAD(&a->token->patterns, f, entry);
        return true;
    }
    f->topic = topic_of(x, f->filter);
    if (f->topic == NULL)
        return false;
    LIST_INSERT_HEAD(&f->topic->filters, f, entry);
    return true;
}

/* Takes the first `listed` filters back out and frees a. */
static void discard(struct stream_index *x, struct audience *a, size_t listed)
{
    for (size_t i = 0; i < listed; i++)
        unlist(x, &a->filters[i]);
    LIST_REMOVE(a, in_token);
    drop_token(x, a->token);
    free(a);
}

static struct audience *add(struct stream_index *x, struct slice token,
                            const struct slice *filters, size_t count,
                            enum framing framing)
{
    const size_t len = key_len(filters, count);
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
    a->framing = framing;
    LIST_INSERT_HEAD(&a->token->audiences, a, in_token);
    LIST_INIT(&a->streams);
    char *key = (char *)a + fixed;
    put_key(key, filters, count, framing);
    a->node.name = slice_of(key, len);
    a->filter_count = count;
    for (size_t i = 0; i < count; i++) {
        a->filters[i].audience = a;
        a->filters[i].filter = slice_of(key, filters[i].len);
        key += filters[i].len + 1;
        if (!list_filter(x, a, &a->filters[i])) {
            discard(x, a, i);
            return NULL;
        }
    }
    name_table_add(&x->audiences, &a->node);
    return a;
}

struct audience *stream_index_enter(struct stream_index *x, struct slice token,
                                    const struct slice *filters, size_t count,
                                    enum framing framing)
{
    struct audience *a = find(x, filters, count, framing);

    if (a == NULL)
        a = add(x, token, filters, count, framing);
    if (a != NULL)
        a->refs++;
    return a;
}

void stream_index_leave(struct stream_index *x, struct audience *a)
{
    if (--a->refs > 0)
        return;
    name_table_remove(&x->audiences, &a->node);
    discard(x, a, a->filter_count);
}

/* ---- matching ------------------------------------------------------------ */

void stream_index_match(struct stream_index *x, struct slice topic,
                        void (*each)(void *arg, struct audience *a), void *arg)
{
    const uint64_t visit = ++x->visits;
    struct index_topic *t =
        (struct index_topic *)name_table_find(&x->topics, topic);
    struct index_token *k = stream_index_token(x, topic_first_level(topic));
    struct audience_filter *f;

    if (t != NULL)
        LIST_FOREACH (f, &t->filters, entry) {
            f->audience->visit = visit;
            each(arg, f->audience);
        }
    if (k == NULL)
        return;
    LIST_FOREACH (f, &k->patterns, entry) {
        if (f->audience->visit == visit || !filter_matches(f->filter, topic))
            continue;
        f->audience->visit = visit;
        each(arg, f->audience);
    }
}

void stream_index_followers(struct stream_index *x, struct slice filter,
                            void (*each)(void *arg, struct audience *a),
                            void *arg)
{
    struct index_topic *t =
        (struct index_topic *)name_table_find(&x->topics, filter);
    struct index_token *k = stream_index_token(x, topic_first_level(filter));
    struct audience_filter *f;

    if (t != NULL)
        LIST_FOREACH (f, &t->filters, entry)
            each(arg, f->audience);
    if (k != NULL && filter_has_wildcard(filter))
        LIST_FOREACH (f, &k->patterns, entry)
            if (slice_eq(f->filter, filter))
                each(arg, f->audience);
}
