/* Retained messages, the writer's side; store/retained.c reads them. */
#include "store/transaction.h"

/* There is a row, but damaged: no record to keep, may be replaced. */
#define UNREADABLE UINT64_MAX

enum store_err retained_load(struct transaction *t, struct thing *thing)
{
    struct schema_key key;
    struct slice topic;
    struct record copy;
    bool has_copy;
    MDB_val v;

    if (thing->retained_known)
        return STORE_OK;
    schema_name_key(thing_topic(thing), &key);
    MDB_val k = schema_val(&key);
    const int rc = mdb_get(t->txn, t->e->db.retained, &k, &v);
    if (rc == MDB_NOTFOUND)
        thing->retained_id = 0;
    else if (rc != 0)
        return store_from_mdb(rc);
    else if (!schema_get_retained(k, v, &topic, &thing->retained_id, &has_copy,
                                  &copy))
        thing->retained_id = UNREADABLE;
    thing->retained_known = true;
    return STORE_OK;
}

static enum store_err put(struct transaction *t, const struct thing *thing,
                          uint64_t id, const struct message *copy)
{
    struct schema_key key;

    buffer_clear(&t->row);
    schema_put_retained(&t->row, thing_topic(thing), id, copy);
    schema_name_key(thing_topic(thing), &key);
    return transaction_put_row(t, t->e->db.retained, schema_val(&key), 0);
}

static enum store_err clear(struct transaction *t, struct thing *thing,
                            struct token *token)
{
    struct schema_key key;

    if (thing->retained_id == 0)
        return STORE_OK;
    schema_name_key(thing_topic(thing), &key);
    MDB_val k = schema_val(&key);
    t->put = true;
    const int rc = mdb_del(t->txn, t->e->db.retained, &k, NULL);
    if (rc != 0)
        return store_from_mdb(rc);
    thing->retained_id = 0;
    if (token != NULL && token->usage.retained > 0)
        token->usage.retained--;
    return STORE_OK;
}

enum store_err retained_set(struct transaction *t, struct thing *thing,
                            struct token *token, const struct message *m)
{
    enum store_err err = retained_load(t, thing);
    if (err != STORE_OK)
        return err;
    if (m->payload.len == 0)
        return clear(t, thing, token);
    err = put(t, thing, m->id, NULL);
    if (err != STORE_OK)
        return err;
    if (thing->retained_id == 0 && token != NULL)
        token->usage.retained++;
    thing->retained_id = m->id;
    return STORE_OK;
}

enum store_err retained_copy(struct transaction *t, const struct thing *thing,
                             const struct message *m)
{
    return put(t, thing, m->id, m);
}
