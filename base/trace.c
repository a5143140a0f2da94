#include "base/trace.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/name_hash.h"

#define RING 1024   /* lines; a power of two */
#define THREADS 512 /* that have a ring; the lines of others are dropped */

/* One thread adds at `head`, the draining one takes at `tail`. */
struct ring {
    _Atomic uint64_t head, tail, dropped;
    struct trace_line lines[RING];
};

_Atomic uint64_t trace_token;

static _Atomic int64_t until_us; /* then it is off again */
/* Between the clocks, measured now and then: two looks for each line could be torn
 * apart, and the order of the lines with them. */
static _Atomic int64_t real_minus_mono_us;
static struct {
    uint64_t owner;
    int64_t since_us; /* monotonic: lines before it are an earlier owner's */
    unsigned at;      /* the ring to look at next */
} draining;
static _Atomic(struct ring *) rings[THREADS];
static atomic_uint ring_count;
static _Atomic uint64_t without_ring; /* lines */
static _Atomic uint64_t calls;        /* of trace_record() */
static _Thread_local struct ring *own;
static atomic_bool has_bridge;

static uint64_t hash_of(struct slice token)
{
    return (uint64_t)name_hash(token.data, token.len) << 8 | 1;
}

static struct ring *own_ring(void)
{
    if (own != NULL || atomic_load(&ring_count) >= THREADS)
        return own;
    struct ring *ring = calloc(1, sizeof(*ring));
    if (ring == NULL)
        return NULL;
    const unsigned at = atomic_fetch_add(&ring_count, 1);
    if (at >= THREADS) {
        free(ring);
        return NULL;
    }
    atomic_store(&rings[at], ring);
    own = ring;
    return ring;
}

static void keep_thing(struct trace_line *line, struct slice thing)
{
    size_t len = thing.len < TRACE_THING_MAX ? thing.len : TRACE_THING_MAX;
    const unsigned char *bytes = thing.data;

    /* Not in the middle of a character. */
    while (len > 0 && len < thing.len && (bytes[len] & 0xc0) == 0x80)
        len--;
    line->thing_len = (uint8_t)len;
    if (len > 0)
        memcpy(line->thing, bytes, len);
}

void trace_record(enum trace_hop hop, uint64_t who, struct slice topic,
                  uint64_t id, uint64_t ref, uint64_t bytes)
{
    const uint64_t wanted =
        atomic_load_explicit(&trace_token, memory_order_relaxed);

    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    if (wanted == 0)
        return;
    const char *slash =
        topic.len == 0 ? NULL : memchr(topic.data, '/', topic.len);
    const size_t token_len =
        slash == NULL ? topic.len : (size_t)(slash - (const char *)topic.data);
    if (hash_of(slice_of(topic.data, token_len)) != wanted)
        return;
    const int64_t mono_us = clock_mono_us();
    if (mono_us > atomic_load(&until_us)) { /* nobody asks any more */
        atomic_store(&trace_token, 0);
        return;
    }
    struct ring *ring = own_ring();
    if (ring == NULL) {
        atomic_fetch_add(&without_ring, 1);
        return;
    }
    const uint64_t head = atomic_load(&ring->head);
    if (head - atomic_load(&ring->tail) == RING) {
        atomic_fetch_add(&ring->dropped, 1);
        return;
    }
    struct trace_line *line = &ring->lines[head % RING];
    *line = (struct trace_line){
        .at_us = mono_us + atomic_load(&real_minus_mono_us),
        .mono_us = mono_us,
        .who = who,
        .id = id,
        .ref = ref,
        .bytes = bytes,
        .token_hash = wanted,
        .hop = (uint8_t)hop,
    };
    if (slash != NULL)
        keep_thing(line, slice_of(slash + 1, topic.len - token_len - 1));
    atomic_store(&ring->head, head + 1);
}

/* What an earlier owner left behind would take a new one's room. */
static void empty_rings(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        struct ring *ring = atomic_load(&rings[i]);
        if (ring != NULL)
            atomic_store(&ring->tail, atomic_load(&ring->head));
    }
    (void)trace_take_dropped();
}

uint64_t trace_calls(void)
{
    return atomic_load(&calls);
}

bool trace_keep(struct slice token, uint64_t owner, int64_t mono_us)
{
    const bool is_free =
        atomic_load(&trace_token) == 0 || mono_us > atomic_load(&until_us);

    if (!is_free && draining.owner != owner)
        return false;
    if (draining.owner != owner) {
        empty_rings();
        draining.since_us = mono_us;
    }
    draining.owner = owner;
    atomic_store(&real_minus_mono_us, clock_real_us() - clock_mono_us());
    atomic_store(&until_us, mono_us + TRACE_LEASE_US);
    atomic_store(&trace_token, hash_of(token));
    return true;
}

static bool take_from(struct ring *ring, struct trace_line *ret_line)
{
    const uint64_t tail = atomic_load(&ring->tail);

    if (tail == atomic_load(&ring->head))
        return false;
    *ret_line = ring->lines[tail % RING];
    atomic_store(&ring->tail, tail + 1);
    return true;
}

bool trace_next(struct trace_line *ret_line)
{
    const uint64_t wanted = atomic_load(&trace_token);
    unsigned empty = 0;

    /* Ring after ring, so that none of them starves. */
    while (empty < THREADS) {
        struct ring *ring = atomic_load(&rings[draining.at % THREADS]);
        if (ring == NULL || !take_from(ring, ret_line)) {
            draining.at++;
            empty++;
        } else if (ret_line->token_hash == wanted &&
                   ret_line->mono_us >= draining.since_us) {
            return true;
        }
    }
    return false;
}

uint64_t trace_take_dropped(void)
{
    uint64_t dropped = atomic_exchange(&without_ring, 0);

    for (unsigned i = 0; i < THREADS; i++) {
        struct ring *ring = atomic_load(&rings[i]);
        if (ring != NULL)
            dropped += atomic_exchange(&ring->dropped, 0);
    }
    return dropped;
}

void trace_declare_bridge(void)
{
    atomic_store(&has_bridge, true);
}

bool trace_has_bridge(void)
{
    return atomic_load(&has_bridge);
}

const char *trace_hop_word(enum trace_hop hop)
{
    switch (hop) {
#define X(name, word, who)                                                    \
    case TRACE_##name: return word;
        TRACE_HOPS(X)
#undef X
    }
    return "?";
}

const char *trace_hop_who(enum trace_hop hop)
{
    switch (hop) {
#define X(name, word, who)                                                    \
    case TRACE_##name: return who;
        TRACE_HOPS(X)
#undef X
    }
    return "?";
}
