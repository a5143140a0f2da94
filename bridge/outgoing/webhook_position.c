#include <string.h>

#include "bridge/outgoing/webhook_private.h"

#define TELL_US INT64_C(1000000)
#define TELL_IDLE_US INT64_C(60000000) /* without a message of its own */

/* Up to here a thing's messages are delivered or dead. */
static uint64_t thing_position(const struct webhook_thing *t)
{
    return t->settled ? t->id : t->id - 1;
}

static void insert_behind(struct webhook_position *p, size_t at,
                          const struct webhook_thing *t)
{
    memmove(&p->behind[at + 1], &p->behind[at],
            (p->behind_count - at) * sizeof(p->behind[0]));
    p->behind[at] =
        (struct webhook_behind){.topic = slice_of(t->topic, t->topic_len),
                                .id = thing_position(t)};
    p->behind_count++;
}

/* Puts the thing among those furthest behind. If it, or the one that it displaces,
 * is not among them, the whole position is not above that one's. */
static void add_behind(struct webhook_position *p,
                       const struct webhook_thing *t)
{
    const uint64_t id = thing_position(t);
    size_t at = p->behind_count;
    uint64_t left_out = UINT64_MAX;

    while (at > 0 && p->behind[at - 1].id > id)
        at--;
    if (at == WEBHOOK_BEHIND_MAX) {
        left_out = id;
    } else {
        if (p->behind_count == WEBHOOK_BEHIND_MAX)
            left_out = p->behind[--p->behind_count].id;
        insert_behind(p, at, t);
    }
    if (left_out < p->id)
        p->id = left_out;
}

static uint64_t read_up_to(const struct webhook *w)
{
    return w->level ? w->set->read : w->read;
}

static void find_position(const struct webhook *w,
                          struct webhook_position *ret_position)
{
    struct webhook_position p = {.id = read_up_to(w)};

    for (const struct webhook_thing *t = w->things; t != NULL; t = t->hh.next)
        add_behind(&p, t);
    *ret_position = p;
}

void webhook_tell(struct webhook *w, int64_t now_us, bool anyway)
{
    struct webhook_position p;
    const int64_t since_us = now_us - w->told_us;

    if (!anyway && since_us < (w->has_settled ? TELL_US : TELL_IDLE_US))
        return;
    find_position(w, &p);
    if (p.id == w->told_id && !w->has_settled)
        return;
    w->told_id = p.id;
    w->told_us = now_us;
    w->has_settled = false;
    w->set->opts.events.moved(w->set->opts.events.arg, w->tenant, &p);
}
