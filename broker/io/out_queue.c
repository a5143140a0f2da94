#include "broker/io/out_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FEW (sizeof(((struct out_queue *)0)->few) / sizeof(struct block_range))
#define BACKLOG_BLOCK (16 * 1024) /* own blocks of a blocked queue */

void out_queue_init(struct out_queue *q)
{
    *q = (struct out_queue){.cap = FEW};
    q->runs = q->few;
}

static struct block_range *run_at(const struct out_queue *q, uint32_t i)
{
    return &q->runs[(q->first + i) & (q->cap - 1)];
}

static void drop_ring(struct out_queue *q)
{
    if (q->runs != q->few)
        free(q->runs);
    q->runs = q->few;
    q->cap = FEW;
    q->first = 0;
}

/* Nothing is queued: an idle connection holds no memory here. */
static void out_queue_drained(struct out_queue *q, struct block_pool *pool)
{
    assert(q->bytes == 0 && q->count == 0);
    block_unref(pool, q->open);
    q->open = NULL;
    drop_ring(q);
}

void out_queue_release(struct out_queue *q, struct block_pool *pool)
{
    for (uint32_t i = 0; i < q->count; i++)
        block_unref(pool, run_at(q, i)->block);
    q->count = 0;
    q->bytes = 0;
    out_queue_drained(q, pool);
}

static bool grow_ring(struct out_queue *q)
{
    const uint32_t cap = q->cap * 4;
    struct block_range *runs = malloc(cap * sizeof(*runs));

    if (runs == NULL)
        return false;
    for (uint32_t i = 0; i < q->count; i++)
        runs[i] = *run_at(q, i);
    if (q->runs != q->few)
        free(q->runs);
    q->runs = runs;
    q->cap = cap;
    q->first = 0;
    return true;
}

/* Appends a run. On success the queue takes a reference to its block. */
static bool out_queue_append(struct out_queue *q, struct block_pool *pool,
                             struct block *b, uint32_t offset, uint32_t len)
{
    if (q->count > 0) {
        struct block_range *last = run_at(q, q->count - 1);
        if (last->block == b && last->offset + last->len == offset) {
            last->len += len;
            q->bytes += len;
            block_unref(pool, b);
            return true;
        }
    }
    if (q->count == q->cap && !grow_ring(q))
        return false;
    *run_at(q, q->count++) = (struct block_range){b, offset, len};
    q->bytes += len;
    return true;
}

bool out_queue_share(struct out_queue *q, struct block_pool *pool,
                     const struct block_range *range)
{
    if (q->blocked && range->block->kind == BLOCK_SHARED)
        return out_queue_copy(
            q, pool, slice_of(range->block->data + range->offset, range->len));
    block_ref(range->block);
    if (out_queue_append(q, pool, range->block, range->offset, range->len))
        return true;
    block_unref(pool, range->block);
    return false;
}

static bool open_block(struct out_queue *q, struct block_pool *pool,
                       size_t len)
{
    struct block *b;

    if (q->open != NULL && q->open->size - q->open->used >= len)
        return true;
    if (q->blocked)
        b = block_new(pool, BLOCK_EXACT,
                      len > BACKLOG_BLOCK ? len : BACKLOG_BLOCK);
    else if (len <= BLOCK_SMALL_SIZE)
        b = block_new(pool, BLOCK_SMALL, 0);
    else
        b = block_new(pool, BLOCK_EXACT, len);
    if (b == NULL)
        return false;
    block_unref(pool, q->open);
    q->open = b;
    return true;
}

char *out_queue_reserve(struct out_queue *q, struct block_pool *pool,
                        size_t len)
{
    if (!open_block(q, pool, len))
        return NULL;

    struct block *b = block_ref(q->open);
    const uint32_t offset = b->used;
    if (!out_queue_append(q, pool, b, offset, (uint32_t)len)) {
        block_unref(pool, b);
        return NULL;
    }
    b->used += (uint32_t)len;
    return b->data + offset;
}

bool out_queue_copy(struct out_queue *q, struct block_pool *pool,
                    struct slice bytes)
{
    if (bytes.len == 0)
        return true;
    char *to = out_queue_reserve(q, pool, bytes.len);
    if (to == NULL)
        return false;
    memcpy(to, bytes.data, bytes.len);
    return true;
}

int out_queue_gather(const struct out_queue *q, struct iovec *iov, int max)
{
    int n = 0;

    for (uint32_t i = 0; i < q->count && n < max; i++, n++) {
        const struct block_range *r = run_at(q, i);
        iov[n] = (struct iovec){r->block->data + r->offset, r->len};
    }
    return n;
}

void out_queue_consume(struct out_queue *q, struct block_pool *pool, size_t n)
{
    assert(n <= q->bytes);
    q->bytes -= n;
    while (n > 0) {
        struct block_range *r = run_at(q, 0);
        if (n < r->len) {
            r->offset += (uint32_t)n;
            r->len -= (uint32_t)n;
            return;
        }
        n -= r->len;
        block_unref(pool, r->block);
        q->first = (q->first + 1) & (q->cap - 1);
        q->count--;
    }
    if (q->bytes == 0)
        out_queue_drained(q, pool);
}

bool out_queue_move(struct out_queue *q, struct out_queue *from,
                    struct block_pool *pool)
{
    while (from->count > 0) {
        const struct block_range range = *run_at(from, 0);
        if (!out_queue_share(q, pool, &range))
            return false;
        out_queue_consume(from, pool, range.len);
    }
    return true;
}

void out_queue_block(struct out_queue *q, struct block_pool *pool)
{
    size_t shared = 0;

    q->blocked = true;
    for (uint32_t i = 0; i < q->count; i++)
        if (run_at(q, i)->block->kind == BLOCK_SHARED)
            shared += run_at(q, i)->len;
    if (shared == 0)
        return;
    struct block *own = block_new(pool, BLOCK_EXACT, shared);
    if (own == NULL)
        return; /* it keeps its shared blocks */

    const uint32_t count = q->count;
    q->count = 0;
    q->bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct block_range r = *run_at(q, i); /* appended at or before i */
        if (r.block->kind == BLOCK_SHARED) {
            memcpy(own->data + own->used, r.block->data + r.offset, r.len);
            block_unref(pool, r.block);
            r.block = block_ref(own);
            r.offset = own->used;
            own->used += r.len;
        }
        (void)out_queue_append(q, pool, r.block, r.offset,
                               r.len); /* there is room */
    }
    block_unref(pool, own);
}
