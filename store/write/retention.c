#include "store/write/retention.h"

#include "store/command/thing.h"
#include "store/write/trim.h"

/* Limits of one step. Looking at a thing takes a microsecond while its pages are in memory;
 * how much is trimmed is bounded by the number of chunks walked. */
#define STEP_THINGS 64
#define STEP_CHUNKS 64
/* After appends: more chunks than one transaction can add, so that the count is exact,
 * unless the plan was changed to keep less. */
#define APPENDED_CHUNKS 512

/* ---- bounds ----------------------------------------------------------- */

/* Greatest id with seq ≤ `seq` among those in the first chunks, so that a distant bound is
 * reached in several steps. 0: nothing to trim. */
static enum store_err bound_by_seq(struct transaction *t,
                                   const struct thing *thing, uint64_t seq,
                                   unsigned chunks, uint64_t *ret_through)
{
    const struct thing_row *row = &thing->state.row;
    const struct chunk_row *open = &thing->state.open;
    struct chunk_walk w;

    *ret_through = 0;
    if (open->count > 0 && seq >= open->first_seq) {
        *ret_through = open->ids[seq - open->first_seq];
        return STORE_OK;
    }
    enum store_err err =
        chunk_walk_open(t, &w, thing_topic(thing), row->first_id);
    for (unsigned i = 0; err == STORE_OK && i < chunks; i++) {
        if (w.chunk.first_seq > seq)
            break;
        const uint64_t n = seq - w.chunk.first_seq + 1;
        if (n <= w.chunk.count) {
            *ret_through = w.chunk.ids[n - 1];
            break;
        }
        *ret_through = w.chunk.ids[w.chunk.count - 1];
        err = chunk_walk_next(&w);
    }
    chunk_walk_close(&w);
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static enum store_err is_older(struct transaction *t, uint64_t id,
                               int64_t than_us, bool *ret_older)
{
    struct record record;
    const enum store_err err = log_get(t, id, &record);

    /* A missing entry counts as older; one that cannot be read stays, as its age is
     * unknown. */
    *ret_older =
        (err == STORE_OK && record.m.at_us < than_us) || err == STORE_NOTFOUND;
    return err == STORE_NOTFOUND || err == STORE_CORRUPT ? STORE_OK : err;
}

/* The ids of one chunk that are older, oldest first. The last one is looked at first: if it
 * is older, all are, as in most chunks of a long history. */
static enum store_err bound_in_chunk(struct transaction *t,
                                     const struct chunk_row *chunk,
                                     uint64_t from, int64_t than_us,
                                     uint64_t *through, bool *ret_all)
{
    enum store_err err =
        is_older(t, chunk->ids[chunk->count - 1], than_us, ret_all);

    if (err == STORE_OK && *ret_all)
        *through = chunk->ids[chunk->count - 1];
    for (unsigned i = 0; err == STORE_OK && !*ret_all && i < chunk->count;
         i++) {
        bool older;
        if (chunk->ids[i] < from)
            continue;
        err = is_older(t, chunk->ids[i], than_us, &older);
        if (!older)
            break;
        *through = chunk->ids[i];
    }
    return err;
}

static enum store_err bound_by_age(struct transaction *t,
                                   const struct thing *thing, int64_t than_us,
                                   uint64_t *ret_through)
{
    const uint64_t from = thing->state.row.first_id;
    struct chunk_walk w;
    bool all = true;
    unsigned i = 0;

    *ret_through = 0;
    enum store_err err = chunk_walk_open(t, &w, thing_topic(thing), from);
    for (; err == STORE_OK && all && i < STEP_CHUNKS; i++) {
        err = bound_in_chunk(t, &w.chunk, from, than_us, ret_through, &all);
        if (err == STORE_OK && all)
            err = chunk_walk_next(&w);
    }
    chunk_walk_close(&w);
    if (err != STORE_NOTFOUND || thing->state.open.count == 0)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    return bound_in_chunk(t, &thing->state.open, from, than_us, ret_through,
                          &all);
}

/* ---- after appends ---------------------------------------------------- */

static enum store_err propose_trim(struct transaction *t,
                                   const struct thing *thing, uint64_t through)
{
    struct thing_trim a = {.topic = thing_topic(thing), .through = through};
    struct command c = {.kind = COMMAND_TRIM, .args = &a};

    return through == 0 ? STORE_OK : transaction_propose(t, &c);
}

static enum store_err trim_to_count(struct transaction *t, struct thing *thing,
                                    uint64_t keep, unsigned chunks)
{
    const struct thing_row *row = &thing->state.row;
    uint64_t through;

    if (keep == 0 || row->count <= keep)
        return STORE_OK;
    const enum store_err err =
        bound_by_seq(t, thing, row->last_seq - keep, chunks, &through);
    return err == STORE_OK ? propose_trim(t, thing, through) : err;
}

enum store_err retention_after_appends(struct transaction *t)
{
    struct thing *thing;

    STAILQ_FOREACH (thing, &t->things.changed, change) {
        const enum store_err err =
            trim_to_count(t, thing, thing->keep, APPENDED_CHUNKS);
        if (err != STORE_OK)
            return err;
    }
    return STORE_OK;
}

/* ---- the walk --------------------------------------------------------- */

void sweep_init(struct sweep *s, const struct config *config,
                const struct token_cache *tokens)
{
    *s = (struct sweep){.config = config, .tokens = tokens};
}

bool sweep_needed(const struct sweep *s)
{
    const struct config *c = config_newest(s->config);

    if (!s->walked || s->tokens->own_retention)
        return true;
    for (size_t i = 0; i < c->plan_count; i++)
        if (c->plans[i].retention_count != 0 || c->plans[i].retention_age != 0)
            return true;
    return false;
}

bool sweep_due(const struct sweep *s, int64_t now_us)
{
    /* A clock that was set back must not stop the walks for good. */
    return sweep_needed(s) && (s->walking || now_us >= s->next_us ||
                               now_us < s->next_us - SWEEP_EVERY_US);
}

/* The plan of a topic; NULL: none, or it keeps everything. */
static enum store_err plan_of(struct transaction *t, struct slice topic,
                              const struct plan **ret_plan)
{
    struct slice name, rest;
    struct token *token;

    *ret_plan = NULL;
    if (!topic_split(topic, &name, &rest))
        return STORE_OK;
    const enum store_err err = transaction_token(t, name, &token);
    if (err == STORE_OK && token->exists &&
        (token->plan->retention_count != 0 || token->plan->retention_age != 0))
        *ret_plan = token->plan;
    return err == STORE_CORRUPT ? STORE_OK : err;
}

static int64_t oldest_kept(const struct transaction *t,
                           const struct plan *plan)
{
    /* The configuration allows larger ages than times can be. */
    const uint64_t age_s = plan->retention_age;

    return t->here.decay_us - (age_s > INT64_MAX / 2000000
                                   ? INT64_MAX / 2
                                   : (int64_t)age_s * 1000000);
}

/* Whether the committed row shows something to trim. Nearly all things have nothing, and
 * looking at them must not push others out of the cache. */
static enum store_err is_due(struct transaction *t, const struct plan *plan,
                             const struct thing_row *row, bool *ret_due)
{
    *ret_due =
        plan->retention_count != 0 && row->count > plan->retention_count;
    if (*ret_due || plan->retention_age == 0 || row->count == 0)
        return STORE_OK;
    return is_older(t, row->first_id, oldest_kept(t, plan), ret_due);
}

static enum store_err apply_plan(struct transaction *t, struct slice topic,
                                 const struct plan *plan)
{
    uint64_t through = 0;
    struct thing *thing;

    enum store_err err = transaction_thing(t, topic, &thing);
    if (err == STORE_OK)
        err = trim_to_count(t, thing, plan->retention_count, STEP_CHUNKS);
    if (err != STORE_OK || plan->retention_age == 0 ||
        thing->state.row.count == 0)
        return err;
    err = bound_by_age(t, thing, oldest_kept(t, plan), &through);
    return err == STORE_OK ? propose_trim(t, thing, through) : err;
}

/* The key after all things of the token that `topic` is under. */
static void skip_token(struct schema_key *key, struct slice topic)
{
    const size_t len = topic_first_level(topic).len;

    memcpy(key->bytes, topic.data, len);
    key->bytes[len] = '/' + 1;
    key->len = len + 1;
}

static void skip_thing(struct schema_key *key, MDB_val k)
{
    memcpy(key->bytes, k.mv_data, k.mv_size);
    key->bytes[k.mv_size] = '\0'; /* the least key above it */
    key->len = k.mv_size + 1;
}

/* Looks at the thing that the walk has reached. */
static enum store_err visit_thing(struct sweep *s, struct transaction *t,
                                  MDB_val k, MDB_val v)
{
    struct thing_state state;
    const struct plan *plan;

    if (k.mv_size > SCHEMA_KEY_MAX + 1)
        return STORE_CORRUPT;
    if (!schema_get_thing(k, v, &state)) {
        skip_thing(&s->at, k);
        return STORE_OK; /* damaged: readers report it */
    }
    const uint64_t trimmed = t->trimmed;
    bool due = false;
    enum store_err err = plan_of(t, state.row.topic, &plan);
    if (err == STORE_OK && plan != NULL)
        err = is_due(t, plan, &state.row, &due);
    if (err == STORE_OK && due)
        err = apply_plan(t, state.row.topic, plan);
    if (err != STORE_OK && err != STORE_CORRUPT)
        return err;
    /* If something was trimmed, look again: there may be more than one step's worth. */
    if (err == STORE_OK && t->trimmed > trimmed)
        return STORE_OK;
    struct slice name, rest;
    if (plan == NULL && topic_split(state.row.topic, &name, &rest))
        skip_token(&s->at, state.row.topic);
    else
        skip_thing(&s->at, k);
    return err;
}

enum store_err sweep_step(struct sweep *s, struct transaction *t)
{
    MDB_cursor *cursor;
    enum store_err err = STORE_OK;

    if (!s->walking) {
        s->walking = true;
        s->next_us = t->here.now_us + SWEEP_EVERY_US;
        s->at.len = 0;
    }
    int rc = mdb_cursor_open(t->txn, t->e->db.things, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    for (unsigned i = 0;
         err == STORE_OK && i < STEP_THINGS && t->here.deletions >= CHUNK_IDS;
         i++) {
        MDB_val k = schema_val(&s->at), v;
        rc = mdb_cursor_get(cursor, &k, &v,
                            s->at.len == 0 ? MDB_FIRST : MDB_SET_RANGE);
        err = rc == 0 ? visit_thing(s, t, k, v) : store_from_mdb(rc);
    }
    mdb_cursor_close(cursor);
    if (err == STORE_NOTFOUND) {
        s->walking = false;
        s->walked = true;
        return STORE_OK;
    }
    return err;
}
