/* Subscription Identifiers of the filters that match one message, in a list
 * that a worker reuses. Threads: one worker's. */
#ifndef CONFAB_BROKER_INDEX_IDENTIFIERS_H
#define CONFAB_BROKER_INDEX_IDENTIFIERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Most that one PUBLISH carries, 5 bytes each, so that they exceed neither
 * the client's Maximum Packet Size nor memory. A client with more
 * overlapping filters gets the first of them. */
#define IDENTIFIERS_MAX 1024

struct identifiers {
    uint32_t *items;
    size_t count, cap;
};

static inline void identifiers_clear(struct identifiers *l)
{
    l->count = 0;
}

/* Without memory the identifier is left out, because the message matters
 * more. */
static inline void identifiers_put(struct identifiers *l, uint32_t identifier)
{
    if (l->count == IDENTIFIERS_MAX)
        return;
    if (l->count == l->cap) {
        const size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        uint32_t *items = realloc(l->items, cap * sizeof(*items));
        if (items == NULL)
            return;
        l->items = items;
        l->cap = cap;
    }
    l->items[l->count++] = identifier;
}

#endif
