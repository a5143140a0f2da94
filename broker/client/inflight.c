#include "broker/client/inflight.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 8

void inflight_init(struct inflight *f, uint16_t window)
{
    *f = (struct inflight){.window = window};
}

static void drop_memory(struct inflight *f)
{
    free(f->entries);
    f->entries = NULL;
    f->first = f->cap = 0;
}

void inflight_release(struct inflight *f)
{
    for (unsigned i = 0; i < f->count; i++)
        free(inflight_at(f, i)->identifiers);
    f->count = 0;
    memset(f->taken, 0, sizeof(f->taken));
    drop_memory(f);
}

/* Makes room for one more at the end. */
static bool make_room(struct inflight *f)
{
    if (f->first + f->count < f->cap)
        return true;
    /* Most are acknowledged from the front: slide instead of growing. */
    if (f->first > f->cap / 2) {
        memmove(f->entries, inflight_at(f, 0), f->count * sizeof(*f->entries));
        f->first = 0;
        return true;
    }
    const uint16_t cap = f->cap == 0 ? FIRST_CAP : (uint16_t)(f->cap * 2);
    struct inflight_entry *entries =
        realloc(f->entries, cap * sizeof(*entries));
    if (entries == NULL)
        return false;
    f->entries = entries;
    f->cap = cap;
    return true;
}

static bool is_taken(const struct inflight *f, unsigned id)
{
    return f->taken[(id - 1) / 64] >> (id - 1) % 64 & 1;
}

static void inflight_mark(struct inflight *f, unsigned id)
{
    f->taken[(id - 1) / 64] |= UINT64_C(1) << (id - 1) % 64;
}

struct inflight_entry *inflight_take(struct inflight *f)
{
    unsigned id = f->last;

    assert(f->count < INFLIGHT_MAX);
    if (!make_room(f))
        return NULL;
    do
        id = id % INFLIGHT_MAX + 1;
    while (is_taken(f, id));
    inflight_mark(f, id);
    f->last = (uint16_t)id;
    struct inflight_entry *entry = &f->entries[f->first + f->count++];
    *entry = (struct inflight_entry){.order = ++f->order,
                                     .packet_id = (uint16_t)id};
    return entry;
}

bool inflight_restore(struct inflight *f, const struct inflight_entry *entry)
{
    if (entry->packet_id == 0 || entry->packet_id > INFLIGHT_MAX ||
        is_taken(f, entry->packet_id) || !make_room(f))
        return false;
    inflight_mark(f, entry->packet_id);
    f->entries[f->first + f->count++] = *entry;
    f->last = entry->packet_id;
    if (entry->order > f->order)
        f->order = entry->order;
    return true;
}

struct inflight_entry *inflight_find(struct inflight *f, unsigned packet_id)
{
    if (packet_id == 0 || packet_id > INFLIGHT_MAX || !is_taken(f, packet_id))
        return NULL;
    /* Nearly all clients acknowledge the oldest first. */
    for (unsigned i = 0; i < f->count; i++)
        if (inflight_at(f, i)->packet_id == packet_id)
            return inflight_at(f, i);
    assert(false && "taken, so in the list");
    return NULL;
}

void inflight_remove(struct inflight *f, struct inflight_entry *entry)
{
    const unsigned id = entry->packet_id;
    const size_t at = (size_t)(entry - inflight_at(f, 0));

    free(entry->identifiers);
    f->taken[(id - 1) / 64] &= ~(UINT64_C(1) << (id - 1) % 64);
    if (at == 0)
        f->first++;
    else
        memmove(entry, entry + 1, (f->count - at - 1) * sizeof(*entry));
    if (--f->count == 0)
        drop_memory(f);
}
