#include <stdio.h>
#include <string.h>

#include "base/clock.h"
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

uint64_t webhook_lag(const struct webhook *w)
{
    uint64_t id = read_up_to(w);

    for (const struct webhook_thing *t = w->things; t != NULL; t = t->hh.next)
        if (thing_position(t) < id)
            id = thing_position(t);
    return w->set->read > id ? w->set->read - id : 0;
}

void webhook_tried(struct webhook *w, int status, const char *text)
{
    struct webhook_tried *tried = &w->tried;

    tried->is_new = true;
    tried->is_other |= tried->at_us == 0 || status != tried->status ||
                       strcmp(text, tried->text) != 0;
    tried->at_us = clock_real_us();
    tried->status = status;
    snprintf(tried->text, sizeof(tried->text), "%s", text);
}

static bool is_time(const struct webhook *w, int64_t now_us)
{
    const bool is_urgent = w->has_settled || w->tried.is_other;

    return now_us - w->told_us >= (is_urgent ? TELL_US : TELL_IDLE_US);
}

void webhook_tell(struct webhook *w, int64_t now_us, bool anyway)
{
    struct webhook_position p;

    if (!anyway && !is_time(w, now_us))
        return;
    find_position(w, &p);
    if (p.id == w->told_id && !w->has_settled && !w->tried.is_new)
        return;
    p.tried_us = w->tried.at_us;
    p.status = w->tried.status;
    p.text = w->tried.text;
    w->told_id = p.id;
    w->told_us = now_us;
    w->has_settled = w->tried.is_new = w->tried.is_other = false;
    w->set->opts.events.moved(w->set->opts.events.arg, w->tenant, &p);
}
