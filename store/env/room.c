#include "store/env/room.h"

/* With less room than this nothing is accepted: so small messages are accepted as
 * long as "accepting" says so, not until the last byte is used. */
#define ROOM_MIN (16u << 10)
/* How old a result of walking the free list may be: the walk costs a read per
 * transaction that freed something, and a full store is asked all the time. */
#define USED_AGE_US 20000
/* How much of the map one deletion may take until its pages come back: a few pages
 * of `log` and of `chunks`. */
#define DELETION_BYTES (64u << 10)

/* LMDB stores a value above about half a page in pages of its own. */
#define INLINE_MAX 2000u
#define ROW_SHARE 128u /* key, node, things row, chunk, operation id */

void space_init(struct space *s, struct store_env *e)
{
    *s = (struct space){.e = e};
}

void space_begin(struct space *s)
{
    s->room_known = s->room_exact = s->inline_only = false;
    s->taken_now = 0;
}

void space_freed(struct space *s)
{
    s->used_mono_us = 0;
}

uint64_t space_of(const struct message *m)
{
    const uint64_t record = m->topic.len + m->payload.len +
                            m->content_type.len + m->response_topic.len +
                            m->correlation.len + m->sender.len +
                            m->changed_by.len + m->user_properties.len;
    if (record <= INLINE_MAX)
        return record + ROW_SHARE;
    return (record + ROW_SHARE + 4095) / 4096 * 4096 + ROW_SHARE;
}

static uint64_t used_bytes(struct space *s, int64_t mono_us)
{
    uint64_t bytes;

    if (s->used_mono_us == 0 || mono_us - s->used_mono_us > USED_AGE_US) {
        if (store_used(s->e, NULL, &bytes, &s->pinned) != STORE_OK) {
            bytes =
                store_end(s->e); /* the upper bound, which needs no reads */
            s->pinned = 0;
        }
        s->used = bytes;
        s->used_mono_us = mono_us;
        s->taken = s->taken_now; /* the last commit does not contain these */
    }
    return s->used + s->taken;
}

static uint64_t minus_or_zero(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* Room on a full disk: only what was freed inside the file and, because
 * copy-on-write needs pages as well, not all of that. A message above INLINE_MAX
 * needs adjoining pages: when none are free the file grows, into the reserve. After
 * half of the reserve has been used so, only small messages are accepted; the last
 * quarter is for trims. */
static void measure_full_disk(struct space *s, uint64_t end, uint64_t in_use)
{
    const uint64_t left = minus_or_zero(s->e->allocated, end);

    if (s->room > minus_or_zero(end, in_use) / 2)
        s->room = minus_or_zero(end, in_use) / 2;
    s->inline_only = left < s->e->disk_reserve / 2;
    if (left < s->e->disk_reserve / 4)
        s->room = 0;
}

/* By the upper bound, which costs nothing; by the free list if that is too high. */
static void measure_room(struct space *s, uint64_t bytes, int64_t mono_us)
{
    const uint64_t end = store_end(s->e);
    const bool blocks = store_preallocate(s->e, end) == STORE_OK;

    s->room_known = true;
    s->disk_full = !blocks;
    s->room = minus_or_zero(s->e->soft_limit, end + s->taken_now);
    if (blocks && s->room >= bytes)
        return;
    const uint64_t in_use = used_bytes(s, mono_us);
    s->room_exact = true;
    s->room = minus_or_zero(s->e->soft_limit, in_use);
    if (!blocks)
        measure_full_disk(s, end, in_use);
}

uint64_t space_room(struct space *s, uint64_t bytes, int64_t mono_us)
{
    const uint64_t needed = bytes > ROOM_MIN ? bytes : ROOM_MIN;

    if (!s->room_known || (!s->room_exact && s->room < needed))
        measure_room(s, needed, mono_us);
    if (s->room < ROOM_MIN)
        return 0;
    return s->inline_only ? INLINE_MAX + ROW_SHARE : s->room;
}

bool space_admits(struct space *s, uint64_t bytes, int64_t mono_us)
{
    const uint64_t room = space_room(s, bytes, mono_us);

    return room > 0 && bytes <= room;
}

void space_take(struct space *s, uint64_t bytes)
{
    s->room = minus_or_zero(s->room, bytes);
    s->taken += bytes;
    s->taken_now += bytes;
}

/* Bytes of the whole map, reserve included, that are left. */
static uint64_t left_of_map(struct space *s, uint64_t enough, int64_t mono_us)
{
    const uint64_t map = s->e->real_map;
    const uint64_t left = minus_or_zero(map, store_end(s->e) + s->taken_now);

    return left >= enough ? left : minus_or_zero(map, used_bytes(s, mono_us));
}

uint64_t space_upkeep(struct space *s, uint64_t bytes, int64_t mono_us)
{
    const uint64_t half = s->e->reserve / 2;
    const uint64_t room =
        minus_or_zero(left_of_map(s, half + bytes, mono_us), half);

    if (store_preallocate(s->e, store_end(s->e)) == STORE_OK)
        return room;
    /* On a full disk there is only what has been allocated. */
    const uint64_t blocks =
        minus_or_zero(minus_or_zero(s->e->allocated, used_bytes(s, mono_us)),
                      s->e->disk_reserve / 2);
    return blocks < room ? blocks : room;
}

bool space_has_upkeep(struct space *s, uint64_t bytes, int64_t mono_us)
{
    const uint64_t room = space_upkeep(s, bytes, mono_us);

    return room > 0 && bytes <= room;
}

unsigned space_deletions(struct space *s, unsigned most, int64_t mono_us)
{
    const uint64_t half = s->e->reserve / 2;
    const uint64_t left = left_of_map(s, half, mono_us);

    if (left >= half)
        return most;
    if (left + s->pinned >= half)
        return 0;
    uint64_t few = minus_or_zero(left, s->e->reserve / 16) / DELETION_BYTES;
    if (few == 0 && left >= DELETION_BYTES)
        few = 1;
    return few < most ? (unsigned)few : most;
}
