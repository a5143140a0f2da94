/* Output waiting to be written to one connection: a list of runs of bytes in
 * shared or own blocks. A run that continues the previous one in the same
 * block is merged with it, so sixty-four messages for a thousand connections
 * are one entry each.
 *
 * Bound: the caller stops adding when out_queue_full(), which is earlier
 * while all slow clients of the worker together hold much memory. A queue
 * whose socket is full is `blocked`: it copies its parts of shared blocks,
 * so that it keeps its own bytes alive and not 64 KiB per message.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_IO_OUT_QUEUE_H
#define CONFAB_BROKER_IO_OUT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/slice.h"
#include "broker/io/block.h"

#define OUT_QUEUE_BYTES_MAX (512 * 1024)
#define OUT_QUEUE_RUNS_MAX 1024
/* … of OUT_QUEUES_BYTES_MAX for one worker; above that each may have less */
#define OUT_QUEUES_BYTES_MAX (256U * 1024 * 1024)
#define OUT_QUEUE_BYTES_SHORT (16 * 1024)

struct out_queue {
    struct block_range *runs;   /* a ring; `few` or allocated */
    uint32_t first, count, cap; /* cap is a power of two */
    bool blocked;
    size_t bytes;       /* in all runs */
    struct block *open; /* own block with room left, a reference; or NULL */
    struct block_range few[2];
};

void out_queue_init(struct out_queue *q);
void out_queue_release(struct out_queue *q, struct block_pool *pool);

static inline bool out_queue_full(const struct out_queue *q,
                                  const struct block_pool *pool)
{
    const size_t most = pool->exact_bytes > OUT_QUEUES_BYTES_MAX
                            ? OUT_QUEUE_BYTES_SHORT
                            : OUT_QUEUE_BYTES_MAX;

    return q->bytes > most || q->count >= OUT_QUEUE_RUNS_MAX;
}

/* All of these return false or NULL if memory is short, and leave the queue
 * as it was.
 * Appends bytes that are already in a block, with a reference of its own. */
bool out_queue_share(struct out_queue *q, struct block_pool *pool,
                     const struct block_range *range);
/* Appends a copy. */
bool out_queue_copy(struct out_queue *q, struct block_pool *pool,
                    struct slice bytes);
/* Appends `len` (> 0) bytes for the caller to fill at once. */
char *out_queue_reserve(struct out_queue *q, struct block_pool *pool,
                        size_t len);

/* The first runs as an iovec; returns how many of `max` were filled. */
int out_queue_gather(const struct out_queue *q, struct iovec *iov, int max);
/* Removes the first n bytes, which have been written. */
void out_queue_consume(struct out_queue *q, struct block_pool *pool, size_t n);

/* Appends everything in `from`, and empties it. */
bool out_queue_move(struct out_queue *q, struct out_queue *from,
                    struct block_pool *pool);

/* The socket is full: releases shared blocks as far as memory allows. */
void out_queue_block(struct out_queue *q, struct block_pool *pool);
static inline void out_queue_unblock(struct out_queue *q)
{
    q->blocked = false;
}

#endif
