/* Commands that change stored sessions (store/session.h). */
#include "base/topic.h"
#include "store/session_write.h"

/* ---- rows ---------------------------------------------------------------- */

static enum store_err find(struct transaction *t, struct slice identity,
                           struct session_row *ret_row)
{
    struct schema_key key;
    MDB_val k, v;

    schema_name_key(identity, &key);
    k = schema_val(&key);
    const int rc = mdb_get(t->txn, t->e->db.sessions, &k, &v);
    if (rc != 0)
        return store_from_mdb(rc);
    if (!schema_get_session(k, v, ret_row))
        return STORE_CORRUPT;
    ret_row->identity = identity;
    return STORE_OK;
}

enum store_err session_put(struct transaction *t, const struct session_row *s)
{
    struct schema_key key;

    schema_name_key(s->identity, &key);
    buffer_clear(&t->row);
    schema_put_session(&t->row, s);
    return transaction_put_row(t, t->e->db.sessions, schema_val(&key), 0);
}

static enum store_err delete_row(struct transaction *t, MDB_dbi dbi,
                                 const struct schema_key *key)
{
    MDB_val k = schema_val(key);
    const int rc = mdb_del(t->txn, dbi, &k, NULL);

    t->put |= rc == 0;
    return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
}

/* Every row whose key begins with the session's number. */
static enum store_err delete_parts(struct transaction *t, MDB_dbi dbi,
                                   uint64_t number)
{
    struct schema_key first;
    MDB_cursor *cursor = NULL;

    schema_part_key(number, &first);
    int rc = mdb_cursor_open(t->txn, dbi, &cursor);
    while (rc == 0) {
        MDB_val k = schema_val(&first), v;
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
        if (rc != 0 || k.mv_size < first.len ||
            memcmp(k.mv_data, first.bytes, first.len) != 0)
            break;
        rc = mdb_cursor_del(cursor, 0);
        t->put = true;
    }
    if (cursor != NULL) /* opening it may have failed */
        mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
}

/* Leaves the groups of the session's shared subscriptions, whose rows are about
 * to be deleted. */
static enum store_err leave_groups(struct transaction *t,
                                   const struct session_row *s)
{
    struct schema_key at;
    MDB_cursor *cursor = NULL;
    enum store_err err = STORE_OK;
    MDB_val k, v;

    schema_subscription_key(s->number, slice_str("$share/"), &at);
    k = schema_val(&at);
    int rc = mdb_cursor_open(t->txn, t->e->db.subscriptions, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    while (rc == 0 && err == STORE_OK && k.mv_size >= at.len &&
           memcmp(k.mv_data, at.bytes, at.len) == 0) {
        struct session_subscription sub;
        if (schema_get_subscription(k, v, &sub))
            err = group_count(t, s->identity, sub.filter, false);
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    if (cursor != NULL) /* opening it may have failed */
        mdb_cursor_close(cursor);
    return err != STORE_OK || rc == 0 || rc == MDB_NOTFOUND
               ? err
               : store_from_mdb(rc);
}

static enum store_err put_will(struct transaction *t, uint64_t number,
                               const struct message *will)
{
    struct schema_key key;

    schema_part_key(number, &key);
    if (will == NULL)
        return delete_row(t, t->e->db.wills, &key);
    buffer_clear(&t->row);
    schema_put_record(&t->row, will);
    return transaction_put_row(t, t->e->db.wills, schema_val(&key), 0);
}

/* ---- counting them ------------------------------------------------------- */

/* The token of an identity; *ret_token NULL: nobody's, no plan holds. */
static enum store_err token_of(struct transaction *t, struct slice identity,
                               struct token **ret_token)
{
    const struct slice name = session_token(identity);

    *ret_token = NULL;
    if (!token_valid(name))
        return STORE_OK;
    const enum store_err err = transaction_token(t, name, ret_token);
    return err == STORE_CORRUPT ? STORE_OK : err;
}

/* Tokens that exist by their first write only (open mode) have no row yet for a
 * count to stand in: those sessions are not counted (false). */
static bool count(struct transaction *t, struct token *token, bool more)
{
    if (token == NULL || !token->exists)
        return false;
    if (more)
        token->usage.sessions++;
    else if (token->usage.sessions > 0)
        token->usage.sessions--;
    token_changed(&t->tokens, token);
    return true;
}

enum store_err session_delete(struct transaction *t,
                              const struct session_row *s)
{
    struct schema_key key;
    struct token *token;

    enum store_err err = leave_groups(t, s);
    if (err == STORE_OK)
        err = delete_parts(t, t->e->db.subscriptions, s->number);
    if (err == STORE_OK)
        err = delete_parts(t, t->e->db.inflight, s->number);
    if (err == STORE_OK)
        err = put_will(t, s->number, NULL);
    if (err == STORE_OK)
        err = token_of(t, s->identity, &token);
    if (err != STORE_OK)
        return err;
    if (s->counted)
        (void)count(t, token, false);
    schema_name_key(s->identity, &key);
    return delete_row(t, t->e->db.sessions, &key);
}

/* ---- opening ------------------------------------------------------------- */

static enum command_result creation_verdict(struct transaction *t,
                                            const struct token *token)
{
    if (token != NULL && token->exists && token->plan->sessions_max != 0 &&
        token->usage.sessions >= token->plan->sessions_max)
        return RESULT_SESSIONS;
    if (!space_admits(&t->space, 0, t->mono_us))
        return RESULT_FULL;
    return t->paused_until_mono_us > t->mono_us ? t->paused_result : RESULT_OK;
}

static enum store_err put_opened(struct transaction *t,
                                 const struct session_open *o,
                                 struct session_row *row)
{
    row->expiry_s = o->expiry_s;
    row->ended_us = 0;
    row->has_will = o->will != NULL;
    row->will_delay_s = o->will_delay_s;
    row->will_due_us = 0;
    const enum store_err err = session_put(t, row);
    return err == STORE_OK ? put_will(t, row->number, o->will) : err;
}

static enum store_err create(struct transaction *t, struct command *c)
{
    struct session_open *o = c->open;
    struct session_row row = {
        .identity = o->identity,
        .number = o->fresh_number,
        .position = t->head,
        .created_us = t->now_us,
    };
    struct token *token;

    enum store_err err = token_of(t, o->identity, &token);
    if (err != STORE_OK)
        return err;
    c->result = creation_verdict(t, token);
    if (c->result != RESULT_OK)
        return STORE_OK;
    row.counted = count(t, token, true);
    o->number = row.number;
    o->position = row.position;
    return put_opened(t, o, &row);
}

enum store_err session_open_apply(struct transaction *t, struct command *c)
{
    struct session_open *o = c->open;
    struct session_row row;

    o->present = false;
    o->number = o->position = 0;
    enum store_err err = find(t, o->identity, &row);
    if (err == STORE_CORRUPT) {
        c->result = RESULT_IO;
        return STORE_OK;
    }
    if (err != STORE_OK && err != STORE_NOTFOUND)
        return err;
    bool found = err == STORE_OK;
    if (found && (o->clean || session_is_over(&row, t->now_us))) {
        err = session_delete(t, &row);
        if (err != STORE_OK)
            return err;
        found = false;
    }
    if (!found)
        return o->expiry_s == 0 ? STORE_OK : create(t, c);
    o->present = true;
    o->number = row.number;
    o->position = row.position;
    return put_opened(t, o, &row);
}

/* ---- saving -------------------------------------------------------------- */

static enum store_err save_inflight(struct transaction *t,
                                    const struct session_save *s)
{
    const MDB_dbi dbi = t->e->db.inflight;
    struct schema_key key;
    enum store_err err = STORE_OK;

    for (size_t i = 0; err == STORE_OK && i < s->forgotten_count; i++) {
        schema_inflight_key(s->number, false, s->forgotten[i], &key);
        err = delete_row(t, dbi, &key);
    }
    for (size_t i = 0; err == STORE_OK && i < s->released_count; i++) {
        schema_inflight_key(s->number, true, s->released[i], &key);
        err = delete_row(t, dbi, &key);
    }
    for (size_t i = 0; err == STORE_OK && i < s->entry_count; i++) {
        schema_inflight_key(s->number, false, s->entries[i].packet_id, &key);
        buffer_clear(&t->row);
        schema_put_inflight(&t->row, &s->entries[i]);
        err = transaction_put_row(t, dbi, schema_val(&key), 0);
    }
    return err;
}

static bool has_row(struct transaction *t, MDB_dbi dbi,
                    const struct schema_key *key)
{
    MDB_val k = schema_val(key), v;

    return mdb_get(t->txn, dbi, &k, &v) == 0;
}

static enum store_err save_subscriptions(struct transaction *t,
                                         const struct session_save *s)
{
    const MDB_dbi dbi = t->e->db.subscriptions;
    struct schema_key key;
    enum store_err err = STORE_OK;

    for (size_t i = 0; err == STORE_OK && i < s->removed_count; i++) {
        schema_subscription_key(s->number, s->removed[i], &key);
        if (has_row(t, dbi, &key))
            err = group_count(t, s->identity, s->removed[i], false);
        if (err == STORE_OK)
            err = delete_row(t, dbi, &key);
    }
    for (size_t i = 0; err == STORE_OK && i < s->subscription_count; i++) {
        const struct slice filter = s->subscriptions[i].filter;
        schema_subscription_key(s->number, filter, &key);
        if (!has_row(t, dbi, &key))
            err = group_count(t, s->identity, filter, true);
        if (err != STORE_OK)
            break;
        buffer_clear(&t->row);
        schema_put_subscription(&t->row, &s->subscriptions[i]);
        err = transaction_put_row(t, dbi, schema_val(&key), 0);
    }
    return err;
}

static enum store_err save_row(struct transaction *t,
                               const struct session_save *s,
                               struct session_row *row)
{
    enum store_err err = STORE_OK;

    if (!s->ends && !s->has_position)
        return STORE_OK;
    if (s->has_position)
        row->position = s->position;
    if (s->ends) {
        row->expiry_s = s->expiry_s;
        row->ended_us = s->ended_us;
        row->will_due_us = s->will_due_us;
        if (s->drops_will && row->has_will) {
            row->has_will = false;
            err = put_will(t, row->number, NULL);
        }
    }
    return err == STORE_OK ? session_put(t, row) : err;
}

enum store_err session_save_apply(struct transaction *t, struct command *c)
{
    const struct session_save *s = c->save;
    struct session_row row;

    enum store_err err = find(t, s->identity, &row);
    if (err == STORE_NOTFOUND || (err == STORE_OK && row.number != s->number)) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (err == STORE_CORRUPT) {
        c->result = RESULT_IO;
        return STORE_OK;
    }
    if (err != STORE_OK)
        return err;
    if (s->ends && s->expiry_s == 0)
        return session_delete(t, &row);
    if (s->adds && !space_admits(&t->space, 0, t->mono_us)) {
        c->result = RESULT_FULL;
        return STORE_OK;
    }
    err = save_inflight(t, s);
    if (err == STORE_OK)
        err = save_subscriptions(t, s);
    return err == STORE_OK ? save_row(t, s, &row) : err;
}

/* ---- with a message ------------------------------------------------------ */

enum store_err session_mark_apply(struct transaction *t,
                                  const struct command *c)
{
    const struct session_mark *m = &c->mark;
    struct schema_key key;
    struct session_row row;

    if (m->number == 0)
        return STORE_OK;
    if (m->packet_id != 0) {
        const struct session_inflight i = {.inbound = true};
        schema_inflight_key(m->number, true, m->packet_id, &key);
        buffer_clear(&t->row);
        schema_put_inflight(&t->row, &i);
        return transaction_put_row(t, t->e->db.inflight, schema_val(&key), 0);
    }
    enum store_err err = find(t, m->will_of, &row);
    if (err != STORE_OK || row.number != m->number)
        return err == STORE_NOTFOUND || err == STORE_CORRUPT ? STORE_OK : err;
    row.has_will = false;
    row.will_due_us = 0;
    err = put_will(t, row.number, NULL);
    return err == STORE_OK ? session_put(t, &row) : err;
}
