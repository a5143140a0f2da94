#include "broker/share_save.h"

#include <stdlib.h>

#include "broker/publish_private.h"
#include "broker/share_group_private.h"

/* ---- reading --------------------------------------------------------------- */

static bool resume(struct worker *w, struct share_group *g,
                   const struct group_row *row)
{
    uint64_t *ids = malloc((row->id_count + 1) * sizeof(*ids));
    const bool good = ids != NULL && group_row_ids(row, ids) &&
                      share_group_resume(w, g, row->position, ids,
                                         row->id_count);

    free(ids);
    return good;
}

bool share_load(struct worker *w, struct share_group *g)
{
    struct store_reader *r = store_reader_acquire(w->hub->store);
    struct group_row row;
    bool good = false;

    if (r == NULL)
        return false;
    if (store_reader_begin(r) == STORE_OK) {
        const enum store_err err =
            store_group(r, slice_of(g->name, g->len), &row);
        good = err == STORE_OK ? resume(w, g, &row) : err == STORE_NOTFOUND;
        g->stored |= err == STORE_OK;
    }
    store_reader_release(r);
    return good;
}

/* ---- saving ---------------------------------------------------------------- */

/* publish.memory: the save and what it points to. */
struct saving {
    struct group_save save;
    uint64_t ids[];
};

static void saved(struct worker *w, struct publish *q)
{
    struct share_group *g = q->waiting_for;

    publish_free(w, q);
    if (g != NULL)
        share_group_saved(w, g);
}

/* g: NULL when it has ended. */
static void submit(struct worker *w, struct share_group *g, struct slice name,
                   const struct group_save *save)
{
    struct publish *q = publish_new(w, NULL);
    struct saving *s = q == NULL ? NULL
                                 : malloc(sizeof(*s) +
                                          save->id_count * sizeof(uint64_t) +
                                          name.len);

    if (s == NULL) {
        if (q != NULL)
            publish_free(w, q);
        return; /* the next tick tries again, or the last save holds */
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
    q->command.group = &s->save;
    q->bytes = sizeof(*q) + sizeof(*s) + name.len +
               save->id_count * sizeof(uint64_t);
    q->finished = saved;
    q->waiting_for = g;
    if (g != NULL)
        g->saves++;
    publish_submit(w, q);
}

/* Once the server ends, the position stays: whatever is still given beyond it
 * is given again after the restart, and what comes back from beyond it with
 * that. */
static uint64_t position_to_save(struct worker *w, struct share_group *g,
                                 uint64_t now, bool exact)
{
    if (w->phase != HUB_SERVING && g->final == 0)
        g->final = now;
    return g->final != 0 ? g->final : exact ? now : g->before[1];
}

/* Appends those up to the position, which what is beyond is read from again,
 * and which are not in `but` as well. Returns how many there are then. */
static size_t put_ids(uint64_t *to, size_t n, const struct share_returned *from,
                      uint64_t position, const struct share_returned *but)
{
    for (size_t i = 0; i < from->count; i++) {
        const uint64_t id = from->ids[from->first + i];
        if (id <= position && (but == NULL || !share_returned_has(but, id)))
            to[n++] = id;
    }
    return n;
}

static void age(struct share_group *g, uint64_t now)
{
    g->before[1] = g->before[0];
    g->before[0] = now;
    share_returned_release(&g->again[1]);
    g->again[1] = g->again[0];
    g->again[0] = (struct share_returned){0};
}

void share_save(struct worker *w, struct share_group *g, bool exact)
{
    const uint64_t now = share_group_position(w, g);
    const uint64_t position = position_to_save(w, g, now, exact);
    const size_t most =
        g->returned.count + g->again[0].count + g->again[1].count;
    uint64_t *ids = malloc((most + 1) * sizeof(*ids));

    if (ids == NULL)
        return; /* the next tick tries again */
    size_t count = put_ids(ids, 0, &g->returned, position, NULL);
    if (!exact) {
        count = put_ids(ids, count, &g->again[0], position, &g->returned);
        count = put_ids(ids, count, &g->again[1], position, &g->returned);
    }
    const struct group_save save = {
        .position = position, .ids = ids, .id_count = count};
    age(g, now);
    g->settling = exact ? 0 : g->changed ? 2 : g->settling - 1;
    g->changed = false;
    submit(w, g, slice_of(g->name, g->len), &save);
    free(ids);
}

void share_save_all(struct worker *w, bool exact)
{
    struct share_group *g, *next;

    HASH_ITER (hh, w->share.groups, g, next)
        if (g->stored && (g->changed || g->settling > 0))
            share_save(w, g, exact);
}

void share_save_late(struct worker *w, struct slice name, const uint64_t *ids,
                     size_t count)
{
    const struct group_save save = {
        .adds = true, .ids = ids, .id_count = count};

    submit(w, NULL, name, &save);
}
