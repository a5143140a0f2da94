/* Memory for output. A block is filled once and then referenced by any
 * number of output queues of the same worker.
 *
 * Threads: a pool and its blocks belong to one worker; reference counts are
 * not atomic. */
#ifndef CONFAB_BROKER_IO_BLOCK_H
#define CONFAB_BROKER_IO_BLOCK_H

#include <stddef.h>
#include <stdint.h>

enum block_kind {
    BLOCK_SHARED, /* many messages for many connections */
    BLOCK_SMALL,  /* one connection's own answers and headers */
    BLOCK_EXACT   /* one large message, or a slow connection's backlog */
};

#define BLOCK_SHARED_SIZE 65536
#define BLOCK_SMALL_SIZE 1024
/* A larger message gets its own block, so that a slow connection never keeps
 * 64 KiB alive for a few bytes. */
#define BLOCK_SHARED_MAX (BLOCK_SHARED_SIZE / 4)

struct block {
    uint32_t refs;
    uint32_t size; /* of data[] */
    uint32_t used; /* data[0…used) is filled; maintained by whoever fills it */
    enum block_kind kind;
    struct block *next; /* the pool's */
    char data[];
};

/* Keeps freed blocks for the next turn, up to a few MiB. */
struct block_pool {
    struct block *shared, *small;
    size_t shared_count, small_count;
    /* Bytes of BLOCK_EXACT in use: what slow clients and large messages cost */
    size_t exact_bytes;
};

/* `size` is used for BLOCK_EXACT only. The caller owns one reference. NULL:
 * out of memory. */
struct block *block_new(struct block_pool *pool, enum block_kind kind,
                        size_t size);
static inline struct block *block_ref(struct block *b)
{
    b->refs++;
    return b;
}
void block_unref(struct block_pool *pool, struct block *b); /* NULL is fine */
void block_pool_release(struct block_pool *pool);

/* Where messages of one shape are written one after the other, so that a
 * connection that gets several in a row gets one run of bytes. */
struct arena {
    struct block *current; /* NULL: nothing written yet */
};

/* A run of bytes in a block. */
struct block_range {
    struct block *block;
    uint32_t offset, len;
};

/* Reserves `len` bytes. *ret_range carries a reference that the caller owns.
 * Returns where to write; NULL: out of memory. */
char *arena_reserve(struct arena *a, struct block_pool *pool, size_t len,
                    struct block_range *ret_range);
/* End of a turn: starts over in the same, still cached memory if nothing
 * references it any more. */
void arena_rewind(struct arena *a);
void arena_release(struct arena *a, struct block_pool *pool);

#endif
