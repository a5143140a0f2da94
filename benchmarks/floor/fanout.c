#include "benchmarks/floor/frame.h"
#include "benchmarks/floor/worker.h"

#include "benchmarks/measure/fatal.h"

static void frame_entry(struct topic **touched, const struct floor_entry *e,
                        const struct frame_time *at)
{
    struct topic *t = e->topic;

    for (unsigned f = 0; f < FRAMINGS; f++) {
        if (atomic_load(&t->readers[f]) == 0)
            continue;
        frame_put(&t->frames[f], (enum framing)f, e, at);
        if (!t->touched) {
            t->touched = true;
            t->next_touched = *touched;
            *touched = t;
        }
    }
}

static void hand_out(struct floor_worker *const *workers, unsigned count,
                     struct topic *t, enum framing framing)
{
    struct bytes *frames = &t->frames[framing];

    if (frames->len == 0)
        return;
    struct chunk *c = must_alloc(sizeof(*c));

    atomic_init(&c->refs, count);
    c->data = frames->data;
    c->len = frames->len;
    *frames = (struct bytes){0};
    for (unsigned i = 0; i < count; i++)
        worker_give_chunk(workers[i], t, framing, c);
}

void fanout(struct floor_worker *const *workers, unsigned count,
            struct entry_list *batch)
{
    struct topic *touched = NULL;
    struct frame_time at;
    const struct floor_entry *e;

    frame_time_set(&at, STAILQ_FIRST(batch)->created_us);
    STAILQ_FOREACH (e, batch, next)
        frame_entry(&touched, e, &at);
    while (touched != NULL) {
        struct topic *t = touched;

        touched = t->next_touched;
        t->touched = false;
        for (unsigned f = 0; f < FRAMINGS; f++)
            hand_out(workers, count, t, (enum framing)f);
    }
}
