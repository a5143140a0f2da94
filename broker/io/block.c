#include "broker/io/block.h"

#include <stdlib.h>

#define SHARED_KEPT 64  /* 4 MiB */
#define SMALL_KEPT 4096 /* 4 MiB */

static struct block *block_take(struct block **list, size_t *count)
{
    struct block *b = *list;

    if (b != NULL) {
        *list = b->next;
        (*count)--;
    }
    return b;
}

struct block *block_new(struct block_pool *pool, enum block_kind kind,
                        size_t size)
{
    struct block *b = NULL;

    if (kind == BLOCK_SHARED) {
        b = block_take(&pool->shared, &pool->shared_count);
        size = BLOCK_SHARED_SIZE;
    } else if (kind == BLOCK_SMALL) {
        b = block_take(&pool->small, &pool->small_count);
        size = BLOCK_SMALL_SIZE;
    }
    if (b == NULL) {
        b = malloc(sizeof(*b) + size);
        if (b == NULL)
            return NULL;
        b->size = (uint32_t)size;
        b->kind = kind;
    }
    if (kind == BLOCK_EXACT)
        pool->exact_bytes += size;
    b->refs = 1;
    b->used = 0;
    b->next = NULL;
    return b;
}

static void block_keep(struct block **list, size_t *count, struct block *b)
{
    b->next = *list;
    *list = b;
    (*count)++;
}

void block_unref(struct block_pool *pool, struct block *b)
{
    if (b == NULL || --b->refs > 0)
        return;
    if (b->kind == BLOCK_SHARED && pool->shared_count < SHARED_KEPT)
        block_keep(&pool->shared, &pool->shared_count, b);
    else if (b->kind == BLOCK_SMALL && pool->small_count < SMALL_KEPT)
        block_keep(&pool->small, &pool->small_count, b);
    else {
        if (b->kind == BLOCK_EXACT)
            pool->exact_bytes -= b->size;
        free(b);
    }
}

void block_pool_release(struct block_pool *pool)
{
    struct block *b;

    while ((b = block_take(&pool->shared, &pool->shared_count)) != NULL)
        free(b);
    while ((b = block_take(&pool->small, &pool->small_count)) != NULL)
        free(b);
}

char *arena_reserve(struct arena *a, struct block_pool *pool, size_t len,
                    struct block_range *ret_range)
{
    struct block *b = a->current;

    if (len > BLOCK_SHARED_MAX) {
        b = block_new(pool, BLOCK_EXACT, len);
        if (b == NULL)
            return NULL;
    } else {
        if (b == NULL || b->size - b->used < len) {
            b = block_new(pool, BLOCK_SHARED, 0);
            if (b == NULL)
                return NULL;
            block_unref(pool, a->current);
            a->current = b;
        }
        block_ref(b);
    }
    *ret_range = (struct block_range){b, b->used, (uint32_t)len};
    b->used += (uint32_t)len;
    return b->data + ret_range->offset;
}

void arena_rewind(struct arena *a)
{
    if (a->current != NULL && a->current->refs == 1)
        a->current->used = 0;
}

void arena_release(struct arena *a, struct block_pool *pool)
{
    block_unref(pool, a->current);
    a->current = NULL;
}
