#include "store/write/webhook_write.h"

#include <stdlib.h>
#include <string.h>

#include "store/write/account.h"

void webhook_copy_release(struct webhook_copy *w)
{
    free(w->bytes);
    w->bytes = NULL;
}

static MDB_val tenant_key(struct slice tenant)
{
    return (MDB_val){tenant.len, (void *)tenant.data};
}

/* ---- a webhook ------------------------------------------------------------ */

enum store_err webhook_load(struct transaction *t, struct slice tenant,
                            struct webhook_copy *ret_copy)
{
    MDB_val key = tenant_key(tenant), row;

    const int rc = mdb_get(t->txn, t->e->db.webhooks, &key, &row);
    if (rc != 0)
        return store_from_mdb(rc);
    ret_copy->bytes = malloc(row.mv_size + 1);
    if (ret_copy->bytes == NULL)
        return STORE_NOMEM;
    memcpy(ret_copy->bytes, row.mv_data, row.mv_size);
    memcpy(ret_copy->tenant, tenant.data, tenant.len);
    if (schema_get_webhook((MDB_val){tenant.len, ret_copy->tenant},
                           (MDB_val){row.mv_size, ret_copy->bytes},
                           &ret_copy->row))
        return STORE_OK;
    webhook_copy_release(ret_copy);
    return STORE_CORRUPT;
}

enum store_err webhook_put(struct transaction *t, struct token *who,
                           const struct webhook_row *w)
{
    buffer_clear(&t->row);
    schema_put_webhook(&t->row, w);
    return account_put(t, who, ACCOUNT_MESSAGES, t->e->db.webhooks,
                       tenant_key(w->tenant));
}

enum store_err webhook_begin(struct transaction *t, struct token *who,
                             struct slice tenant)
{
    const struct webhook_row row = {
        .tenant = tenant,
        .id = t->head,
        .text = slice_of("", 0),
    };

    return webhook_put(t, who, &row);
}

enum store_err webhook_erase(struct transaction *t, struct token *who,
                             struct slice tenant)
{
    struct schema_key prefix;

    schema_webhook_dead_prefix(tenant, &prefix);
    const enum store_err err =
        account_delete_all(t, who, ACCOUNT_MESSAGES, t->e->db.webhooks_dead,
                           schema_val(&prefix));
    return err == STORE_OK
               ? account_delete(t, who, ACCOUNT_MESSAGES, t->e->db.webhooks,
                                tenant_key(tenant), NULL)
               : err;
}

/* ---- its dead messages ---------------------------------------------------- */

static enum store_err put_dead(struct transaction *t, struct token *who,
                               struct slice tenant,
                               const struct webhook_dead_row *d)
{
    struct schema_key key;

    schema_webhook_dead_key(tenant, d->id, &key);
    buffer_clear(&t->row);
    schema_put_webhook_dead(&t->row, d);
    return account_put(t, who, ACCOUNT_MESSAGES, t->e->db.webhooks_dead,
                       schema_val(&key));
}

static enum store_err delete_dead(struct transaction *t, struct token *who,
                                  struct slice tenant, uint64_t id,
                                  bool *ret_was)
{
    struct schema_key key;

    schema_webhook_dead_key(tenant, id, &key);
    return account_delete(t, who, ACCOUNT_MESSAGES, t->e->db.webhooks_dead,
                          schema_val(&key), ret_was);
}

enum store_err webhook_next_dead(struct transaction *t, struct slice tenant,
                                 uint64_t after, uint64_t *ret_id)
{
    struct schema_key from;
    MDB_cursor *cursor;
    MDB_val row;

    if (after == UINT64_MAX)
        return STORE_NOTFOUND;
    schema_webhook_dead_key(tenant, after + 1, &from);
    MDB_val key = schema_val(&from);
    int rc = mdb_cursor_open(t->txn, t->e->db.webhooks_dead, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    if (key.mv_size != from.len ||
        memcmp(key.mv_data, from.bytes, tenant.len + 1) != 0)
        return STORE_NOTFOUND;
    const unsigned char *id = (const unsigned char *)key.mv_data + tenant.len;
    *ret_id = 0;
    for (size_t i = 1; i <= 8; i++)
        *ret_id = *ret_id << 8 | id[i];
    return STORE_OK;
}

static enum store_err forget_oldest(struct transaction *t, struct token *who,
                                    struct webhook_row *w)
{
    uint64_t id;

    while (w->dead > WEBHOOK_DEAD_MAX) {
        enum store_err err = webhook_next_dead(t, w->tenant, 0, &id);
        if (err == STORE_NOTFOUND) /* damage: there are fewer */
            w->dead = WEBHOOK_DEAD_MAX;
        if (err != STORE_OK)
            return err == STORE_NOTFOUND ? STORE_OK : err;
        err = delete_dead(t, who, w->tenant, id, NULL);
        if (err != STORE_OK)
            return err;
        w->dead--;
        w->forgotten++;
    }
    return STORE_OK;
}

static enum store_err has_dead(struct transaction *t, struct slice tenant,
                               uint64_t id, MDB_val *ret_row)
{
    struct schema_key name;

    schema_webhook_dead_key(tenant, id, &name);
    MDB_val key = schema_val(&name);
    return store_from_mdb(
        mdb_get(t->txn, t->e->db.webhooks_dead, &key, ret_row));
}

static bool get_dead(struct slice tenant, uint64_t id, MDB_val row,
                     struct webhook_dead_row *ret_row)
{
    struct schema_key key;

    schema_webhook_dead_key(tenant, id, &key);
    return schema_get_webhook_dead(schema_val(&key), row, ret_row);
}

enum store_err webhook_add_dead(struct transaction *t, struct token *who,
                                struct webhook_row *w,
                                const struct webhook_dead_row *d)
{
    struct webhook_dead_row now = *d, before;
    MDB_val row;

    enum store_err err = has_dead(t, w->tenant, d->id, &row);
    if (err != STORE_OK && err != STORE_NOTFOUND)
        return err;
    w->dead += err == STORE_NOTFOUND;
    if (err == STORE_OK && d->topic.len == 0 &&
        get_dead(w->tenant, d->id, row, &before))
        now.topic = before.topic;
    err = put_dead(t, who, w->tenant, &now);
    return err == STORE_OK ? forget_oldest(t, who, w) : err;
}

enum store_err webhook_remove_dead(struct transaction *t, struct token *who,
                                   struct webhook_row *w, uint64_t id)
{
    bool was = false;

    const enum store_err err = delete_dead(t, who, w->tenant, id, &was);
    if (err == STORE_OK && was && w->dead > 0)
        w->dead--;
    return err;
}

enum store_err webhook_mark_dead(struct transaction *t, struct token *who,
                                 struct slice tenant, uint64_t id)
{
    struct webhook_dead_row d;
    MDB_val row;

    const enum store_err err = has_dead(t, tenant, id, &row);
    if (err != STORE_OK)
        return err;
    if (!get_dead(tenant, id, row, &d))
        return STORE_NOTFOUND;
    if (d.again)
        return STORE_OK;
    d.again = true; /* encoded before the row moves */
    return put_dead(t, who, tenant, &d);
}
