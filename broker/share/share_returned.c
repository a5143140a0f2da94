#include "broker/share/share_returned.h"

#include <stdlib.h>
#include <string.h>

void share_returned_release(struct share_returned *r)
{
    free(r->ids);
    *r = (struct share_returned){0};
}

static bool make_room(struct share_returned *r, size_t more)
{
    if (r->first > 0) {
        memmove(r->ids, r->ids + r->first, r->count * sizeof(*r->ids));
        r->first = 0;
    }
    if (r->count + more <= r->cap)
        return true;
    const size_t cap = (r->count + more) * 2;
    uint64_t *ids = realloc(r->ids, cap * sizeof(*ids));
    if (ids == NULL)
        return false;
    r->ids = ids;
    r->cap = cap;
    return true;
}

/* A report has few ids, nearly in order. */
static void sort_ids(uint64_t *ids, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const uint64_t id = ids[i];
        size_t at = i;
        for (; at > 0 && ids[at - 1] > id; at--)
            ids[at] = ids[at - 1];
        ids[at] = id;
    }
}

bool share_returned_add(struct share_returned *r, uint64_t *ids, size_t count)
{
    if (count == 0)
        return true;
    if (!make_room(r, count))
        return false;
    sort_ids(ids, count);
    /* Merges from the end, so that each id moves once. */
    size_t old = r->count, at = r->count + count;
    r->count = at;
    while (count > 0)
        r->ids[--at] = old > 0 && r->ids[old - 1] > ids[count - 1]
                           ? r->ids[--old]
                           : ids[--count];
    return true;
}

void share_returned_pop(struct share_returned *r)
{
    r->first++;
    if (--r->count == 0)
        share_returned_release(r);
}
