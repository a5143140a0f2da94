#include "store/write/change.h"

#include "base/topic.h"
#include "store/write/account.h"
#include "store/write/chunk_walk.h"
#include "store/write/log_entry.h"

/* A purge deletes this many that are old enough: more than it makes. */
#define PURGES_FORGOTTEN 4

/* ---- rows of `changes` --------------------------------------------------- */

static enum store_err note_row(struct transaction *t,
                               const struct schema_key *key)
{
    return transaction_put(t, t->e->db.changes, schema_val(key),
                           (MDB_val){0, NULL}, 0);
}

static enum store_err forget_row(struct transaction *t,
                                 const struct schema_key *key)
{
    MDB_val k = schema_val(key);

    t->put = true;
    const int rc = mdb_del(t->txn, t->e->db.changes, &k, NULL);
    return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
}

static enum store_err forget_entry(struct transaction *t, struct slice token,
                                   uint64_t id)
{
    struct schema_key key;
    const enum store_err err = log_remove(t, id);

    schema_change_key(token, id, &key);
    return err == STORE_OK ? forget_row(t, &key) : err;
}

/* ---- one message --------------------------------------------------------- */

enum store_err change_find(struct transaction *t, const struct thing *thing,
                           uint64_t id, struct record *ret_record)
{
    const struct thing_row *row = &thing->state.row;

    if (row->count == 0 || id < row->first_id || id > row->last_id)
        return STORE_NOTFOUND;
    const enum store_err err = log_get_raw(t, id, ret_record);
    if (err != STORE_OK)
        return err;
    return ret_record->m.kind == MESSAGE_MESSAGE &&
                   slice_eq(ret_record->m.topic, thing_topic(thing))
               ? STORE_OK
               : STORE_NOTFOUND;
}

int64_t change_growth(const struct transaction *t,
                      const struct message *before,
                      const struct message *after)
{
    struct message changed = *after;

    changed.change_id = UINT64_MAX; /* it will have one */
    return (int64_t)account_stored_cost(t, &changed) -
           (int64_t)account_stored_cost(t, before);
}

/* Puts `more`, of which the cost is `growth`, into the sums of a chunk. */
static void add_to_chunk(struct chunk_row *c, struct slice topic, int64_t more,
                         int64_t growth)
{
    c->stored = account_chunk_cost(c, topic) + (uint64_t)growth;
    c->bytes += (uint64_t)more;
}

static enum store_err change_chunk(struct transaction *t,
                                   const struct thing *thing, uint64_t id,
                                   int64_t more, int64_t growth)
{
    struct chunk_walk w;
    struct schema_key key;

    enum store_err err = chunk_walk_open(t, &w, thing_topic(thing), id);
    struct chunk_row chunk = w.chunk;
    chunk_walk_close(&w);
    if (err != STORE_OK)
        return err;
    add_to_chunk(&chunk, thing_topic(thing), more, growth);
    buffer_clear(&t->row);
    schema_put_chunk(&t->row, &chunk);
    schema_chunk_key(thing_topic(thing), chunk.ids[0], &key);
    return transaction_put_row(t, t->e->db.chunks, schema_val(&key), 0);
}

static enum store_err change_sums(struct transaction *t, struct thing *thing,
                                  struct token *who, uint64_t id, int64_t more,
                                  int64_t growth)
{
    struct thing_state *state = &thing->state;
    enum store_err err = STORE_OK;

    if (state->open.count > 0 && id >= state->open.ids[0])
        add_to_chunk(&state->open, thing_topic(thing), more, growth);
    else
        err = change_chunk(t, thing, id, more, growth);
    state->row.bytes += (uint64_t)more;
    state->stored += (uint64_t)growth;
    if (growth >= 0)
        account_add(t, who, ACCOUNT_MESSAGES, (uint64_t)growth);
    else
        account_subtract(t, who, ACCOUNT_MESSAGES, (uint64_t)-growth);
    return err;
}

static enum store_err put_message(struct transaction *t,
                                  const struct message *m)
{
    uint64_t id = m->id;

    buffer_clear(&t->row);
    schema_put_record(&t->row, m);
    t->deleted = true; /* it may leave pages of its own */
    transaction_log_changes(t);
    return transaction_put_row(t, t->e->db.log, (MDB_val){sizeof(id), &id}, 0);
}

/* The next entry of the log, and its row of `changes`. */
static enum store_err append_entry(struct transaction *t, struct slice token,
                                   const struct message *entry)
{
    struct schema_key key;

    buffer_clear(&t->row);
    schema_put_record(&t->row, entry);
    const enum store_err err = transaction_append_row(t, entry->id);
    if (err != STORE_OK)
        return err;
    t->head = entry->id;
    schema_change_key(token, entry->id, &key);
    return note_row(t, &key);
}

static enum store_err change_retained(struct transaction *t,
                                      struct thing *thing, struct token *who,
                                      const struct message *after)
{
    const struct message nothing = {.topic = thing_topic(thing)};
    const enum store_err err = retained_load(t, thing);

    if (err != STORE_OK || thing->retained_id != after->id ||
        after->payload.len > 0)
        return err;
    return retained_set(t, thing, who, &nothing);
}

enum store_err change_put(struct transaction *t, struct thing *thing,
                          struct token *who, const struct message *before,
                          struct message *after, enum message_kind kind)
{
    const struct slice token = thing_token(thing);
    const uint64_t earlier = before->change_id;
    const int64_t growth = change_growth(t, before, after);
    const int64_t more =
        (int64_t)after->payload.len - (int64_t)before->payload.len;
    enum store_err err = STORE_OK;

    thing_changed(&t->things, thing); /* so that an abort forgets the entry */
    after->change_id = t->head + 1;
    after->changed_us = t->in.now_us;
    const struct message entry = {
        .kind = (uint8_t)kind,
        .payload_class = PAYLOAD_TEXT,
        .topic = after->topic,
        .id = after->change_id,
        .seq = after->seq,
        .at_us = after->changed_us,
        .about = after->id,
        .changed_us = after->changed_us,
    };
    if (earlier != 0)
        err = forget_entry(t, token, earlier);
    else
        thing->state.changes++;
    if (err == STORE_OK)
        err = put_message(t, after);
    if (err == STORE_OK)
        err = append_entry(t, token, &entry);
    if (err == STORE_OK)
        err = change_sums(t, thing, who, after->id, more, growth);
    if (err == STORE_OK)
        err = change_retained(t, thing, who, after);
    return err;
}

enum store_err change_forget(struct transaction *t, struct thing *thing,
                             const struct message *m)
{
    const uint64_t id = m->change_id; /* the row may move */

    if (id == 0)
        return STORE_OK;
    thing_changed(&t->things, thing);
    if (thing->state.changes > 0)
        thing->state.changes--;
    return forget_entry(t, thing_token(thing), id);
}

/* ---- purges -------------------------------------------------------------- */

/* The token's first entry of kind PURGE. */
static enum store_err first_purge(struct transaction *t, struct slice token,
                                  uint64_t *ret_id)
{
    struct schema_key key;
    MDB_cursor *cursor;
    MDB_val k, v;

    schema_purge_key(token, 0, &key);
    k = schema_val(&key);
    int rc = mdb_cursor_open(t->txn, t->e->db.changes, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    if (rc == 0 && !schema_purge_id(token, k, ret_id))
        rc = MDB_NOTFOUND;
    mdb_cursor_close(cursor);
    return store_from_mdb(rc);
}

static enum store_err forget_purge(struct transaction *t, struct token *who,
                                   struct slice token, uint64_t id,
                                   uint64_t cost)
{
    struct schema_key key;

    account_subtract(t, who, ACCOUNT_MESSAGES, cost);
    schema_purge_key(token, id, &key);
    const enum store_err err = forget_row(t, &key);
    return err == STORE_OK ? forget_entry(t, token, id) : err;
}

enum store_err change_forget_purges(struct transaction *t, struct token *who,
                                    struct slice token, int64_t before_us,
                                    unsigned *left)
{
    struct record record;
    uint64_t id;

    for (; *left > 0; --*left) {
        enum store_err err = first_purge(t, token, &id);
        if (err == STORE_NOTFOUND)
            return STORE_OK;
        if (err != STORE_OK)
            return err;
        err = log_get(t, id, &record);
        if (err == STORE_OK && record.m.changed_us >= before_us)
            return STORE_OK;
        if (err == STORE_OK)
            err = forget_purge(t, who, token, id,
                               account_change_cost(token, &record.m));
        else if (err == STORE_NOTFOUND || err == STORE_CORRUPT)
            err = forget_purge(t, who, token, id, 0);
        if (err != STORE_OK)
            return err;
    }
    return STORE_OK;
}

enum store_err change_put_purge(struct transaction *t, struct token *who,
                                struct message *m)
{
    const struct slice token = topic_first_level(m->topic);
    unsigned left = PURGES_FORGOTTEN;
    struct schema_key key;

    m->kind = MESSAGE_PURGE;
    m->id = t->head + 1;
    m->at_us = m->changed_us = t->in.now_us;
    enum store_err err =
        change_forget_purges(t, who, token,
                             t->in.decay_us - CHANGE_PURGE_KEPT_US, &left);
    if (err == STORE_OK)
        err = append_entry(t, token, m);
    if (err != STORE_OK)
        return err;
    account_add(t, who, ACCOUNT_MESSAGES, account_change_cost(token, m));
    schema_purge_key(token, m->id, &key);
    return note_row(t, &key);
}
