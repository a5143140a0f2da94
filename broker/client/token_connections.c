#include "broker/client/token_connections.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/name_hash.h"

struct token_connection_count {
    UT_hash_handle hh;
    uint64_t count;
    char token[];
};

struct token_connections {
    pthread_mutex_t mutex;
    struct token_connection_count *counts;
};

struct token_connections *token_connections_new(void)
{
    struct token_connections *t = calloc(1, sizeof(*t));

    if (t != NULL && pthread_mutex_init(&t->mutex, NULL) != 0) {
        free(t);
        return NULL;
    }
    return t;
}

void token_connections_free(struct token_connections *t)
{
    struct token_connection_count *c, *next;

    if (t == NULL)
        return;
    HASH_ITER (hh, t->counts, c, next) {
        HASH_DEL(t->counts, c);
        free(c);
    }
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

static struct token_connection_count *add_row(struct token_connections *t,
                                              struct slice token)
{
    struct token_connection_count *c = calloc(1, sizeof(*c) + token.len);

    if (c == NULL)
        return NULL;
    memcpy(c->token, token.data, token.len);
    HASH_ADD_KEYPTR(hh, t->counts, c->token, token.len, c);
    if (c->hh.tbl == NULL) { /* out of memory in the table */
        free(c);
        return NULL;
    }
    return c;
}

bool token_connections_add(struct token_connections *t, struct slice token,
                           uint64_t limit)
{
    struct token_connection_count *c;
    bool added = false;

    pthread_mutex_lock(&t->mutex);
    HASH_FIND(hh, t->counts, token.data, token.len, c);
    if (c == NULL)
        c = add_row(t, token);
    if (c != NULL && c->count < limit) {
        c->count++;
        added = true;
    }
    pthread_mutex_unlock(&t->mutex);
    return added;
}

void token_connections_remove(struct token_connections *t, struct slice token)
{
    struct token_connection_count *c;

    pthread_mutex_lock(&t->mutex);
    HASH_FIND(hh, t->counts, token.data, token.len, c);
    assert(c != NULL && c->count > 0);
    if (--c->count == 0) {
        HASH_DEL(t->counts, c);
        free(c);
    }
    pthread_mutex_unlock(&t->mutex);
}
