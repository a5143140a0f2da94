#include <assert.h>
#include <stdlib.h>

#include "broker/share/share_catchup.h"
#include "broker/share/share_group_private.h"
#include "broker/share/share_save.h"

/* Members examined to find one whose worker has room for a letter. */
#define LOOKS 16

struct share_place {
    UT_hash_handle hh; /* share.places */
    uint64_t handle;
    struct share_group *group; /* NULL: the group ended without it */
    LIST_ENTRY(share_place) entry;
    bool ready; /* in group.ready */
    TAILQ_ENTRY(share_place) turn;
    uint32_t credit; /* most messages it may have at once */
    uint32_t given;  /* messages it has: neither settled nor returned */
    /* GIVEs in total; those it has not received are the last … */
    uint64_t gives;
    uint64_t ids[SHARE_CREDIT_MAX]; /* … of these, round robin */
    uint64_t received, unsafe;      /* from its last report */
    bool paused;                    /* it has no room for now */
    bool stored;                    /* its session is stored */
    bool left;
    bool good;        /* it is a member */
    bool joined_sent; /* JOINED was written */
    bool left_sent;
    bool answering; /* in share.answering */
    TAILQ_ENTRY(share_place) answer;
    uint64_t since;
    size_t filter_at, len;
    char name[];
};

/* ---- places ------------------------------------------------------------- */

struct share_place *share_place_new(struct slice token, struct slice group,
                                    struct slice filter, uint64_t handle,
                                    uint32_t credit, uint64_t since,
                                    bool stored)
{
    const size_t filter_at = token.len + 1 + group.len + 1;
    struct share_place *p = calloc(1, sizeof(*p) + filter_at + filter.len);

    if (p == NULL)
        return NULL;
    p->handle = handle;
    p->credit = credit;
    p->since = since;
    p->stored = stored;
    p->filter_at = filter_at;
    p->len = filter_at + filter.len;
    if (token.len > 0)
        memcpy(p->name, token.data, token.len);
    memcpy(p->name + token.len + 1, group.data, group.len);
    memcpy(p->name + filter_at, filter.data, filter.len);
    return p;
}

void share_place_free(struct share_place *p)
{
    free(p);
}

unsigned share_place_owner(const struct hub *hub, const struct share_place *p)
{
    return name_hash(p->name, p->len) % hub->count;
}

/* Puts it at the end of the queue, if it may be in it. */
static void line_up(struct share_place *p)
{
    const bool may = p->group != NULL && p->good && !p->left && !p->paused &&
                     p->given < p->credit;

    if (may == p->ready)
        return;
    p->ready = may;
    if (may)
        TAILQ_INSERT_TAIL(&p->group->ready, p, turn);
    else
        TAILQ_REMOVE(&p->group->ready, p, turn);
}

/* Frees a place whose member has left and has settled or returned
 * everything. */
static void free_when_over(struct worker *w, struct share_place *p)
{
    if (!p->left_sent || p->given > 0)
        return;
    if (p->group != NULL)
        LIST_REMOVE(p, entry);
    HASH_DEL(w->share->places, p);
    free(p);
}

/* ---- answers ------------------------------------------------------------ */

static bool write_joined(struct worker *w, struct share_place *p)
{
    const struct share_letter l = {.kind = SHARE_JOINED,
                                   .member = p->handle,
                                   .good = p->good};

    p->joined_sent =
        p->joined_sent || share_write(w, share_worker_of(p->handle), &l);
    return p->joined_sent;
}

static bool write_left(struct worker *w, struct share_place *p)
{
    const struct share_letter l = {.kind = SHARE_LEFT, .member = p->handle};

    p->left_sent = share_write(w, share_worker_of(p->handle), &l);
    return p->left_sent;
}

static bool write_answer(struct worker *w, struct share_place *p)
{
    return write_joined(w, p) && (!p->left || write_left(w, p));
}

/* A member whose JOIN failed is freed after its answer. */
static void place_answered(struct worker *w, struct share_place *p)
{
    if (p->good) {
        free_when_over(w, p);
        return;
    }
    if (p->hh.tbl != NULL)
        HASH_DEL(w->share->places, p);
    free(p);
}

/* Writes JOINED or LEFT, now or, without room, in a later turn. May free the
 * place. */
static void group_answer(struct worker *w, struct share_place *p)
{
    if (p->answering)
        return;
    if (write_answer(w, p)) {
        place_answered(w, p);
        return;
    }
    p->answering = true;
    TAILQ_INSERT_TAIL(&w->share->answering, p, answer);
}

bool share_group_write(struct worker *w)
{
    struct share_place *p, *next;
    bool all = true;

    for (p = TAILQ_FIRST(&w->share->answering); p != NULL; p = next) {
        next = TAILQ_NEXT(p, answer);
        if (!write_answer(w, p)) {
            all = false;
            continue;
        }
        TAILQ_REMOVE(&w->share->answering, p, answer);
        p->answering = false;
        place_answered(w, p);
    }
    return all;
}

/* ---- groups ------------------------------------------------------------- */

struct share_group *share_group_find(struct worker *w, struct slice name)
{
    struct share_group *g;

    HASH_FIND(hh, w->share->groups, name.data, name.len, g);
    return g;
}

static struct share_group *group_new(struct worker *w,
                                     const struct share_place *p)
{
    struct share_group *g = calloc(1, sizeof(*g) + p->len);
    const struct subscriber s = {.who = g};

    if (g == NULL)
        return NULL;
    g->since = p->since;
    g->filter_at = p->filter_at;
    g->len = p->len;
    memcpy(g->name, p->name, p->len);
    TAILQ_INIT(&g->ready);
    LIST_INIT(&g->places);
    HASH_ADD_KEYPTR(hh, w->share->groups, g->name, g->len, g);
    if (g->hh.tbl == NULL) { /* out of memory in the table */
        free(g);
        return NULL;
    }
    if (!subscription_index_add(w->share->index, share_group_filter(g), &s,
                                &g->where)) {
        HASH_DEL(w->share->groups, g);
        free(g);
        return NULL;
    }
    return g;
}

static void group_free(struct worker *w, struct share_group *g)
{
    struct share_place *p;

    while ((p = LIST_FIRST(&g->places)) != NULL) {
        LIST_REMOVE(p, entry);
        p->group = NULL;
        p->ready = false;
    }
    share_catchup_forget(w, g);
    share_save_forget(w, g);
    free(g->given);
    subscription_index_remove(w->share->index, &g->where);
    HASH_DEL(w->share->groups, g);
    catchup_free(g->reader);
    share_returned_release(&g->returned);
    share_returned_release(&g->again[0]);
    share_returned_release(&g->again[1]);
    free(g);
}

uint64_t share_group_position(const struct worker *w,
                              const struct share_group *g)
{
    if (g->reader != NULL)
        return catchup_position(g->reader);
    return g->since > w->head ? g->since : w->head;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

uint64_t share_group_safe_position(const struct worker *w,
                                   const struct share_group *g)
{
    const uint64_t now = share_group_position(w, g);
    const struct share_place *p;
    uint64_t unsafe = 0;

    LIST_FOREACH (p, &g->places, entry) {
        if (p->given == 0)
            continue;
        unsafe = least_of(unsafe, p->unsafe);
        for (uint64_t n = p->received; n < p->gives; n++)
            unsafe = least_of(unsafe, p->ids[n % SHARE_CREDIT_MAX]);
    }
    return unsafe == 0 || unsafe > now ? now : unsafe - 1;
}

bool share_group_has_given(const struct share_group *g, uint64_t id)
{
    size_t from = 0, to = g->given_count;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        if (g->given[middle] < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from < g->given_count && g->given[from] == id;
}

const struct share_returned *share_group_returned(const struct share_group *g)
{
    return &g->returned;
}

bool share_group_resume(struct worker *w, struct share_group *g,
                        uint64_t position, uint64_t *ids, size_t count)
{
    g->since = position;
    catchup_free(g->reader);
    g->reader = NULL;
    if (position < w->head && !share_catchup_begin(w, g, position))
        return false;
    if (!share_returned_add(&g->returned, ids, count))
        return false;
    share_catchup_wake(w, g);
    return true;
}

/* ---- joining and leaving ------------------------------------------------ */

/* The position is where the log ended at the first member's SUBSCRIBE, or
 * the group's position on disk. */
static bool group_begin(struct worker *w, struct share_group *g,
                        uint64_t since)
{
    if (!share_load(w, g))
        return false;
    if (!g->stored && !share_group_resume(w, g, since, NULL, 0))
        return false;
    g->before[0] = g->before[1] = share_group_position(w, g);
    return true;
}

/* p->since is where the log ended at the member's SUBSCRIBE. */
static struct share_group *group_of(struct worker *w,
                                    const struct share_place *p)
{
    struct share_group *g = share_group_find(w, slice_of(p->name, p->len));

    if (g != NULL)
        return g;
    g = group_new(w, p);
    if (g != NULL && !group_begin(w, g, p->since)) {
        group_free(w, g);
        return NULL;
    }
    return g;
}

static void group_enter(struct worker *w, struct share_place *p,
                        struct share_group *g)
{
    p->good = true;
    p->group = g;
    /* The row begins at the head of the log; the group may be behind that. */
    g->changed |= p->stored && !g->stored;
    g->stored |= p->stored;
    LIST_INSERT_HEAD(&g->places, p, entry);
    g->members++;
    line_up(p);
    share_catchup_wake(w, g);
}

void share_group_join(struct worker *w, struct share_place *p)
{
    struct share_group *g = NULL;

    HASH_ADD(hh, w->share->places, handle, sizeof(p->handle), p);
    if (p->hh.tbl != NULL)
        g = group_of(w, p);
    if (g != NULL)
        group_enter(w, p, g);
    group_answer(w, p); /* before it is given anything */
}

static void group_leave(struct worker *w, struct share_place *p)
{
    struct share_group *g = p->group;

    p->left = true;
    line_up(p);
    if (g == NULL || --g->members > 0)
        return;
    if (g->stored)
        share_save(w, g, true);
    if (g->saves == 0)
        group_free(w, g);
}

void share_group_saved(struct worker *w, struct share_group *g)
{
    if (--g->saves > 0 || g->members > 0)
        return;
    if (g->stored && g->changed) /* a message was returned late */
        share_save(w, g, true);
    if (g->saves == 0)
        group_free(w, g);
}

static void take_back(struct worker *w, struct share_place *p,
                      struct share_ids *ids)
{
    if (ids == NULL)
        return;
    p->given -= ids->count;
    /* Its group may have ended, and begun again. */
    struct share_group *g =
        p->group != NULL ? p->group
                         : share_group_find(w, slice_of(p->name, p->len));
    if (g == NULL) {
        share_save_late(w, slice_of(p->name, p->len), ids->ids, ids->count);
    } else if (!share_returned_add(&g->returned, ids->ids, ids->count)) {
        counter_add(&w->counters.dropped.memory, ids->count);
    } else {
        g->changed = true;
        share_catchup_wake(w, g);
    }
    free(ids);
}

void share_group_reported(struct worker *w, const struct share_letter *report)
{
    struct share_place *p;

    HASH_FIND(hh, w->share->places, &report->member, sizeof(report->member),
              p);
    assert(p != NULL);
    p->given -= report->settled;
    p->received = report->received;
    p->unsafe = report->unsafe;
    p->paused = report->paused;
    take_back(w, p, report->ids);
    line_up(p);
    /* The messages it returns are on no other disk row by now. */
    if (report->left && report->ids != NULL && p->group != NULL &&
        p->group->stored)
        share_save_soon(w, p->group);
    if (report->left && !p->left)
        group_leave(w, p);
    if (p->group != NULL)
        share_catchup_wake(w, p->group);
    if (p->left && !p->left_sent)
        group_answer(w, p);
    else
        free_when_over(w, p);
}

/* ---- giving ------------------------------------------------------------- */

static struct share_place *write_give(struct worker *w, struct share_group *g,
                                      struct message *m)
{
    struct share_place *p;
    int looks = 0;

    TAILQ_FOREACH (p, &g->ready, turn) {
        const struct share_letter l = {.kind = SHARE_GIVE,
                                       .member = p->handle,
                                       .message = m};
        if (share_write(w, share_worker_of(p->handle), &l))
            return p;
        if (++looks == LOOKS)
            return NULL;
    }
    return NULL;
}

bool share_group_give(struct worker *w, struct share_group *g,
                      struct message *m)
{
    struct share_place *p = write_give(w, g, m);

    if (p == NULL)
        return false;
    message_ref(m);
    p->given++;
    p->ids[p->gives++ % SHARE_CREDIT_MAX] = m->id;
    g->changed = true;
    if (g->stored && ++g->moved >= SHARE_SAVE_EVERY)
        share_save_soon(w, g);
    TAILQ_REMOVE(&g->ready, p, turn);
    p->ready = false;
    line_up(p);
    return true;
}

static void group_offer(struct worker *w, struct share_group *g,
                        struct message *m)
{
    if (m->id == 0) { /* an event cannot be given later */
        if (!share_group_give(w, g, m))
            counter_add(&w->counters.dropped.event_slow, 1);
        return;
    }
    if (m->id <= g->since || g->reader != NULL)
        return;
    if (g->returned.count == 0 && share_group_give(w, g, m))
        return;
    if (!share_catchup_begin(w, g, m->id - 1))
        counter_add(&w->counters.dropped.memory, 1);
}

void share_group_offer(struct worker *w, struct message *m)
{
    const struct index_match *matches;

    if (w->share->groups == NULL)
        return;
    const size_t count =
        subscription_index_match(w->share->index, m->topic, &matches);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < matches[i].count; j++)
            group_offer(w, matches[i].subscribers[j].who, m);
}

void share_group_release(struct worker *w)
{
    struct share_group *g, *next_group;
    struct share_place *p, *next;

    HASH_ITER (hh, w->share->groups, g, next_group)
        group_free(w, g);
    for (p = TAILQ_FIRST(&w->share->answering); p != NULL; p = next) {
        next = TAILQ_NEXT(p, answer);
        if (p->hh.tbl == NULL)
            free(p);
    }
    HASH_ITER (hh, w->share->places, p, next) {
        HASH_DEL(w->share->places, p);
        free(p);
    }
}
