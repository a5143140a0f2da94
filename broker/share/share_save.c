#include "broker/share/share_save.h"

#include <stdlib.h>

#include "broker/client/shard.h"
#include "broker/publish/publish.h"
#include "broker/share/share_group_private.h"

/* ---- reading --------------------------------------------------------------- */

static bool load_given(struct store_reader *r, struct share_group *g)
{
    struct session_walk walk = {0};
    enum store_err err;
    size_t cap = 0;
    uint64_t id;

    while ((err = store_given_next(r, slice_of(g->name, g->len), &walk,
                                   &id)) == STORE_OK) {
        if (g->given_count == cap) {
            cap = cap == 0 ? 64 : cap * 2;
            uint64_t *more = realloc(g->given, cap * sizeof(*more));
            if (more == NULL)
                return false;
            g->given = more;
        }
        g->given[g->given_count++] = id;
    }
    return err == STORE_NOTFOUND;
}

/* Removes ids that a session has accepted for good. */
static size_t without_given(const struct share_group *g, uint64_t *ids,
                            size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++)
        if (!share_group_has_given(g, ids[i]))
            ids[left++] = ids[i];
    return left;
}

static bool group_resume(struct worker *w, struct share_group *g,
                         struct store_reader *r, const struct group_row *row)
{
    uint64_t *ids = malloc((row->id_count + 1) * sizeof(*ids));
    const bool good = ids != NULL && group_row_ids(row, ids) &&
                      load_given(r, g) &&
                      share_group_resume(w, g, row->position, ids,
                                         without_given(g, ids, row->id_count));

    free(ids);
    if (good)
        g->saved = row->position;
    return good;
}

bool share_load(struct worker *w, struct share_group *g)
{
    struct store_reader *r;
    struct group_row row;

    if (store_snapshot(w->hub->store, &r) != STORE_OK)
        return false;
    const enum store_err err = store_group(r, slice_of(g->name, g->len), &row);
    const bool good =
        err == STORE_OK ? group_resume(w, g, r, &row) : err == STORE_NOTFOUND;
    g->stored |= err == STORE_OK;
    store_reader_release(r);
    return good;
}

/* ---- saving ---------------------------------------------------------------- */

/* publish.memory: the save and what it points to. */
struct saving {
    struct group_save save;
    uint64_t ids[];
};

static void group_save_finished(struct worker *w, struct publish *q)
{
    struct share_group *g = q->waiting_for;

    publish_free(w, q);
    if (g != NULL)
        share_group_saved(w, g);
}

/* g: NULL if it has ended. */
static void group_save_submit(struct worker *w, struct share_group *g,
                              struct slice name, const struct group_save *save)
{
    struct publish *q = publish_new(w, NULL);
    struct saving *s =
        q == NULL ? NULL
                  : malloc(sizeof(*s) + save->id_count * sizeof(uint64_t) +
                           name.len);

    if (s == NULL) {
        if (q != NULL)
            publish_free(w, q);
        /* The next tick tries again, or the previous save stays valid. */
        return;
    }
    s->save = *save;
    if (save->id_count > 0)
        memcpy(s->ids, save->ids, save->id_count * sizeof(uint64_t));
    char *copy = (char *)(s->ids + save->id_count);
    memcpy(copy, name.data, name.len);
    s->save.ids = s->ids;
    s->save.name = slice_of(copy, name.len);
    q->memory = s;
    q->command.kind = COMMAND_GROUP_SAVE;
    q->command.args = &s->save;
    q->memory_size = sizeof(*s) + name.len + save->id_count * sizeof(uint64_t);
    q->finished = group_save_finished;
    q->waiting_for = g;
    if (g != NULL)
        g->saves++;
    publish_submit(w, q);
}

/* During a shutdown the position stays: messages given beyond it are given
 * again after the restart, and so are those returned from beyond it. */
static uint64_t position_to_save(struct worker *w, struct share_group *g,
                                 uint64_t now, bool exact)
{
    if (w->phase != HUB_SERVING && g->final == 0)
        g->final = now;
    if (g->final != 0)
        return g->final;
    if (exact)
        return now;
    uint64_t position = share_group_safe_position(w, g);
    if (position < g->before[1])
        position = g->before[1];
    /* Never moves back: what was given up to the saved position is not
     * recorded (store/session.h, `given`). Only a returned message that was
     * given again can have an older id, and those are in `again` until their
     * session has them. */
    return position > g->saved ? position : g->saved;
}

/* Appends the ids up to the position that are not in `but` (later ones are
 * read from the log again). Returns the new number of ids. */
static size_t put_ids(uint64_t *to, size_t n,
                      const struct share_returned *from, uint64_t position,
                      const struct share_returned *but)
{
    for (size_t i = 0; i < from->count; i++) {
        const uint64_t id = from->ids[from->first + i];
        if (id <= position && (but == NULL || !share_returned_has(but, id)))
            to[n++] = id;
    }
    return n;
}

static void group_age(struct share_group *g, uint64_t now)
{
    g->before[1] = g->before[0];
    g->before[0] = now;
    share_returned_release(&g->again[1]);
    g->again[1] = g->again[0];
    g->again[0] = (struct share_returned){0};
}

static int by_id(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Sorts the ids and removes duplicates; returns how many are left. */
static size_t sort_once(uint64_t *ids, size_t count)
{
    size_t left = 0;

    qsort(ids, count, sizeof(*ids), by_id);
    for (size_t i = 0; i < count; i++)
        if (left == 0 || ids[left - 1] != ids[i])
            ids[left++] = ids[i];
    return left;
}

/* false: out of memory. */
static bool save_now(struct worker *w, struct share_group *g, uint64_t now,
                     bool exact)
{
    const uint64_t position = position_to_save(w, g, now, exact);
    const size_t most =
        g->returned.count + g->again[0].count + g->again[1].count;
    uint64_t *ids = malloc((most + 1) * sizeof(*ids));

    if (ids == NULL)
        return false;
    size_t count = put_ids(ids, 0, &g->returned, position, NULL);
    if (!exact) {
        count = put_ids(ids, count, &g->again[0], position, &g->returned);
        count = put_ids(ids, count, &g->again[1], position, &g->returned);
    }
    count = sort_once(ids, count);
    const struct group_save save = {.position = position,
                                    .ids = ids,
                                    .id_count = count};
    g->moved = 0;
    g->saved = position;
    group_save_submit(w, g, slice_of(g->name, g->len), &save);
    free(ids);
    return true;
}

void share_save(struct worker *w, struct share_group *g, bool exact)
{
    const uint64_t now = share_group_position(w, g);

    if (!save_now(w, g, now, exact))
        return; /* the next tick tries again */
    group_age(g, now);
    g->settling = exact ? 0 : g->changed ? 2 : g->settling - 1;
    g->changed = false;
}

/* ---- between two ticks
 * ----------------------------------------------------- */

void share_save_soon(struct worker *w, struct share_group *g)
{
    if (g->moving)
        return;
    g->moving = true;
    TAILQ_INSERT_TAIL(&w->share->moving, g, move);
}

void share_save_forget(struct worker *w, struct share_group *g)
{
    if (!g->moving)
        return;
    g->moving = false;
    TAILQ_REMOVE(&w->share->moving, g, move);
}

/* Leaves `changed` and the ages alone: the ticks need them. */
void share_save_moving(struct worker *w)
{
    struct share_group *g, *next;

    for (g = TAILQ_FIRST(&w->share->moving); g != NULL; g = next) {
        next = TAILQ_NEXT(g, move);
        if (g->saves > 0)
            continue;
        share_save_forget(w, g);
        (void)save_now(w, g, share_group_position(w, g), false);
    }
}

void share_save_all(struct worker *w, bool exact)
{
    struct share_group *g, *next;

    HASH_ITER (hh, w->share->groups, g, next)
        if (g->stored && (g->changed || g->settling > 0))
            share_save(w, g, exact);
}

void share_save_late(struct worker *w, struct slice name, const uint64_t *ids,
                     size_t count)
{
    const struct group_save save = {.adds = true,
                                    .ids = ids,
                                    .id_count = count};

    group_save_submit(w, NULL, name, &save);
}
