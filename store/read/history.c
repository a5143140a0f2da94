/* A walk loads one chunk at a time into ids[], in the order of the walk. In a new
 * snapshot it starts over after last_given: the chunk in memory may have been
 * trimmed, and ids of the open chunk may have moved to `chunks`. */
#include "store/read/history.h"

#include <assert.h>

#include "store/read/chunk.h"

/* values of chunk_first */
#define AT_START 0
#define AT_OPEN UINT64_MAX /* in the open chunk, the newest */

struct id_range {
    uint64_t low, high; /* both exclusive */
};

static struct id_range range_of(const struct history *h)
{
    struct id_range g = {h->floor, UINT64_MAX};

    if (h->after > g.low)
        g.low = h->after;
    if (h->ascending && h->last_given > g.low)
        g.low = h->last_given;
    if (h->before != 0)
        g.high = h->before;
    if (!h->ascending && h->last_given != 0 && h->last_given < g.high)
        g.high = h->last_given;
    return g;
}

/* Ascending walks keep ids above range.high: `before` may be raised between two
 * steps (catch-up does that); history_peek() compares with it. */
static void load_chunk(struct history *h, const struct chunk_row *c,
                       uint64_t first, struct id_range range)
{
    h->chunk_first = first;
    h->id_count = 0;
    h->id_next = 0;
    for (unsigned i = 0; i < c->count; i++) {
        const uint64_t id = c->ids[h->ascending ? i : c->count - 1 - i];
        if (id > range.low && (h->ascending || id < range.high))
            h->ids[h->id_count++] = id;
    }
}

/* ---- oldest first ------------------------------------------------------ */

static enum store_err load_open(struct store_reader *r, struct history *h)
{
    struct thing_state t;
    const enum store_err err = reader_thing(r, h->topic, &t);

    if (err == STORE_OK)
        load_chunk(h, &t.open, AT_OPEN, range_of(h));
    return err;
}

/* The chunk that holds the first id to return, or the chunk before it (then none of
 * its ids is loaded, and the walk moves on). */
static enum store_err first_chunk(struct store_reader *r, struct history *h,
                                  struct chunk_row *ret_chunk)
{
    const uint64_t low = range_of(h).low; /* start_walk() saw a later id */
    enum store_err err = STORE_NOTFOUND;

    if (h->since_us != 0 && h->last_given == 0) {
        const struct chunk_bound bound = {.by_time = true,
                                          .at_us = h->since_us};
        err = chunk_before(r, h->topic, &bound, ret_chunk);
    }
    if (err == STORE_NOTFOUND || (err == STORE_OK && ret_chunk->ids[0] <= low))
        err = chunk_below(r, h->topic, low + 1, ret_chunk);
    if (err == STORE_NOTFOUND)
        err = chunk_from(r, h->topic, low + 1, ret_chunk);
    return err;
}

static enum store_err load_ascending(struct store_reader *r, struct history *h)
{
    struct chunk_row c;

    if (h->chunk_first == AT_OPEN)
        return STORE_NOTFOUND;
    const enum store_err err =
        h->chunk_first == AT_START
            ? first_chunk(r, h, &c)
            : chunk_from(r, h->topic, h->chunk_first + 1, &c);
    if (err == STORE_NOTFOUND)
        return load_open(r, h);
    if (err == STORE_OK)
        load_chunk(h, &c, c.ids[0], range_of(h));
    return err;
}

/* ---- newest first ------------------------------------------------------ */

static enum store_err load_descending(struct store_reader *r,
                                      struct history *h)
{
    const struct id_range range = range_of(h);
    struct chunk_row c;
    enum store_err err;

    if (h->chunk_first == AT_OPEN && h->until_us != 0 && h->last_given == 0) {
        const struct chunk_bound bound = {.by_time = true,
                                          .at_us = h->until_us};
        err = chunk_before(r, h->topic, &bound, &c);
    } else {
        const uint64_t high =
            h->chunk_first < range.high ? h->chunk_first : range.high;
        err = chunk_below(r, h->topic, high, &c);
    }
    if (err == STORE_OK && chunk_last(&c) <= range.low)
        return STORE_NOTFOUND;
    if (err == STORE_OK)
        load_chunk(h, &c, c.ids[0], range);
    return err;
}

/* ---- both -------------------------------------------------------------- */

/* Looks at the thing in this snapshot for the first time. The open chunk comes with
 * its row, so a walk that begins in the open chunk needs no other look-up. */
static enum store_err start_walk(struct store_reader *r, struct history *h)
{
    struct thing_state t;
    const enum store_err err = reader_thing(r, h->topic, &t);

    if (err != STORE_OK)
        return err;
    if (t.row.count == 0)
        return STORE_NOTFOUND;
    h->snapshot = mdb_txn_id(r->txn);
    h->floor = t.row.first_id - 1;
    h->chunk_first = AT_START;
    h->id_count = h->id_next = 0;
    const struct id_range range = range_of(h);
    if (!h->ascending) {
        h->chunk_first = AT_OPEN;
        if (h->until_us == 0 || t.open.first_at_us < h->until_us)
            load_chunk(h, &t.open, AT_OPEN, range);
    } else if (range.low >= t.row.last_id ||
               (t.open.count > 0 && range.low >= t.open.ids[0] - 1)) {
        load_chunk(h, &t.open, AT_OPEN, range);
    }
    return STORE_OK;
}

enum store_err history_peek(struct store_reader *r, struct history *h,
                            uint64_t *ret_id)
{
    enum store_err err = STORE_OK;

    assert(r->active);
    if (h->snapshot != mdb_txn_id(r->txn))
        err = start_walk(r, h);
    while (err == STORE_OK && h->id_next == h->id_count)
        err = h->ascending ? load_ascending(r, h) : load_descending(r, h);
    if (err != STORE_OK)
        return err;
    const uint64_t id = h->ids[h->id_next];
    if (h->before != 0 && id >= h->before)
        return STORE_NOTFOUND;
    *ret_id = id;
    return STORE_OK;
}

void history_take(struct history *h)
{
    h->last_given = h->ids[h->id_next++];
}

/* A time outside of since_us and until_us: "soon" is the side where the walk
 * starts, "far" the side where it ends. */
static bool too_soon(const struct history *h, int64_t at_us)
{
    return h->ascending ? h->since_us != 0 && at_us < h->since_us
                        : h->until_us != 0 && at_us >= h->until_us;
}

static bool too_far(const struct history *h, int64_t at_us)
{
    return h->ascending ? h->until_us != 0 && at_us >= h->until_us
                        : h->since_us != 0 && at_us < h->since_us;
}

enum store_err store_history_next(struct store_reader *r, struct history *h,
                                  struct record *ret_record)
{
    struct record record;
    enum store_err err;
    uint64_t id;

    for (;;) {
        err = history_peek(r, h, &id);
        if (err != STORE_OK)
            return err;
        err = reader_entry(r, id, &record);
        if (err == STORE_NOTFOUND) /* visible ids must be in the log */
            return STORE_CORRUPT;
        if (err ==
            STORE_CORRUPT) { /* nobody can read it: go on with the next */
            history_take(h);
            continue;
        }
        if (err != STORE_OK)
            return err;
        if (too_far(h, record.m.at_us))
            return STORE_NOTFOUND;
        history_take(h);
        if (too_soon(h, record.m.at_us) ||
            (record.m.deleted && h->skips_deleted))
            continue;
        *ret_record = record;
        return STORE_OK;
    }
}

enum store_err store_by_seq(struct store_reader *r, struct slice topic,
                            uint64_t seq, struct record *ret_record)
{
    struct thing_state t;
    struct chunk_row c;

    enum store_err err = reader_thing(r, topic, &t);
    if (err != STORE_OK)
        return err;
    if (t.row.count == 0 || seq < t.row.first_seq || seq > t.row.last_seq)
        return STORE_NOTFOUND;
    if (seq >= t.open.first_seq) {
        c = t.open;
    } else {
        const struct chunk_bound bound = {.seq = seq + 1};
        err = chunk_before(r, topic, &bound, &c);
        if (err != STORE_OK || seq - c.first_seq >= c.count)
            return STORE_CORRUPT;
    }
    err = reader_entry(r, c.ids[seq - c.first_seq], ret_record);
    return err == STORE_NOTFOUND ? STORE_CORRUPT : err;
}

/* The last messages were deleted: most often one, seldom many. */
static enum store_err latest_before(struct store_reader *r, struct slice topic,
                                    uint64_t id, struct record *ret_record)
{
    struct history h = {.topic = topic, .before = id};

    for (int i = 1; i < LATEST_LOOKS; i++) {
        const enum store_err err = store_history_next(r, &h, ret_record);
        if (err != STORE_OK || !ret_record->m.deleted)
            return err;
    }
    return STORE_NOTFOUND;
}

enum store_err store_latest(struct store_reader *r, struct slice topic,
                            struct record *ret_record)
{
    struct thing_state t;
    const enum store_err err = reader_thing(r, topic, &t);

    if (err != STORE_OK)
        return err;
    if (t.row.count == 0)
        return STORE_NOTFOUND;
    enum store_err found = reader_entry(r, t.row.last_id, ret_record);
    if (found == STORE_OK && ret_record->m.deleted)
        found = latest_before(r, topic, t.row.last_id, ret_record);
    return found;
}
