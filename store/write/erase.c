#include "store/write/erase.h"

#include <stdlib.h>

#include "store/command/upkeep.h"
#include "store/write/account.h"
#include "store/write/change.h"
#include "store/write/key_write.h"
#include "store/write/people_write.h"
#include "store/write/session_write.h"
#include "store/write/trim.h"
#include "store/write/webhook_write.h"

/* How many rows of these a transaction deletes, besides log entries and sessions. */
#define STEP_GROUPS 128
#define STEP_THINGS 128
#define STEP_KEYS 128
#define STEP_PEOPLE 128 /* users, rooms, members */
#define STEP_PURGES 128

/* After this time the connections of a revoked token are closed. */
#define CLOSED_US INT64_C(1000000)

#define NAME_MAX_LEN (TOKEN_MAX + 1 + THING_MAX)

/* ---- rows in `meta` ------------------------------------------------------ */

struct erasure {
    size_t len;
    char name[NAME_MAX_LEN]; /* a token, <token>/<thing>, or a user or room
                                (people_write.h) */
    uint64_t number;         /* erase.h */
};

static struct slice name_of(const struct erasure *x)
{
    return slice_of(x->name, x->len);
}

struct erase_key {
    char bytes[sizeof(ERASE_PREFIX) + NAME_MAX_LEN];
    size_t len;
};

static MDB_val key_of(struct slice name, struct erase_key *ret)
{
    const size_t prefix = sizeof(ERASE_PREFIX) - 1;

    memcpy(ret->bytes, ERASE_PREFIX, prefix);
    if (name.len > 0) /* data may be NULL then */
        memcpy(ret->bytes + prefix, name.data, name.len);
    ret->len = prefix + name.len;
    return (MDB_val){ret->len, ret->bytes};
}

/* The first row of `dbi` whose key begins with `prefix`; its key replaces it. */
static int first_with(MDB_txn *txn, MDB_dbi dbi, MDB_val prefix,
                      MDB_val *ret_key, MDB_val *ret_row)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, dbi, &cursor);

    if (rc != 0)
        return rc;
    *ret_key = prefix;
    rc = mdb_cursor_get(cursor, ret_key, ret_row, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    if (rc == 0 &&
        (ret_key->mv_size < prefix.mv_size ||
         memcmp(ret_key->mv_data, prefix.mv_data, prefix.mv_size) != 0))
        return MDB_NOTFOUND;
    return rc;
}

static enum store_err first_waiting(struct store_env *e, MDB_txn *txn,
                                    struct erasure *ret)
{
    struct erase_key prefix;
    MDB_val k, v;

    const int rc = first_with(txn, e->db.meta,
                              key_of(slice_of(NULL, 0), &prefix), &k, &v);
    if (rc != 0)
        return store_from_mdb(rc);
    const size_t len = k.mv_size - prefix.len;
    if (len > sizeof(ret->name) || !schema_get_number(v, &ret->number))
        return STORE_CORRUPT;
    memcpy(ret->name, (const char *)k.mv_data + prefix.len, len);
    ret->len = len;
    return STORE_OK;
}

enum store_err erase_look(struct transaction *t)
{
    struct erasure ignored;
    MDB_txn *txn = NULL;
    const int rc = mdb_txn_begin(t->e->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return store_from_mdb(rc);
    const enum store_err err = first_waiting(t->e, txn, &ignored);
    mdb_txn_abort(txn);
    t->erasures_waiting = err == STORE_OK;
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static enum store_err find_waiting(struct transaction *t, struct slice name,
                                   struct erasure *ret)
{
    struct erase_key key;
    MDB_val k = key_of(name, &key), v;
    const int rc = mdb_get(t->txn, t->e->db.meta, &k, &v);

    if (rc != 0)
        return store_from_mdb(rc);
    memcpy(ret->name, name.data, name.len);
    ret->len = name.len;
    return schema_get_number(v, &ret->number) ? STORE_OK : STORE_CORRUPT;
}

static enum store_err note_waiting(struct transaction *t,
                                   const struct erasure *x)
{
    struct erase_key key;

    buffer_clear(&t->row);
    schema_put_number(&t->row, x->number);
    t->erasures_waiting = true;
    return transaction_put_row(t, t->e->db.meta, key_of(name_of(x), &key), 0);
}

static enum store_err forget_waiting(struct transaction *t,
                                     const struct erasure *x)
{
    struct erase_key key;
    MDB_val k = key_of(name_of(x), &key);
    const int rc = mdb_del(t->txn, t->e->db.meta, &k, NULL);

    t->put |= rc == 0;
    return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
}

/* ---- a thing ------------------------------------------------------------- */

/* The greatest id up to which the budget allows deleting. */
static enum store_err within_budget(struct transaction *t,
                                    const struct thing *thing,
                                    uint64_t *through)
{
    unsigned left = t->in.deletions / CHUNK_IDS;
    uint64_t last = 0;
    struct chunk_walk w;

    /* Reserves one chunk's worth for the open chunk, which is always deleted. */
    enum store_err err =
        chunk_walk_open(t, &w, thing_topic(thing), thing->state.row.first_id);
    while (err == STORE_OK && left > 1) {
        last = w.chunk.ids[w.chunk.count - 1];
        left--;
        err = chunk_walk_next(&w);
    }
    chunk_walk_close(&w);
    if (err == STORE_OK && last < *through)
        *through = last;
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

enum store_err erase_retained(struct transaction *t, struct thing *thing,
                              uint64_t through, bool *ret_was)
{
    const struct message nothing = {.topic = thing_topic(thing)};
    struct token *who = NULL;

    *ret_was = false;
    enum store_err err = retained_load(t, thing);
    if (err != STORE_OK || thing->retained_id == 0 ||
        (thing->retained_id > through && thing->retained_id != UINT64_MAX))
        return err;
    err = account_of_thing(t, thing, &who);
    if (err != STORE_OK)
        return err;
    if (who != NULL)
        token_changed(&t->tokens, who);
    thing_changed(&t->things, thing); /* so that an abort forgets the entry */
    *ret_was = true;
    return retained_set(t, thing, who, &nothing);
}

static enum store_err drop_row(struct transaction *t, struct thing *thing)
{
    struct token *who = NULL;

    const enum store_err err = account_of_thing(t, thing, &who);
    if (err != STORE_OK)
        return err;
    thing_removed(&t->things, thing);
    account_subtract(t, who, ACCOUNT_MESSAGES,
                     account_thing_cost(thing_topic(thing)));
    if (who != NULL && who->usage.things > 0) {
        token_changed(&t->tokens, who);
        who->usage.things--;
    }
    return STORE_OK;
}

/* *ret_done: nothing of it up to `through` is left. */
static enum store_err erase_thing(struct transaction *t, struct thing *thing,
                                  uint64_t through, uint64_t *removed,
                                  bool *ret_done)
{
    const struct thing_row *row = &thing->state.row;
    uint64_t count = 0, to = through;
    bool pending, had_retained;

    *ret_done = false;
    enum store_err err = erase_retained(t, thing, through, &had_retained);
    if (err == STORE_OK)
        err = trim_pending(t, thing, &pending);
    if (err != STORE_OK ||
        pending) /* housekeeping must delete leftovers first */
        return err;
    if (row->count > 0 && row->first_id <= through) {
        if (t->in.deletions < 2 * CHUNK_IDS)
            return STORE_OK;
        err = within_budget(t, thing, &to);
        if (err == STORE_OK)
            err = trim_through(t, thing, to, &count);
        *removed += count;
        if (err == STORE_OK)
            err = trim_pending(t, thing, &pending);
        if (err != STORE_OK || pending)
            return err;
    }
    *ret_done = row->count == 0 || row->first_id > through;
    if (*ret_done && row->count == 0 && row->last_seq != 0)
        return drop_row(t, thing);
    return STORE_OK;
}

/* ---- a token ------------------------------------------------------------- */

/* Fewer while the reserve is in use: each deletion needs pages until its own are free. */
static unsigned limit_rows(const struct transaction *t, unsigned most)
{
    return t->in.rows < most ? t->in.rows : most;
}

/* All steps below subtract from *left, the rows that the transaction may still delete; they
 * set it to 0 if more rows are left. */

static enum store_err erase_sessions(struct transaction *t, MDB_val prefix,
                                     unsigned *left)
{
    struct session_row row;
    MDB_val k, v;

    while (*left > 0) {
        const int rc = first_with(t->txn, t->e->db.sessions, prefix, &k, &v);
        if (rc == MDB_NOTFOUND)
            return STORE_OK;
        if (rc != 0)
            return store_from_mdb(rc);
        if (!schema_get_session(k, v,
                                &row)) { /* damaged: delete the row alone */
            t->put = true;
            const int gone = mdb_del(t->txn, t->e->db.sessions, &k, NULL);
            if (gone != 0)
                return store_from_mdb(gone);
            --*left;
            continue;
        }
        /* A copy, because deleting moves the bytes of the row. */
        char *identity = malloc(row.identity.len + 1);
        if (identity == NULL)
            return STORE_NOMEM;
        memcpy(identity, row.identity.data, row.identity.len);
        row.identity.data = identity;
        const enum store_err err = session_delete_some(t, &row, left);
        free(identity);
        if (err != STORE_OK)
            return err;
    }
    return STORE_OK;
}

/* Deletes a group that its sessions left behind because some of them were damaged. */
static enum store_err erase_group(struct transaction *t, struct token *who,
                                  MDB_val key, MDB_val row)
{
    struct group_row group;

    if (!schema_get_group(key, row, &group)) /* damaged: its name is unknown */
        return account_delete(t, who, ACCOUNT_SESSIONS, t->e->db.groups, key,
                              NULL);
    /* A copy, because deleting moves the bytes of the row. */
    char *name = malloc(group.name.len + 1);
    if (name == NULL)
        return STORE_NOMEM;
    memcpy(name, group.name.data, group.name.len);
    const enum store_err err = group_delete(t, slice_of(name, group.name.len));
    free(name);
    return err;
}

static enum store_err erase_groups(struct transaction *t, struct slice token,
                                   MDB_val prefix, unsigned *left)
{
    struct token *who;
    MDB_val k, v;
    enum store_err err = account_of(t, token, &who);

    for (; err == STORE_OK && *left > 0; --*left) {
        const int rc = first_with(t->txn, t->e->db.groups, prefix, &k, &v);
        if (rc == MDB_NOTFOUND)
            return STORE_OK;
        err = rc == 0 ? erase_group(t, who, k, v) : store_from_mdb(rc);
    }
    return err;
}

/* Keys contain the names of things in full, since a topic has 321 bytes at most. A thing that
 * is done disappears from the table only with the commit: skip it. */
static enum store_err erase_things(struct transaction *t, MDB_val prefix,
                                   uint64_t through, uint64_t *removed,
                                   unsigned *left)
{
    char at[SCHEMA_KEY_MAX + 2];
    MDB_val from = prefix, k, v;
    struct thing *thing;
    MDB_cursor *cursor;
    bool done;

    for (; *left > 0; --*left) {
        int rc = mdb_cursor_open(t->txn, t->e->db.things, &cursor);
        if (rc != 0)
            return store_from_mdb(rc);
        k = from;
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
        mdb_cursor_close(cursor);
        if (rc == MDB_NOTFOUND)
            return STORE_OK;
        if (rc != 0)
            return store_from_mdb(rc);
        if (k.mv_size < prefix.mv_size || k.mv_size > SCHEMA_KEY_MAX ||
            memcmp(k.mv_data, prefix.mv_data, prefix.mv_size) != 0)
            return STORE_OK;
        memcpy(at, k.mv_data, k.mv_size);
        at[k.mv_size] = '\0';
        from = (MDB_val){k.mv_size + 1, at};
        enum store_err err =
            transaction_thing(t, slice_of(at, k.mv_size), &thing);
        if (err == STORE_OK)
            err = erase_thing(t, thing, through, removed, &done);
        if (err != STORE_OK)
            return err;
        if (!done)
            *left = 1; /* the budget is used up, or leftovers must go first */
    }
    return STORE_OK;
}

static enum store_err erase_keys(struct transaction *t, struct slice token,
                                 unsigned *left)
{
    struct token *who;
    enum store_err err = account_of(t, token, &who);

    for (; err == STORE_OK && *left > 0; --*left) {
        err = key_delete_first(t, who, token);
        if (err == STORE_NOTFOUND)
            return STORE_OK;
    }
    return err;
}

static enum store_err erase_purges(struct transaction *t, struct slice token,
                                   unsigned *left)
{
    struct token *who;
    const enum store_err err = account_of(t, token, &who);

    return err == STORE_OK
               ? change_forget_purges(t, who, token, INT64_MAX, left)
               : err;
}

static enum store_err erase_settings(struct transaction *t, struct slice token)
{
    struct token *who;

    const enum store_err err = account_of(t, token, &who);
    return err == STORE_OK
               ? account_delete(t, who, ACCOUNT_MESSAGES, t->e->db.tenants,
                                (MDB_val){token.len, (void *)token.data}, NULL)
               : err;
}

/* As unsetting its URL does: a bounded number of rows. */
static enum store_err erase_webhook(struct transaction *t, struct slice token)
{
    struct token *who;

    const enum store_err err = account_of(t, token, &who);
    return err == STORE_OK ? webhook_erase(t, who, token) : err;
}

static enum store_err drop_token(struct transaction *t, struct slice name)
{
    struct token *token;
    MDB_val k = {name.len, (void *)name.data};

    const enum store_err err = transaction_token(t, name, &token);
    if (err != STORE_OK)
        return err;
    t->put = true;
    const int rc = mdb_del(t->txn, t->e->db.tokens, &k, NULL);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return store_from_mdb(rc);
    token_removed(&t->tokens, token);
    return STORE_OK;
}

/* `token` and one more byte: the beginning of all keys of its rows. */
static MDB_val prefix_of(struct slice token, char end, char *out)
{
    memcpy(out, token.data, token.len);
    out[token.len] = end;
    return (MDB_val){token.len + 1, out};
}

static enum store_err erase_token(struct transaction *t, struct slice token,
                                  uint64_t *removed, bool *ret_done)
{
    unsigned sessions = limit_rows(t, SESSION_ROWS_DELETED),
             groups = limit_rows(t, STEP_GROUPS),
             things = limit_rows(t, STEP_THINGS),
             keys = limit_rows(t, STEP_KEYS),
             people = limit_rows(t, STEP_PEOPLE),
             purges = limit_rows(t, STEP_PURGES);
    char own[TOKEN_MAX + 1], topics[TOKEN_MAX + 1];

    *ret_done = false;
    /* Things are found in their table, so those that this transaction has added or
     * removed must be written to it first. */
    enum store_err err = thing_cache_flush(&t->things, t->e, t->txn, &t->row);
    if (err == STORE_OK)
        err = erase_sessions(t, prefix_of(token, '\0', own), &sessions);
    if (err == STORE_OK)
        err = erase_keys(t, token, &keys);
    if (err == STORE_OK)
        err = people_erase_all(t, token, &people);
    if (err == STORE_OK)
        err = erase_settings(t, token);
    if (err == STORE_OK)
        err = erase_webhook(t, token);
    if (err == STORE_OK)
        err = erase_purges(t, token, &purges);
    if (err == STORE_OK && sessions > 0)
        err = erase_groups(t, token, prefix_of(token, '\0', own), &groups);
    if (err == STORE_OK && groups > 0)
        err = erase_things(t, prefix_of(token, '/', topics), UINT64_MAX - 1,
                           removed, &things);
    if (err != STORE_OK || sessions == 0 || groups == 0 || things == 0 ||
        keys == 0 || people == 0 || purges == 0)
        return err;
    *ret_done = true;
    return drop_token(t, token);
}

/* ---- steps --------------------------------------------------------------- */

/* Also true when the clock was set back, which must not delay it. */
static bool is_closed(const struct transaction *t, const struct erasure *x)
{
    const int64_t since_us = t->in.now_us - (int64_t)x->number;

    return since_us < 0 || since_us >= CLOSED_US;
}

/* Members of a room, or memberships of a user, whose own row is gone. */
static enum store_err erase_people(struct transaction *t, struct slice name,
                                   bool *ret_done)
{
    unsigned left = limit_rows(t, STEP_PEOPLE);

    const enum store_err err = people_erase_named(t, name, &left);
    *ret_done = left > 0;
    return err;
}

static enum store_err go_on(struct transaction *t, const struct erasure *x,
                            uint64_t *removed, bool *ret_done)
{
    struct slice token, ignored;
    struct thing *thing;

    *ret_done = false;
    if (people_is_erase_name(name_of(x)))
        return erase_people(t, name_of(x), ret_done);
    if (!topic_split(name_of(x), &token, &ignored))
        return is_closed(t, x) ? erase_token(t, name_of(x), removed, ret_done)
                               : STORE_OK;
    const enum store_err err = transaction_thing(t, name_of(x), &thing);
    return err == STORE_OK
               ? erase_thing(t, thing, x->number, removed, ret_done)
               : err;
}

enum store_err erase_go_on(struct transaction *t, struct slice name)
{
    struct erasure x;
    uint64_t removed = 0;
    bool done;

    if (name.len > sizeof(x.name))
        return STORE_OK;
    enum store_err err = find_waiting(t, name, &x);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    err = go_on(t, &x, &removed, &done);
    return err == STORE_OK && done ? forget_waiting(t, &x) : err;
}

enum store_err erase_propose(struct transaction *t)
{
    struct erasure x;

    const enum store_err err = first_waiting(t->e, t->txn, &x);
    if (err == STORE_NOTFOUND) {
        t->erasures_waiting = false;
        return STORE_OK;
    }
    if (err != STORE_OK)
        return err;
    struct erase_step a = {name_of(&x)};
    struct command c = {.kind = COMMAND_ERASE_STEP, .args = &a};
    return transaction_propose(t, &c);
}

static enum store_err step_of_command(struct transaction *t, struct command *c,
                                      struct erasure *x, bool is_new)
{
    bool done;

    enum store_err err = go_on(t, x, &c->removed, &done);
    if (err != STORE_OK)
        return err;
    c->more = !done;
    if (done)
        return is_new ? STORE_OK : forget_waiting(t, x);
    return is_new ? note_waiting(t, x) : STORE_OK;
}

enum store_err erase_begin_or_go_on(struct transaction *t, struct command *c,
                                    struct slice name, uint64_t number)
{
    struct erasure x;
    enum store_err err = find_waiting(t, name, &x);
    const bool is_new = err == STORE_NOTFOUND;

    if (is_new) {
        x = (struct erasure){.len = name.len, .number = number};
        memcpy(x.name, name.data, name.len);
        err = STORE_OK;
    }
    return err == STORE_OK ? step_of_command(t, c, &x, is_new) : err;
}

enum store_err erase_is_waiting(struct transaction *t, struct slice name,
                                bool *ret_waiting)
{
    struct erasure ignored;
    const enum store_err err = find_waiting(t, name, &ignored);

    *ret_waiting = err == STORE_OK;
    return err == STORE_NOTFOUND ? STORE_OK : err;
}
