/* Finding rows of `chunks` of one topic, which are in the order of their first ids.
 * Rows below the thing's first_id may be among them (store/format/schema.h, trim).
 * STORE_NOTFOUND: no such row. */
#ifndef CONFAB_STORE_READ_CHUNK_H
#define CONFAB_STORE_READ_CHUNK_H

#include "store/read/reader.h"

/* The first chunk whose first id is at least `id`. */
enum store_err chunk_from(struct store_reader *r, struct slice topic,
                          uint64_t id, struct chunk_row *ret_chunk);
/* The last chunk whose first id is below `id`. */
enum store_err chunk_below(struct store_reader *r, struct slice topic,
                           uint64_t id, struct chunk_row *ret_chunk);

/* The last chunk that begins before a sequence number or a time. Both grow with
 * ids, so bisecting the ids finds it in about as many look-ups as the head has
 * bits. */
struct chunk_bound {
    bool by_time;
    uint64_t seq;  /* first_seq < seq */
    int64_t at_us; /* first_at_us < at_us */
};
enum store_err chunk_before(struct store_reader *r, struct slice topic,
                            const struct chunk_bound *bound,
                            struct chunk_row *ret_chunk);

static inline uint64_t chunk_last(const struct chunk_row *c)
{
    return c->ids[c->count - 1];
}

#endif
