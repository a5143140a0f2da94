/* Retained messages: writing them. store/read/retained.c reads them. */
#include "store/write/account.h"

/* There is a row, but it is damaged: no record to keep; it may be replaced. */
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

static enum store_err put_retained(struct transaction *t,
                                   const struct thing *thing,
                                   struct token *who, uint64_t id,
                                   const struct message *copy)
{
    struct schema_key key;

    buffer_clear(&t->row);
    schema_put_retained(&t->row, thing_topic(thing), id, copy);
    schema_name_key(thing_topic(thing), &key);
    return account_put(t, who, ACCOUNT_MESSAGES, t->e->db.retained,
                       schema_val(&key));
}

static enum store_err delete_retained(struct transaction *t,
                                      struct thing *thing, struct token *who)
{
    struct schema_key key;

    if (thing->retained_id == 0)
        return STORE_OK;
    schema_name_key(thing_topic(thing), &key);
    const enum store_err err =
        account_delete(t, who, ACCOUNT_MESSAGES, t->e->db.retained,
                       schema_val(&key), NULL);
    if (err != STORE_OK)
        return err;
    thing->retained_id = 0;
    if (who != NULL && who->usage.retained > 0)
        who->usage.retained--;
    return STORE_OK;
}

enum store_err retained_set(struct transaction *t, struct thing *thing,
                            struct token *who, const struct message *m)
{
    enum store_err err = retained_load(t, thing);
    if (err != STORE_OK)
        return err;
    if (m->payload.len == 0)
        return delete_retained(t, thing, who);
    err = put_retained(t, thing, who, m->id, NULL);
    if (err != STORE_OK)
        return err;
    if (thing->retained_id == 0 && who != NULL)
        who->usage.retained++;
    thing->retained_id = m->id;
    return STORE_OK;
}

enum store_err retained_copy(struct transaction *t, struct thing *thing,
                             const struct message *m)
{
    struct token *who;
    const enum store_err err = account_of_thing(t, thing, &who);

    return err == STORE_OK ? put_retained(t, thing, who, m->id, m) : err;
}
