#include "bridge/stream/stream_quota.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/net/connection_budget.h"
#include "bridge/stream/name_table.h"

struct token_count {
    struct name_node node; /* first: a node is its count */
    uint64_t count;
    char text[];
};

struct stream_quota {
    pthread_mutex_t mutex;
    struct name_table tokens; /* those with an open stream */
    uint64_t count;
    struct connection_budget *budget;
};

struct stream_quota *stream_quota_new(struct connection_budget *budget)
{
    struct stream_quota *q = malloc(sizeof(*q));

    if (q == NULL)
        return NULL;
    pthread_mutex_init(&q->mutex, NULL);
    name_table_init(&q->tokens);
    q->count = 0;
    q->budget = budget;
    return q;
}

static void free_count(void *arg, struct name_node *n)
{
    (void)arg;
    free(n);
}

void stream_quota_free(struct stream_quota *q)
{
    if (q == NULL)
        return;
    name_table_each(&q->tokens, free_count, NULL);
    name_table_release(&q->tokens);
    pthread_mutex_destroy(&q->mutex);
    free(q);
}

static struct token_count *find_count(struct stream_quota *q,
                                      struct slice token)
{
    return (struct token_count *)name_table_find(&q->tokens, token);
}

static struct token_count *find_or_add(struct stream_quota *q,
                                       struct slice token)
{
    struct token_count *t = find_count(q, token);

    if (t != NULL)
        return t;
    t = malloc(sizeof(*t) + token.len);
    if (t == NULL)
        return NULL;
    memcpy(t->text, token.data, token.len);
    t->node.name = slice_of(t->text, token.len);
    t->count = 0;
    name_table_add(&q->tokens, &t->node);
    return t;
}

bool stream_quota_take(struct stream_quota *q, struct slice token,
                       uint64_t most_of_token)
{
    pthread_mutex_lock(&q->mutex);
    struct token_count *t = find_or_add(q, token);
    const bool ok =
        t != NULL && (most_of_token == 0 || t->count < most_of_token);
    if (ok) {
        t->count++;
        q->count++;
    }
    pthread_mutex_unlock(&q->mutex);
    if (ok && q->budget != NULL)
        connection_budget_add(q->budget);
    return ok;
}

void stream_quota_give(struct stream_quota *q, struct slice token)
{
    pthread_mutex_lock(&q->mutex);
    struct token_count *t = find_count(q, token);
    if (t != NULL && q->budget != NULL)
        connection_budget_give(q->budget);
    if (t != NULL) {
        q->count--;
        if (--t->count == 0) {
            name_table_remove(&q->tokens, &t->node);
            free(t);
        }
    }
    pthread_mutex_unlock(&q->mutex);
}

uint64_t stream_quota_count(struct stream_quota *q)
{
    pthread_mutex_lock(&q->mutex);
    const uint64_t n = q->count;
    pthread_mutex_unlock(&q->mutex);
    return n;
}

uint64_t stream_quota_count_of(struct stream_quota *q, struct slice token)
{
    pthread_mutex_lock(&q->mutex);
    const struct token_count *t = find_count(q, token);
    const uint64_t n = t == NULL ? 0 : t->count;
    pthread_mutex_unlock(&q->mutex);
    return n;
}
