#include "store/write/trim.h"

#include "base/log.h"
#include "store/write/account.h"
#include "store/write/change.h"

/* ---- deleting log entries and chunk rows ------------------------------ */

static enum store_err keep_retained(struct transaction *t, struct thing *thing)
{
    struct record record;
    const enum store_err err = log_get(t, thing->retained_id, &record);

    /* A record that cannot be read cannot be kept, either. */
    return err == STORE_OK        ? retained_copy(t, thing, &record.m)
           : err == STORE_CORRUPT ? STORE_OK
                                  : err;
}

/* The entry of its last change goes with it. */
static enum store_err forget_change(struct transaction *t, struct thing *thing,
                                    uint64_t id)
{
    struct record record;

    if (thing->state.changes == 0)
        return STORE_OK;
    const enum store_err err = log_get(t, id, &record);
    if (err != STORE_OK) /* an entry without its message means nothing */
        return err == STORE_CORRUPT || err == STORE_NOTFOUND ? STORE_OK : err;
    return change_forget(t, thing, &record.m);
}

/* A missing entry is not an error: leftovers may be met twice. */
static enum store_err log_delete(struct transaction *t, struct thing *thing,
                                 uint64_t id)
{
    enum store_err err = STORE_OK;

    if (id == thing->retained_id)
        err = keep_retained(t, thing);
    if (err == STORE_OK)
        err = forget_change(t, thing, id);
    if (err == STORE_OK)
        err = log_remove(t, id);
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

/* Afterwards the cursor is before the following chunk: call chunk_walk_next(). */
static enum store_err chunk_delete(struct transaction *t, struct chunk_walk *w)
{
    t->put = t->deleted = true;
    return store_from_mdb(mdb_cursor_del(w->cursor, 0));
}

static enum store_err set_pending(struct transaction *t, struct thing *thing,
                                  bool pending)
{
    struct schema_key key;

    schema_name_key(thing_topic(thing), &key);
    MDB_val k = schema_val(&key);
    thing_changed(&t->things, thing); /* so that an abort forgets the flag */
    thing->pending = pending;
    if (pending) {
        t->trims_waiting = true;
        buffer_clear(&t->row);
        schema_put_trim(&t->row, thing_topic(thing));
        return transaction_put_row(t, t->e->db.trims, k, 0);
    }
    t->put = true;
    const int rc = mdb_del(t->txn, t->e->db.trims, &k, NULL);
    return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
}

static enum store_err load_pending(struct transaction *t, struct thing *thing)
{
    struct schema_key key;
    MDB_val v;

    if (thing->pending_known)
        return STORE_OK;
    schema_name_key(thing_topic(thing), &key);
    MDB_val k = schema_val(&key);
    const int rc = mdb_get(t->txn, t->e->db.trims, &k, &v);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return store_from_mdb(rc);
    thing->pending = rc == 0;
    thing->pending_known = true;
    return STORE_OK;
}

enum store_err trim_pending(struct transaction *t, struct thing *thing,
                            bool *ret_pending)
{
    const enum store_err err = load_pending(t, thing);

    *ret_pending = thing->pending;
    return err;
}

/* ---- hiding ----------------------------------------------------------- */

/* What one trim removes, added up before the row is changed. */
struct trim {
    struct transaction *t;
    struct thing *thing;
    uint64_t through;
    uint64_t count, bytes, stored;
    uint64_t last; /* greatest id removed */
    bool deleting; /* false: hides only; once false, it stays so */
    bool left;     /* some hidden entries were not deleted */
};

static enum store_err remove_id(struct trim *trim, uint64_t id,
                                bool count_bytes)
{
    if (count_bytes) {
        struct record record;
        const enum store_err err = log_get(trim->t, id, &record);
        if (err == STORE_OK) {
            trim->bytes += record.m.payload.len;
            trim->stored += account_stored_cost(trim->t, &record.m);
        } else if (err != STORE_CORRUPT && err != STORE_NOTFOUND)
            return err;
    }
    trim->count++;
    trim->last = id;
    if (!trim->deleting) {
        trim->left = true;
        return STORE_OK;
    }
    return log_delete(trim->t, trim->thing, id);
}

static enum store_err remove_chunk(struct trim *trim, struct chunk_walk *w)
{
    const struct chunk_row *chunk = &w->chunk;
    const uint64_t first_id = trim->thing->state.row.first_id;
    const bool to_its_end = chunk->ids[chunk->count - 1] <= trim->through;
    const bool whole = to_its_end && chunk->ids[0] >= first_id;

    if (trim->t->in.deletions < CHUNK_IDS)
        trim->deleting = false;
    for (unsigned i = 0; i < chunk->count; i++) {
        if (chunk->ids[i] < first_id)
            continue;
        if (chunk->ids[i] > trim->through)
            return STORE_OK;
        const enum store_err err = remove_id(trim, chunk->ids[i], !whole);
        if (err != STORE_OK)
            return err;
    }
    if (whole) {
        trim->bytes += chunk->bytes;
        trim->stored += account_chunk_cost(chunk, thing_topic(trim->thing));
    }
    return trim->deleting ? chunk_delete(trim->t, w) : STORE_OK;
}

static enum store_err remove_chunks(struct trim *trim, uint64_t *ret_next)
{
    const uint64_t first_id = trim->thing->state.row.first_id;
    struct chunk_walk w;

    enum store_err err =
        chunk_walk_open(trim->t, &w, thing_topic(trim->thing), first_id);
    while (err == STORE_OK && w.chunk.ids[0] <= trim->through) {
        err = remove_chunk(trim, &w);
        if (err != STORE_OK || w.chunk.ids[w.chunk.count - 1] > trim->through)
            break;
        err = chunk_walk_next(&w);
    }
    *ret_next = 0;
    for (unsigned i = 0; err == STORE_OK && i < w.chunk.count; i++)
        if (w.chunk.ids[i] > trim->through) {
            *ret_next = w.chunk.ids[i];
            break;
        }
    chunk_walk_close(&w);
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

/* A result below zero is possible only after damage. */
static uint64_t minus_or_zero(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* Always deletes the log entries, too (at most 15): once out of the open chunk, they are
 * named nowhere. */
static enum store_err remove_open(struct trim *trim)
{
    struct chunk_row *open = &trim->thing->state.open;
    const uint64_t bytes_before = trim->bytes, stored_before = trim->stored;
    const bool deleting = trim->deleting;
    enum store_err err = STORE_OK;
    struct record record;
    unsigned n = 0;

    trim->deleting = true;
    while (err == STORE_OK && n < open->count && open->ids[n] <= trim->through)
        err = remove_id(trim, open->ids[n++], true);
    trim->deleting = deleting;
    if (err != STORE_OK || n == 0)
        return err;
    open->bytes = minus_or_zero(open->bytes, trim->bytes - bytes_before);
    open->stored = minus_or_zero(open->stored, trim->stored - stored_before);
    open->count -= n;
    open->first_seq += n;
    memmove(open->ids, open->ids + n, open->count * sizeof(open->ids[0]));
    memset(open->ids + open->count, 0, n * sizeof(open->ids[0]));
    if (open->count == 0) {
        *open = (struct chunk_row){0};
        return STORE_OK;
    }
    err = log_get(trim->t, open->ids[0], &record);
    if (err == STORE_OK)
        open->first_at_us = record.m.at_us;
    return err == STORE_CORRUPT || err == STORE_NOTFOUND ? STORE_OK : err;
}

static void update_row(struct thing_state *state, const struct trim *trim,
                       uint64_t next_id)
{
    struct thing_row *row = &state->row;

    row->trimmed_id = trim->last;
    row->first_seq += trim->count;
    row->count -= trim->count;
    row->bytes = minus_or_zero(row->bytes, trim->bytes);
    state->stored = minus_or_zero(state->stored, trim->stored);
    row->first_id = next_id;
    if (row->count == 0) {
        row->first_id = row->last_id = 0;
        row->bytes = state->stored = 0;
    }
}

/* Updates the account, and notes that something of the token was trimmed up to there. */
static enum store_err update_usage(struct transaction *t, struct thing *thing,
                                   uint64_t bytes)
{
    const uint64_t trimmed_id = thing->state.row.trimmed_id;
    struct token *who;
    const enum store_err err = account_of_thing(t, thing, &who);

    if (err != STORE_OK)
        return err;
    account_subtract(t, who, ACCOUNT_MESSAGES, bytes);
    if (who != NULL && !account_is_nobody(who) &&
        who->usage.trimmed_id < trimmed_id) {
        token_changed(&t->tokens, who);
        who->usage.trimmed_id = trimmed_id;
    }
    return STORE_OK;
}

enum store_err trim_through(struct transaction *t, struct thing *thing,
                            uint64_t through, uint64_t *ret_removed)
{
    struct thing_row *row = &thing->state.row;
    const uint64_t stored_before = thing->state.stored;
    struct trim trim = {.t = t, .thing = thing, .through = through};
    uint64_t next_id = 0;

    *ret_removed = 0;
    if (row->count == 0 || through < row->first_id)
        return STORE_OK;
    enum store_err err = load_pending(t, thing);
    if (err == STORE_OK)
        err = retained_load(t, thing);
    if (err != STORE_OK)
        return err;
    /* Before the first delete, so that an abort forgets the entry. */
    thing_changed(&t->things, thing);
    /* While an earlier trim has leftovers, nothing is deleted after them: they are
     * found by walking from the topic's first chunk to a visible id. */
    trim.deleting = !thing->pending && t->in.deletions > 0;
    err = remove_chunks(&trim, &next_id);
    if (err == STORE_OK && next_id == 0) {
        err = remove_open(&trim);
        next_id = thing->state.open.count > 0 ? thing->state.open.ids[0] : 0;
    }
    if (err == STORE_OK && trim.left && !thing->pending)
        err = set_pending(t, thing, true);
    if (err != STORE_OK)
        return err;
    update_row(&thing->state, &trim, next_id);
    *ret_removed = trim.count;
    t->trimmed += trim.count;
    return update_usage(t, thing, stored_before - thing->state.stored);
}

/* ---- leftovers -------------------------------------------------------- */

static enum store_err delete_hidden(struct transaction *t, struct thing *thing,
                                    struct chunk_walk *w, bool *ret_all)
{
    const struct chunk_row *chunk = &w->chunk;

    *ret_all = false;
    for (unsigned i = 0; i < chunk->count; i++) {
        if (chunk->ids[i] > thing->state.row.trimmed_id)
            return STORE_OK;
        const enum store_err err = log_delete(t, thing, chunk->ids[i]);
        if (err != STORE_OK)
            return err;
    }
    *ret_all = true;
    return chunk_delete(t, w);
}

static enum store_err finish_topic(struct transaction *t, struct thing *thing)
{
    struct chunk_walk w;
    bool all = true;

    enum store_err err = retained_load(t, thing);
    if (err != STORE_OK)
        return err;
    err = chunk_walk_open(t, &w, thing_topic(thing), 0);
    while (err == STORE_OK && all && t->in.deletions >= CHUNK_IDS) {
        err = delete_hidden(t, thing, &w, &all);
        if (err == STORE_OK && all)
            err = chunk_walk_next(&w);
    }
    chunk_walk_close(&w);
    if (err == STORE_NOTFOUND || (err == STORE_OK && !all))
        return set_pending(t, thing, false);
    return err;
}

/* The first topic with hidden entries; NOTFOUND: none. */
static enum store_err first_waiting(struct transaction *t,
                                    struct thing **ret_thing)
{
    MDB_cursor *cursor;
    struct slice topic;
    MDB_val k, v;

    int rc = mdb_cursor_open(t->txn, t->e->db.trims, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
    mdb_cursor_close(cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    return schema_get_trim(v, &topic) ? transaction_thing(t, topic, ret_thing)
                                      : STORE_CORRUPT;
}

enum store_err trim_leftovers(struct transaction *t)
{
    struct thing *thing;

    while (t->in.deletions >= CHUNK_IDS) {
        enum store_err err = first_waiting(t, &thing);
        if (err == STORE_NOTFOUND) {
            t->trims_waiting = false;
            return STORE_OK;
        }
        if (err == STORE_OK)
            err = finish_topic(t, thing);
        if (err != STORE_OK)
            return err;
    }
    return STORE_OK;
}
