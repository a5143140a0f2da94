/* Recounting what tokens hold, for stores of versions that charged payloads only, and
 * nothing for sessions. Four passes over rows sorted by token: for messages and for
 * sessions, the first pass sets the numbers and the second adds to them. So a start that
 * was interrupted begins again from zero. */
#include "base/log.h"
#include "store/write/account.h"

#define STEP_TOKENS 256

struct tally {
    uint64_t rows, bytes;
};

struct pass {
    enum account_part part;
    MDB_dbi dbi;
    bool sets; /* else adds */
    /* The cost of a row, and the token that pays (empty: nobody's); false: the row
     * cannot be read, or is not charged. */
    bool (*read)(struct transaction *t, MDB_val k, MDB_val v,
                 struct slice *ret_token, uint64_t *ret_bytes);
};

/* ---- rows ---------------------------------------------------------------- */

static struct slice token_of_topic(struct slice topic)
{
    struct slice token, thing;

    return topic_split(topic, &token, &thing) ? token : slice_of(NULL, 0);
}

static bool read_thing(struct transaction *t, MDB_val k, MDB_val v,
                       struct slice *ret_token, uint64_t *ret_bytes)
{
    struct thing_state thing;

    (void)t;
    if (!schema_get_thing(k, v, &thing))
        return false;
    *ret_token = token_of_topic(thing.row.topic);
    *ret_bytes = account_thing_cost(thing.row.topic) + thing.stored;
    return true;
}

static bool read_retained(struct transaction *t, MDB_val k, MDB_val v,
                          struct slice *ret_token, uint64_t *ret_bytes)
{
    struct record copy;
    struct slice topic;
    bool has_copy;
    uint64_t id;

    (void)t;
    if (!schema_get_retained(k, v, &topic, &id, &has_copy, &copy))
        return false;
    *ret_token = token_of_topic(topic);
    *ret_bytes = account_row_cost(k.mv_size, v.mv_size);
    return true;
}

static uint64_t parts_of(struct transaction *t, MDB_dbi dbi, uint64_t number)
{
    struct schema_key first;
    MDB_cursor *cursor;
    uint64_t bytes = 0;
    MDB_val k, v;

    schema_part_key(number, &first);
    k = schema_val(&first);
    if (mdb_cursor_open(t->txn, dbi, &cursor) != 0)
        return 0;
    for (int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
         rc == 0 && k.mv_size >= first.len &&
         memcmp(k.mv_data, first.bytes, first.len) == 0;
         rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))
        bytes += account_row_cost(k.mv_size, v.mv_size);
    mdb_cursor_close(cursor);
    return bytes;
}

static bool read_session(struct transaction *t, MDB_val k, MDB_val v,
                         struct slice *ret_token, uint64_t *ret_bytes)
{
    struct session_row row;

    if (!schema_get_session(k, v, &row))
        return false;
    *ret_token = session_token(row.identity);
    *ret_bytes = account_row_cost(k.mv_size, v.mv_size) +
                 parts_of(t, t->e->db.subscriptions, row.number) +
                 parts_of(t, t->e->db.inflight, row.number) +
                 parts_of(t, t->e->db.wills, row.number);
    return true;
}

static bool read_group(struct transaction *t, MDB_val k, MDB_val v,
                       struct slice *ret_token, uint64_t *ret_bytes)
{
    struct group_row row;

    (void)t;
    if (!schema_get_group(k, v, &row))
        return false;
    *ret_token = session_token(row.name);
    *ret_bytes = account_row_cost(k.mv_size, v.mv_size);
    return true;
}

/* ---- a pass -------------------------------------------------------------- */

/* How far a pass is: cursors do not outlive a transaction. */
struct place {
    struct schema_key at;
    char name[TOKEN_MAX];
    size_t len; /* 0: no token yet */
    struct tally token, nobody;
    unsigned told; /* tokens written in the open transaction */
};

static enum store_err save_tally(struct transaction *t,
                                 const struct pass *pass, struct slice name,
                                 const struct tally *tally)
{
    struct token *who;
    const enum store_err err = account_of(t, name, &who);

    if (err != STORE_OK || who == NULL)
        return err;
    token_changed(&t->tokens, who);
    uint64_t *bytes = pass->part == ACCOUNT_MESSAGES
                          ? &who->usage.bytes
                          : &who->usage.session_bytes;
    *bytes = tally->bytes + (pass->sets ? 0 : *bytes);
    if (pass->sets && pass->part == ACCOUNT_MESSAGES)
        who->usage.things = tally->rows;
    else if (pass->sets)
        who->usage.sessions = tally->rows;
    return STORE_OK;
}

static enum store_err save_token_tally(struct transaction *t,
                                       const struct pass *pass,
                                       struct place *place)
{
    if (place->len == 0)
        return STORE_OK;
    place->told++;
    return save_tally(t, pass, slice_of(place->name, place->len),
                      &place->token);
}

static enum store_err tally_row(struct transaction *t, const struct pass *pass,
                                struct place *place, MDB_val k, MDB_val v)
{
    enum store_err err = STORE_OK;
    struct slice name;
    uint64_t bytes;

    if (!pass->read(t, k, v, &name, &bytes))
        return STORE_OK;
    if (!token_valid(name)) {
        place->nobody.rows++;
        place->nobody.bytes += bytes;
        return STORE_OK;
    }
    if (!slice_eq(name, slice_of(place->name, place->len))) {
        err = save_token_tally(t, pass, place);
        memcpy(place->name, name.data, name.len);
        place->len = name.len;
        place->token = (struct tally){0};
    }
    place->token.rows++;
    place->token.bytes += bytes;
    return err;
}

static enum store_err run_step(struct transaction *t, const struct pass *pass,
                               struct place *place, bool *ret_done)
{
    enum store_err err = STORE_OK;
    MDB_cursor *cursor;
    MDB_val k = schema_val(&place->at), v;

    int rc = mdb_cursor_open(t->txn, pass->dbi, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    rc = mdb_cursor_get(cursor, &k, &v,
                        place->at.len == 0 ? MDB_FIRST : MDB_SET_RANGE);
    place->told = 0;
    while (rc == 0 && err == STORE_OK && place->told < STEP_TOKENS) {
        err = tally_row(t, pass, place, k, v);
        memcpy(place->at.bytes, k.mv_data, k.mv_size);
        place->at.bytes[k.mv_size] = '\0'; /* the least key above it */
        place->at.len = k.mv_size + 1;
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    *ret_done = rc == MDB_NOTFOUND;
    if (err == STORE_OK && *ret_done)
        err = save_token_tally(t, pass, place);
    if (err == STORE_OK && *ret_done && place->nobody.rows > 0)
        err = save_tally(t, pass, slice_of("", 0), &place->nobody);
    return rc == 0 || *ret_done ? err : store_from_mdb(rc);
}

/* ---- all passes ---------------------------------------------------------- */

static enum store_err run_pass(struct transaction *t, const struct pass *pass)
{
    struct place place = {.len = 0};
    enum store_err err = STORE_OK;
    bool done = false;

    while (err == STORE_OK && !done) {
        err = transaction_open(t);
        if (err == STORE_OK)
            err = transaction_end_step(t, run_step(t, pass, &place, &done));
    }
    return err;
}

static enum store_err note_done(struct transaction *t)
{
    static char key[] = META_COUNTED;
    enum store_err err = transaction_open(t);

    if (err != STORE_OK)
        return err;
    buffer_clear(&t->row);
    schema_put_number(&t->row, t->committed_head);
    err = transaction_put_row(t, t->e->db.meta,
                              (MDB_val){sizeof(key) - 1, key}, 0);
    return transaction_end_step(t, err);
}

static enum store_err read_done(struct transaction *t, uint64_t *ret_through)
{
    MDB_val k = {sizeof(META_COUNTED) - 1, (void *)META_COUNTED}, v;
    MDB_txn *txn;
    int rc = mdb_txn_begin(t->e->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return store_from_mdb(rc);
    rc = mdb_get(txn, t->e->db.meta, &k, &v);
    enum store_err err = store_from_mdb(rc);
    if (rc == 0 && !schema_get_number(v, ret_through))
        err = STORE_CORRUPT;
    mdb_txn_abort(txn);
    return err;
}

enum store_err account_upgrade(struct transaction *t)
{
    const struct pass passes[] = {
        {ACCOUNT_MESSAGES, t->e->db.things, true, read_thing},
        {ACCOUNT_MESSAGES, t->e->db.retained, false, read_retained},
        {ACCOUNT_SESSIONS, t->e->db.sessions, true, read_session},
        {ACCOUNT_SESSIONS, t->e->db.groups, false, read_group},
    };
    enum store_err err = read_done(t, &t->plain_through);

    if (err != STORE_NOTFOUND)
        return err;
    log_info("store", "counting what tokens hold: once, after an upgrade");
    /* No message is charged with its properties so far. */
    t->plain_through = t->committed_head;
    err = STORE_OK;
    for (size_t i = 0; err == STORE_OK && i < 4; i++)
        err = run_pass(t, &passes[i]);
    return err == STORE_OK ? note_done(t) : err;
}
