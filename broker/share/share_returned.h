/* Ids of messages returned to a group, to be given again, oldest first.
 * Never more than its members had credit for. */
#ifndef CONFAB_BROKER_SHARE_SHARE_RETURNED_H
#define CONFAB_BROKER_SHARE_SHARE_RETURNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct share_returned { /* all zero: empty */
    uint64_t *ids;      /* [first, first + count), ascending */
    size_t first, count, cap;
};

void share_returned_release(struct share_returned *r);
/* Adds `ids`, in any order and not in the list yet; sorts them in place.
 * false: out of memory, nothing changed. */
bool share_returned_add(struct share_returned *r, uint64_t *ids, size_t count);

static inline uint64_t share_returned_first(const struct share_returned *r)
{
    return r->ids[r->first];
}

static inline bool share_returned_has(const struct share_returned *r,
                                      uint64_t id)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->ids[r->first + i] == id)
            return true;
    return false;
}

void share_returned_pop(struct share_returned *r);

#endif
