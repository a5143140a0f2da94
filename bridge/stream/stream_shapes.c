#include "bridge/stream/stream_shapes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/filter_shape.h"
#include "bridge/stream/name_table.h"

struct token_shapes {
    struct name_node node; /* first: a node is its token's */
    struct filter_shapes shapes;
    char text[];
};

struct stream_shapes_hold {
    struct token_shapes *token;
    size_t count;
    struct filter_shape *shapes[]; /* NULL: the filter has none */
};

struct stream_shapes {
    pthread_mutex_t mutex;
    struct name_table tokens; /* those that have a shape */
};

struct stream_shapes *stream_shapes_new(void)
{
    struct stream_shapes *ss = malloc(sizeof(*ss));

    if (ss == NULL)
        return NULL;
    pthread_mutex_init(&ss->mutex, NULL);
    name_table_init(&ss->tokens);
    return ss;
}

static void free_token(void *arg, struct name_node *n)
{
    (void)arg;
    filter_shapes_release(&((struct token_shapes *)n)->shapes);
    free(n);
}

void stream_shapes_free(struct stream_shapes *ss)
{
    if (ss == NULL)
        return;
    name_table_each(&ss->tokens, free_token, NULL);
    name_table_release(&ss->tokens);
    pthread_mutex_destroy(&ss->mutex);
    free(ss);
}

static struct token_shapes *find_token(struct stream_shapes *ss,
                                       struct slice token)
{
    return (struct token_shapes *)name_table_find(&ss->tokens, token);
}

static struct token_shapes *find_or_add(struct stream_shapes *ss,
                                        struct slice token)
{
    struct token_shapes *t = find_token(ss, token);

    if (t != NULL)
        return t;
    t = calloc(1, sizeof(*t) + token.len);
    if (t == NULL)
        return NULL;
    memcpy(t->text, token.data, token.len);
    t->node.name = slice_of(t->text, token.len);
    name_table_add(&ss->tokens, &t->node);
    return t;
}

static void drop_unused(struct stream_shapes *ss, struct token_shapes *t)
{
    if (t->shapes.count > 0)
        return;
    name_table_remove(&ss->tokens, &t->node);
    free(t);
}

/* false: not all of them. */
static bool get_shapes(struct stream_shapes_hold *hold,
                       const struct slice *filters, size_t count)
{
    struct filter_outline o;

    for (; hold->count < count; hold->count++) {
        filter_outline(filters[hold->count], &o);
        struct filter_shape **shape = &hold->shapes[hold->count];
        *shape =
            o.has_plus ? filter_shape_get(&hold->token->shapes, &o) : NULL;
        if (o.has_plus && *shape == NULL)
            return false;
    }
    return true;
}

static void put_shapes(struct stream_shapes *ss,
                       struct stream_shapes_hold *hold)
{
    for (size_t i = 0; i < hold->count; i++)
        filter_shape_put(hold->shapes[i]);
    drop_unused(ss, hold->token);
    free(hold);
}

static bool have_plus(const struct slice *filters, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memchr(filters[i].data, '+', filters[i].len) != NULL)
            return true;
    return false;
}

static struct stream_shapes_hold *hold_new(struct stream_shapes *ss,
                                           struct slice token, size_t count)
{
    struct stream_shapes_hold *hold =
        malloc(sizeof(*hold) + count * sizeof(hold->shapes[0]));

    if (hold == NULL)
        return NULL;
    hold->count = 0;
    hold->token = find_or_add(ss, token);
    if (hold->token != NULL)
        return hold;
    free(hold);
    return NULL;
}

bool stream_shapes_take(struct stream_shapes *ss, struct slice token,
                        const struct slice *filters, size_t count,
                        struct stream_shapes_hold **ret_hold)
{
    bool ok = false;

    if (!have_plus(filters, count)) {
        *ret_hold = NULL;
        return true;
    }
    pthread_mutex_lock(&ss->mutex);
    struct stream_shapes_hold *hold = hold_new(ss, token, count);
    if (hold != NULL) {
        ok = get_shapes(hold, filters, count);
        if (ok)
            *ret_hold = hold;
        else
            put_shapes(ss, hold);
    }
    pthread_mutex_unlock(&ss->mutex);
    return ok;
}

void stream_shapes_give(struct stream_shapes *ss,
                        struct stream_shapes_hold *hold)
{
    if (hold == NULL)
        return;
    pthread_mutex_lock(&ss->mutex);
    put_shapes(ss, hold);
    pthread_mutex_unlock(&ss->mutex);
}

size_t stream_shapes_count(struct stream_shapes *ss, struct slice token)
{
    pthread_mutex_lock(&ss->mutex);
    const struct token_shapes *t = find_token(ss, token);
    const size_t count = t == NULL ? 0 : t->shapes.count;
    pthread_mutex_unlock(&ss->mutex);
    return count;
}
