#include "broker/share/share_catchup.h"

#include <stdlib.h>

#include "base/clock.h"
#include "broker/share/share_group_private.h"

#define TURN_US 1000
#define STEP_BYTES (64 * 1024)
#define LOOKED_AT_PER_STEP 1024
/* Most returned messages that a stored group gives again between two saves:
 * each is remembered until it is on disk at its new member. */
#define AGAIN_MAX 1024

enum step_result {
    STEP_DONE,    /* this step is complete */
    STEP_NO_ROOM, /* no room for letters: try later */
    STEP_FAILED
};

bool share_catchup_begin(struct worker *w, struct share_group *g,
                         uint64_t position)
{
    const struct slice filter = share_group_filter(g);

    /* Events are not in the log, so only returned messages are left. */
    if (*(const char *)filter.data == '$')
        return true;
    g->reader = catchup_new(&filter, 1, position, false);
    if (g->reader == NULL)
        return false;
    counter_add(&w->counters.share_behind, 1);
    share_catchup_wake(w, g);
    return true;
}

void share_catchup_wake(struct worker *w, struct share_group *g)
{
    if (g->catching_up || !share_group_owes(g) || TAILQ_EMPTY(&g->ready))
        return;
    g->catching_up = true;
    TAILQ_INSERT_TAIL(&w->share->catching_up, g, in_catching_up);
}

void share_catchup_forget(struct worker *w, struct share_group *g)
{
    if (!g->catching_up)
        return;
    g->catching_up = false;
    TAILQ_REMOVE(&w->share->catching_up, g, in_catching_up);
}

/* false: no room for the letter, or no memory. */
static bool give_record(struct worker *w, struct share_group *g,
                        const struct record *record)
{
    struct message *m = message_copy(&record->m);
    const bool given = m != NULL && share_group_give(w, g, m);

    message_unref(m);
    return given;
}

static void given_again(struct worker *w, struct share_group *g, uint64_t id)
{
    if (g->stored && !share_returned_has(&g->again[0], id) &&
        !share_returned_add(&g->again[0], &id, 1))
        counter_add(&w->counters.dropped.memory, 1);
}

static enum step_result give_returned(struct worker *w, struct share_group *g,
                                      struct store_reader *r, size_t *bytes)
{
    struct record record;

    if (g->again[0].count >= AGAIN_MAX)
        return STEP_NO_ROOM;
    switch (store_get(r, share_returned_first(&g->returned), &record)) {
    case STORE_NOTFOUND: break; /* retention has removed it */
    case STORE_OK:
        if (!give_record(w, g, &record))
            return STEP_NO_ROOM;
        *bytes += record.m.payload.len;
        break;
    default: return STEP_FAILED;
    }
    given_again(w, g, share_returned_first(&g->returned));
    share_returned_pop(&g->returned);
    g->changed = true;
    return STEP_DONE;
}

/* The reader has passed it, so it is treated as returned. */
static void put_back(struct worker *w, struct share_group *g, uint64_t id)
{
    if (!share_returned_add(&g->returned, &id, 1))
        counter_add(&w->counters.dropped.memory, 1);
}

/* *ret_more: the step may continue. */
static enum step_result read_on(struct worker *w, struct share_group *g,
                                struct store_reader *r, size_t *bytes,
                                bool *ret_more)
{
    struct record record;

    *ret_more = false;
    switch (catchup_next(g->reader, r, w->head, LOOKED_AT_PER_STEP, &record)) {
    case CATCHUP_RECORD:
        *ret_more = true;
        if (share_group_has_given(g, record.m.id))
            return STEP_DONE;
        if (!give_record(w, g, &record)) {
            put_back(w, g, record.m.id);
            return STEP_NO_ROOM;
        }
        *bytes += record.m.payload.len;
        return STEP_DONE;
    case CATCHUP_DONE:
        catchup_free(g->reader); /* live again: the same thread fans out */
        g->reader = NULL;
        free(g->given);
        g->given = NULL;
        g->given_count = 0;
        return STEP_DONE;
    case CATCHUP_MORE: return STEP_DONE;
    case CATCHUP_FAILED: break;
    }
    return STEP_FAILED;
}

static enum step_result share_catchup_step(struct worker *w,
                                           struct share_group *g,
                                           struct store_reader *r)
{
    enum step_result result = STEP_DONE;
    size_t bytes = 0;
    bool more = true;

    while (more && result == STEP_DONE && bytes < STEP_BYTES &&
           share_group_owes(g) && !TAILQ_EMPTY(&g->ready))
        result = g->returned.count > 0 ? give_returned(w, g, r, &bytes)
                                       : read_on(w, g, r, &bytes, &more);
    return result;
}

static bool share_catchup_work(struct worker *w, struct store_reader *r)
{
    const int64_t deadline_us = clock_mono_us() + TURN_US;

    do {
        struct share_group *g = TAILQ_FIRST(&w->share->catching_up);
        share_catchup_forget(w, g);
        const enum step_result result = share_catchup_step(w, g, r);
        share_catchup_wake(w, g);
        if (result != STEP_DONE) {
            worker_try_later(w);
            return false;
        }
    } while (!TAILQ_EMPTY(&w->share->catching_up) &&
             clock_mono_us() < deadline_us);
    return !TAILQ_EMPTY(&w->share->catching_up);
}

bool share_catchup_turn(struct worker *w)
{
    struct store_reader *r;

    if (TAILQ_EMPTY(&w->share->catching_up))
        return false;
    if (store_snapshot(w->hub->store, &r) != STORE_OK) {
        worker_try_later(w);
        return false;
    }
    const bool more = share_catchup_work(w, r);
    store_reader_release(r);
    return more;
}
