/* Packet ids of QoS 2 messages that a client sent and has not released yet:
 * a PUBLISH with one of these ids is a duplicate (MQTT-4.3.3-10). One bit
 * per id; no memory for the many clients that never use QoS 2.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_CLIENT_INBOUND_H
#define CONFAB_BROKER_CLIENT_INBOUND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct inbound {
    uint32_t count;
    uint64_t taken[65536 / 64];
};

static inline bool inbound_has(const struct inbound *b, uint16_t id)
{
    return b != NULL && (b->taken[id / 64] >> id % 64 & 1);
}

static inline uint32_t inbound_count(const struct inbound *b)
{
    return b == NULL ? 0 : b->count;
}

/* Adding an id twice is fine. false: out of memory. */
static inline bool inbound_add(struct inbound **b, uint16_t id)
{
    if (*b == NULL)
        *b = calloc(1, sizeof(**b));
    if (*b == NULL)
        return false;
    (*b)->count += !inbound_has(*b, id);
    (*b)->taken[id / 64] |= UINT64_C(1) << id % 64;
    return true;
}

/* false: the id was not there. */
static inline bool inbound_remove(struct inbound *b, uint16_t id)
{
    if (!inbound_has(b, id))
        return false;
    b->taken[id / 64] &= ~(UINT64_C(1) << id % 64);
    b->count--;
    return true;
}

#endif
