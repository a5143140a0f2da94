#include "store/read/catchup.h"

#include <limits.h>
#include <stdlib.h>

#include "store/read/change.h"
#include "store/read/merge.h"
#include "store/read/reader.h"

/* The cost model of the header. */
#define COST_ROW 2
#define COST_SOURCE 8
#define COST_MESSAGE 4
/* Up to this many entries are scanned without comparing costs. */
#define SCAN_AT_ONCE 256

enum mode { MODE_PLAN, MODE_FOLLOW, MODE_SCAN, MODE_MERGE };

struct catchup {
    uint64_t position;
    enum mode mode;
    bool all_kinds;
    uint64_t horizon;      /* SCAN, MERGE: id up to which the choice holds */
    struct history follow; /* FOLLOW */
    struct merge *merge;   /* NULL before the first plan */

    /* With changes of one token: the next one is found first, and messages are read up
     * to it. */
    struct slice
        changes_of; /* the token; empty: none, or they are scanned for */
    size_t changes_snapshot; /* in which the following was read */
    uint64_t changes_seen;   /* looked at up to this id */
    uint64_t change_id;      /* the next that a filter matches; 0: not known */

    /* PLAN */
    bool planning;
    uint64_t cost, span; /* of the merge so far; of the scan */
    uint64_t rows,
        messages;         /* things looked at; messages to merge, estimated */
    size_t at_filter;     /* the filter whose things are being looked at */
    struct buffer resume; /* last topic looked at; empty: filter not begun */

    size_t count;
    struct slice filters[];
};

struct catchup *catchup_new(const struct slice *filters, size_t count,
                            uint64_t after, bool all_kinds)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += filters[i].len;
    struct catchup *c =
        calloc(1, sizeof(*c) + count * sizeof(*filters) + bytes);
    if (c == NULL)
        return NULL;
    c->position = after;
    c->all_kinds = all_kinds;
    c->count = count;
    char *at = (char *)(c->filters + count);
    for (size_t i = 0; i < count; i++) {
        memcpy(at, filters[i].data, filters[i].len);
        c->filters[i] = slice_of(at, filters[i].len);
        at += filters[i].len;
    }
    if (count == 1 && !all_kinds && !filter_has_wildcard(filters[0])) {
        c->mode = MODE_FOLLOW;
        c->follow.topic = c->filters[0];
        c->follow.ascending = true;
    }
    return c;
}

/* The first level that all filters have in common, without wildcards; else empty. */
static struct slice common_token(const struct catchup *c)
{
    const struct slice token = topic_first_level(c->filters[0]);

    for (size_t i = 0; i < c->count; i++)
        if (filter_has_wildcard(token) ||
            !slice_eq(topic_first_level(c->filters[i]), token))
            return slice_of(NULL, 0);
    return token;
}

void catchup_with_changes(struct catchup *c)
{
    c->changes_of = common_token(c);
    if (c->changes_of.len > 0)
        return;
    c->all_kinds = true;
    c->mode = MODE_PLAN;
}

void catchup_free(struct catchup *c)
{
    if (c == NULL)
        return;
    merge_free(c->merge);
    buffer_release(&c->resume);
    free(c);
}

uint64_t catchup_position(const struct catchup *c)
{
    return c->position;
}

/* ---- looking at things ------------------------------------------------- */

/* The next thing that a filter matches, whether the filter is exact or a pattern. */
static enum store_err next_thing(struct store_reader *r, struct slice filter,
                                 struct slice after, struct thing_row *ret_row)
{
    if (filter_has_wildcard(filter))
        return store_thing_next(r, filter_prefix(filter), after, ret_row);
    return after.len > 0 ? STORE_NOTFOUND : store_thing(r, filter, ret_row);
}

/* Whether no earlier filter matches the topic, so that it counts once. */
static bool first_match(const struct slice *filters, size_t at,
                        struct slice topic)
{
    for (size_t i = 0; i < at; i++)
        if (filter_matches(filters[i], topic))
            return false;
    return filter_matches(filters[at], topic);
}

/* Looks at one thing, or finds the end of a filter. false: the filter is done. */
static bool gap_look(struct gap_walk *g, struct store_reader *r,
                     struct slice filter)
{
    struct thing_row row;

    if (next_thing(r, filter, buffer_slice(&g->resume), &row) != STORE_OK)
        return false;
    if (row.trimmed_id > g->trimmed_id && filter_matches(filter, row.topic))
        g->trimmed_id = row.trimmed_id;
    /* A copy, because the row's bytes do not outlive the snapshot. */
    buffer_clear(&g->resume);
    buffer_put_slice(&g->resume, row.topic);
    return buffer_ok(&g->resume);
}

bool gap_walk_step(struct gap_walk *g, struct store_reader *r,
                   const struct slice *filters, size_t count, unsigned *budget)
{
    while (g->at_filter < count) {
        if (*budget == 0)
            return false;
        --*budget;
        if (gap_look(g, r, filters[g->at_filter]))
            continue;
        g->at_filter++;
        buffer_clear(&g->resume);
    }
    return true;
}

void gap_walk_release(struct gap_walk *g)
{
    buffer_release(&g->resume);
    *g = (struct gap_walk){0};
}

bool catchup_gap(struct store_reader *r, const struct slice *filters,
                 size_t count, uint64_t after, uint64_t *ret_to)
{
    struct gap_walk walk = {0};
    unsigned budget = UINT_MAX;

    while (!gap_walk_step(&walk, r, filters, count, &budget))
        budget = UINT_MAX;
    const uint64_t to = walk.trimmed_id;
    gap_walk_release(&walk);
    if (to <= after)
        return false;
    *ret_to = to;
    return true;
}

/* ---- planning ---------------------------------------------------------- */

static void choose_scan(struct catchup *c, uint64_t horizon)
{
    c->mode = MODE_SCAN;
    c->horizon = horizon;
    c->planning = false;
}

static void choose_merge(struct catchup *c)
{
    merge_run(c->merge);
    c->mode = MODE_MERGE;
    c->horizon = merge_end(c->merge);
    c->planning = false;
}

static void plan_begin(struct catchup *c, uint64_t head)
{
    c->span = head - c->position;
    if (!c->all_kinds && c->span > SCAN_AT_ONCE && c->merge == NULL)
        c->merge = merge_new();
    if (c->all_kinds || c->span <= SCAN_AT_ONCE || c->merge == NULL) {
        choose_scan(c, head);
        return;
    }
    merge_start(c->merge, c->position, head);
    c->planning = true;
    c->cost = 0;
    c->rows = 0;
    c->messages = 0;
    c->at_filter = 0;
    buffer_clear(&c->resume);
}

/* How many messages are after the position, if spread evenly over the ids. */
static uint64_t estimate_messages(const struct thing_row *row,
                                  uint64_t position)
{
    if (position < row->first_id)
        return row->count;
    const double share = (double)(row->last_id - position) /
                         (double)(row->last_id - row->first_id + 1);
    return 1 + (uint64_t)(share * (double)row->count);
}

/* Adds one thing to the plan. false: the merge now costs more than a scan. */
static bool plan_thing(struct catchup *c, struct store_reader *r,
                       const struct thing_row *row, enum store_err *ret_err)
{
    *ret_err = STORE_OK;
    c->rows++;
    c->cost += COST_ROW;
    if (row->last_id > c->position &&
        first_match(c->filters, c->at_filter, row->topic)) {
        const uint64_t messages = estimate_messages(row, c->position);
        c->messages += messages;
        c->cost += COST_SOURCE + COST_MESSAGE * messages;
        if (c->cost <= c->span)
            *ret_err = merge_offer(c->merge, r, row->topic);
    }
    return c->cost <= c->span;
}

/* Things left out of a round are looked at again in every later round. */
static bool rounds_pay(const struct catchup *c)
{
    const uint64_t rounds =
        merge_full(c->merge) ? c->messages / MERGE_SOURCES : 0;

    return c->cost + rounds * c->rows * COST_ROW <= c->span;
}

static enum catchup_step plan_step(struct catchup *c, struct store_reader *r,
                                   uint64_t head, unsigned *budget)
{
    struct thing_row row;
    enum store_err err;

    if (!c->planning)
        plan_begin(c, head);
    while (c->planning && *budget > 0) {
        if (c->at_filter == c->count) {
            if (rounds_pay(c))
                choose_merge(c);
            else
                choose_scan(c, c->position + c->span);
            break;
        }
        err = next_thing(r, c->filters[c->at_filter], buffer_slice(&c->resume),
                         &row);
        --*budget;
        if (err == STORE_NOTFOUND) {
            c->at_filter++;
            buffer_clear(&c->resume);
            continue;
        }
        if (err == STORE_CORRUPT) { /* the thing's row, or one of its chunks */
            choose_scan(c, c->position + c->span);
            break;
        }
        if (err != STORE_OK)
            return CATCHUP_FAILED;
        if (!plan_thing(c, r, &row, &err))
            choose_scan(c, c->position + c->span);
        if (err == STORE_CORRUPT)
            choose_scan(c, c->position + c->span);
        else if (err != STORE_OK)
            return CATCHUP_FAILED;
        /* A copy, because the row's bytes do not outlive the snapshot. */
        buffer_clear(&c->resume);
        buffer_put_slice(&c->resume, row.topic);
        if (!buffer_ok(&c->resume))
            return CATCHUP_FAILED;
    }
    return CATCHUP_MORE;
}

/* Where a thing's own rows are damaged, the log is scanned instead. */

/* ---- the three modes --------------------------------------------------- */

/* Notes that everything up to `id` has been looked at. */
static enum catchup_step advance_to(struct catchup *c, uint64_t id)
{
    c->position = id;
    if (c->mode != MODE_FOLLOW && id >= c->horizon)
        c->mode = MODE_PLAN;
    return CATCHUP_MORE;
}

static enum catchup_step follow_step(struct catchup *c, struct store_reader *r,
                                     uint64_t upto, unsigned *budget,
                                     struct record *ret_record)
{
    c->follow.after = c->position;
    c->follow.before = upto + 1;
    switch (store_history_next(r, &c->follow, ret_record)) {
    case STORE_OK:
        c->position = ret_record->m.id;
        if (!ret_record->m.deleted)
            return CATCHUP_RECORD;
        --*budget;
        return CATCHUP_MORE;
    case STORE_NOTFOUND: return advance_to(c, upto);
    case STORE_CORRUPT: choose_scan(c, upto); return CATCHUP_MORE;
    default: return CATCHUP_FAILED;
    }
}

static bool is_matched(const struct catchup *c, struct slice topic)
{
    for (size_t i = 0; i < c->count; i++)
        if (filter_matches(c->filters[i], topic))
            return true;
    return false;
}

static bool is_wanted(const struct catchup *c, const struct message *m)
{
    if (m->kind == MESSAGE_MESSAGE ? m->deleted : !c->all_kinds)
        return false;
    return is_matched(c, m->topic);
}

static enum catchup_step scan_step(struct catchup *c, struct store_reader *r,
                                   uint64_t upto, unsigned *budget,
                                   struct record *ret_record)
{
    while (*budget > 0) {
        enum store_err err = reader_entry_after(r, c->position, ret_record);
        --*budget;
        if (err == STORE_CORRUPT && r->log_at > c->position) {
            if (r->log_at > upto)
                return advance_to(c, upto);
            advance_to(c, r->log_at); /* skips a damaged entry */
            if (c->mode != MODE_SCAN)
                return CATCHUP_MORE;
            continue;
        }
        if (err == STORE_NOTFOUND ||
            (err == STORE_OK && ret_record->m.id > upto))
            return advance_to(c, upto);
        if (err == STORE_OK && is_wanted(c, &ret_record->m)) {
            err = reader_visible(r, ret_record);
            if (err == STORE_OK)
                err = change_resolve(r, ret_record);
            if (err == STORE_OK || err == STORE_CORRUPT) {
                advance_to(c, ret_record->m.id);
                return CATCHUP_RECORD;
            }
        } else if (err == STORE_OK) {
            err =
                STORE_NOTFOUND; /* no filter matches: skip it, like hidden ones */
        }
        if (err != STORE_NOTFOUND)
            return CATCHUP_FAILED;
        c->position = ret_record->m.id;
    }
    return CATCHUP_MORE;
}

static enum catchup_step merge_step(struct catchup *c, struct store_reader *r,
                                    uint64_t upto, unsigned *budget,
                                    struct record *ret_record)
{
    --*budget;
    switch (merge_next(c->merge, r, upto, ret_record)) {
    case STORE_OK: advance_to(c, ret_record->m.id); return CATCHUP_RECORD;
    case STORE_INVALID: /* removed meanwhile */ return CATCHUP_MORE;
    case STORE_NOTFOUND: return advance_to(c, upto);
    case STORE_CORRUPT: choose_scan(c, upto); return CATCHUP_MORE;
    default: return CATCHUP_FAILED;
    }
}

/* ---- changes ----------------------------------------------------------- */

/* Finds the first change above the position and up to `upto`: c->change_id, or 0.
 * STORE_INVALID: the budget is used up. */
static enum store_err find_change(struct catchup *c, struct store_reader *r,
                                  uint64_t upto, unsigned *budget)
{
    struct record record;
    uint64_t id;

    if (c->changes_snapshot != mdb_txn_id(r->txn)) {
        c->changes_snapshot = mdb_txn_id(r->txn);
        c->changes_seen = c->change_id = 0;
    }
    if (c->changes_seen < c->position)
        c->changes_seen = c->position;
    if (c->change_id <= c->position)
        c->change_id = 0;
    while (c->change_id == 0 && c->changes_seen < upto) {
        if (*budget == 0)
            return STORE_INVALID;
        enum store_err err =
            change_after(r, c->changes_of, c->changes_seen, &id);
        if (err == STORE_NOTFOUND) {
            c->changes_seen = UINT64_MAX; /* in this snapshot */
            return STORE_OK;
        }
        if (err != STORE_OK)
            return err;
        --*budget;
        c->changes_seen = id;
        err = reader_entry(r, id, &record);
        if (err == STORE_OK && is_matched(c, record.m.topic))
            c->change_id = id;
        else if (err != STORE_OK && err != STORE_NOTFOUND &&
                 err != STORE_CORRUPT)
            return err;
    }
    return STORE_OK;
}

static enum catchup_step change_step(struct catchup *c, struct store_reader *r,
                                     struct record *ret_record)
{
    enum store_err err = reader_entry(r, c->change_id, ret_record);

    if (err == STORE_OK)
        err = reader_visible(r, ret_record);
    if (err == STORE_OK)
        err = change_resolve(r, ret_record);
    if (err != STORE_OK && err != STORE_NOTFOUND && err != STORE_CORRUPT)
        return CATCHUP_FAILED;
    advance_to(c, c->change_id);
    return err == STORE_OK ? CATCHUP_RECORD : CATCHUP_MORE;
}

/* ---- all of it --------------------------------------------------------- */

static enum catchup_step next_message(struct catchup *c,
                                      struct store_reader *r, uint64_t upto,
                                      unsigned *budget,
                                      struct record *ret_record)
{
    const uint64_t limit = c->horizon < upto ? c->horizon : upto;

    switch (c->mode) {
    case MODE_PLAN: return plan_step(c, r, store_head(r), budget);
    case MODE_FOLLOW: return follow_step(c, r, upto, budget, ret_record);
    case MODE_SCAN: return scan_step(c, r, limit, budget, ret_record);
    case MODE_MERGE: return merge_step(c, r, limit, budget, ret_record);
    }
    return CATCHUP_FAILED;
}

/* The next message before the next change, or that change. */
static enum catchup_step next_with_changes(struct catchup *c,
                                           struct store_reader *r,
                                           uint64_t upto, unsigned *budget,
                                           struct record *ret_record)
{
    const enum store_err err = find_change(c, r, upto, budget);

    if (err != STORE_OK)
        return err == STORE_INVALID ? CATCHUP_MORE : CATCHUP_FAILED;
    if (c->change_id == 0 || c->change_id > upto)
        return next_message(c, r, upto, budget, ret_record);
    if (c->change_id == c->position + 1)
        return change_step(c, r, ret_record);
    return next_message(c, r, c->change_id - 1, budget, ret_record);
}

enum catchup_step catchup_next(struct catchup *c, struct store_reader *r,
                               uint64_t upto, unsigned budget,
                               struct record *ret_record)
{
    const uint64_t head = store_head(r);
    enum catchup_step step = CATCHUP_MORE;

    if (upto > head)
        upto = head;
    while (step == CATCHUP_MORE && c->position < upto && budget > 0)
        step = c->changes_of.len > 0
                   ? next_with_changes(c, r, upto, &budget, ret_record)
                   : next_message(c, r, upto, &budget, ret_record);
    if (step == CATCHUP_MORE && c->position >= upto)
        return CATCHUP_DONE;
    return step;
}
