#include "store/write/session_write.h"

#include <limits.h>

#include "store/write/account.h"

enum store_err session_find(struct transaction *t, struct slice identity,
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

enum store_err session_put(struct transaction *t, struct token *who,
                           const struct session_row *s)
{
    struct schema_key key;

    schema_name_key(s->identity, &key);
    buffer_clear(&t->row);
    schema_put_session(&t->row, s);
    return account_put(t, who, ACCOUNT_SESSIONS, t->e->db.sessions,
                       schema_val(&key));
}

enum store_err session_delete_row(struct transaction *t, struct token *who,
                                  MDB_dbi dbi, const struct schema_key *key)
{
    return account_delete(t, who, ACCOUNT_SESSIONS, dbi, schema_val(key),
                          NULL);
}

/* The first row of `dbi` that belongs to session `number`. */
static int first_part(struct transaction *t, MDB_dbi dbi, uint64_t number,
                      MDB_val *ret_key, MDB_val *ret_row)
{
    struct schema_key first;
    MDB_cursor *cursor;

    schema_part_key(number, &first);
    *ret_key = schema_val(&first);
    int rc = mdb_cursor_open(t->txn, dbi, &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get(cursor, ret_key, ret_row, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    if (rc == 0 && (ret_key->mv_size < first.len ||
                    memcmp(ret_key->mv_data, first.bytes, first.len) != 0))
        return MDB_NOTFOUND;
    return rc;
}

/* Removes the session from the group of a subscription whose row is about to go. */
static enum store_err leave_group(struct transaction *t, struct slice identity,
                                  MDB_val k, MDB_val v)
{
    struct session_subscription sub;

    return schema_get_subscription(k, v, &sub)
               ? group_count(t, identity, sub.filter, false)
               : STORE_OK;
}

/* Deletes at most *left rows of `dbi`, and subtracts them from *left. */
static enum store_err delete_parts(struct transaction *t, struct token *who,
                                   MDB_dbi dbi, const struct session_row *s,
                                   unsigned *left)
{
    struct schema_key at;
    enum store_err err = STORE_OK;
    MDB_val k, v;

    for (; err == STORE_OK && *left > 0; --*left) {
        const int rc = first_part(t, dbi, s->number, &k, &v);
        if (rc != 0)
            return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
        /* A copy, because writes move what the key points to. */
        memcpy(at.bytes, k.mv_data, k.mv_size);
        at.len = k.mv_size;
        if (dbi == t->e->db.subscriptions)
            err = leave_group(t, s->identity, k, v);
        if (err == STORE_OK)
            err = session_delete_row(t, who, dbi, &at);
    }
    return err;
}

enum store_err session_put_will(struct transaction *t, struct token *who,
                                uint64_t number, const struct message *will)
{
    struct schema_key key;

    schema_part_key(number, &key);
    if (will == NULL)
        return session_delete_row(t, who, t->e->db.wills, &key);
    buffer_clear(&t->row);
    schema_put_record(&t->row, will);
    return account_put(t, who, ACCOUNT_SESSIONS, t->e->db.wills,
                       schema_val(&key));
}

/* The cost of the stored will. */
uint64_t session_will_cost(struct transaction *t, uint64_t number)
{
    struct schema_key key;
    MDB_val k, v;

    schema_part_key(number, &key);
    k = schema_val(&key);
    return mdb_get(t->txn, t->e->db.wills, &k, &v) == 0
               ? account_row_cost(k.mv_size, v.mv_size)
               : 0;
}

void session_count(struct transaction *t, struct token *who, bool more)
{
    if (who == NULL)
        return;
    token_changed(&t->tokens, who);
    if (more)
        who->usage.sessions++;
    else if (who->usage.sessions > 0)
        who->usage.sessions--;
}

/* Some rows are left: marks the session as over, so that no client resumes it. */
static enum store_err note_over(struct transaction *t, struct token *who,
                                const struct session_row *s)
{
    struct session_row over = *s;

    over.has_will = false;
    over.expiry_s = 0;
    if (over.ended_us == 0)
        over.ended_us = t->in.now_us;
    return session_put(t, who, &over);
}

enum store_err session_delete_some(struct transaction *t,
                                   const struct session_row *s, unsigned *left)
{
    struct schema_key key;
    struct token *who;

    enum store_err err = account_of(t, session_token(s->identity), &who);
    if (err == STORE_OK)
        err = session_put_will(t, who, s->number, NULL);
    if (err == STORE_OK)
        err = delete_parts(t, who, t->e->db.subscriptions, s, left);
    if (err == STORE_OK)
        err = delete_parts(t, who, t->e->db.inflight, s, left);
    if (err != STORE_OK)
        return err;
    if (*left == 0)
        return note_over(t, who, s);
    --*left;
    session_count(t, who, false);
    schema_name_key(s->identity, &key);
    return session_delete_row(t, who, t->e->db.sessions, &key);
}

enum store_err session_delete(struct transaction *t,
                              const struct session_row *s)
{
    unsigned all = UINT_MAX;

    return session_delete_some(t, s, &all);
}
