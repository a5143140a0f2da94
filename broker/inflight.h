/* Packet ids of QoS 1 messages a client has not acknowledged yet. A clean
 * session forgets them with its connection, so which message an id stood for
 * need not be known: one bit each. Ids are 1…INFLIGHT_MAX, given round robin. */
#ifndef CONFAB_BROKER_INFLIGHT_H
#define CONFAB_BROKER_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#define INFLIGHT_MAX 256

struct inflight {
    uint64_t taken[INFLIGHT_MAX / 64]; /* bit id - 1 */
    uint16_t count;
    uint16_t window; /* min(client's Receive Maximum, INFLIGHT_MAX) */
    uint16_t last;   /* id given last */
};

static inline bool inflight_full(const struct inflight *f)
{
    return f->count >= f->window;
}

/* Not when full. */
static inline uint16_t inflight_take(struct inflight *f)
{
    unsigned id = f->last;

    do
        id = id % INFLIGHT_MAX + 1;
    while (f->taken[(id - 1) / 64] >> (id - 1) % 64 & 1);
    f->taken[(id - 1) / 64] |= UINT64_C(1) << (id - 1) % 64;
    f->count++;
    f->last = (uint16_t)id;
    return f->last;
}

/* false: that id was not taken. */
static inline bool inflight_give_back(struct inflight *f, unsigned id)
{
    if (id == 0 || id > INFLIGHT_MAX ||
        !(f->taken[(id - 1) / 64] >> (id - 1) % 64 & 1))
        return false;
    f->taken[(id - 1) / 64] &= ~(UINT64_C(1) << (id - 1) % 64);
    f->count--;
    return true;
}

#endif
