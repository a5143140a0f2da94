#include "store/write/key_write.h"

#include <stdlib.h>
#include <string.h>

#include "store/write/account.h"

void key_copy_release(struct key_copy *k)
{
    free(k->bytes);
    k->bytes = NULL;
}

/* ---- finding ------------------------------------------------------------------ */

static enum store_err copy_of(MDB_val key, MDB_val row,
                              struct key_copy *ret_key)
{
    *ret_key = (struct key_copy){.bytes = malloc(row.mv_size + 1)};
    if (ret_key->bytes == NULL)
        return STORE_NOMEM;
    memcpy(ret_key->bytes, row.mv_data, row.mv_size);
    memcpy(ret_key->hash, key.mv_data, SECRET_HASH_BYTES);
    if (schema_get_key((MDB_val){SECRET_HASH_BYTES, ret_key->hash},
                       (MDB_val){row.mv_size, ret_key->bytes}, &ret_key->row))
        return STORE_OK;
    key_copy_release(ret_key);
    return STORE_CORRUPT;
}

enum store_err key_by_hash(struct transaction *t, struct slice hash,
                           struct key_copy *ret_key)
{
    MDB_val key = {hash.len, (void *)hash.data}, row;

    if (hash.len != SECRET_HASH_BYTES)
        return STORE_NOTFOUND;
    const int rc = mdb_get(t->txn, t->e->db.keys, &key, &row);
    return rc == 0 ? copy_of(key, row, ret_key) : store_from_mdb(rc);
}

/* The first key of `dbi` that is at least *key; it replaces it. */
static int seek(struct transaction *t, MDB_dbi dbi, MDB_val *key)
{
    MDB_cursor *cursor;
    MDB_val row;
    int rc = mdb_cursor_open(t->txn, dbi, &cursor);

    if (rc != 0)
        return rc;
    rc = mdb_cursor_get(cursor, key, &row, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    return rc;
}

/* The last bytes of a key of an index. */
static struct slice hash_in(MDB_val key)
{
    return slice_of((const char *)key.mv_data + key.mv_size -
                        SECRET_HASH_BYTES,
                    SECRET_HASH_BYTES);
}

/* What an index has and `keys` has not is damage. */
static enum store_err indexed(struct transaction *t, MDB_val key,
                              struct key_copy *ret_key)
{
    const enum store_err err = key_by_hash(t, hash_in(key), ret_key);

    return err == STORE_NOTFOUND ? STORE_CORRUPT : err;
}

enum store_err key_by_beginning(struct transaction *t, struct slice tenant,
                                struct slice begin, struct key_copy *ret_key)
{
    struct schema_key start;

    schema_tenant_key(tenant, begin, &start);
    MDB_val key = schema_val(&start);
    const int rc = seek(t, t->e->db.keys_by_tenant, &key);
    if (rc != 0)
        return store_from_mdb(rc);
    if (key.mv_size != tenant.len + 1 + SECRET_HASH_BYTES ||
        memcmp(key.mv_data, start.bytes, start.len) != 0)
        return STORE_NOTFOUND;
    return indexed(t, key, ret_key);
}

enum store_err key_first_to_end(struct transaction *t, int64_t before_us,
                                struct key_copy *ret_key)
{
    struct schema_key bound;
    unsigned char least = 0;
    MDB_val key = {1, &least};

    const int rc = seek(t, t->e->db.keys_by_end, &key);
    if (rc != 0)
        return store_from_mdb(rc);
    schema_end_key(before_us, slice_of(NULL, 0), &bound);
    if (key.mv_size != 8 + SECRET_HASH_BYTES)
        return STORE_CORRUPT;
    if (memcmp(key.mv_data, bound.bytes, 8) >= 0)
        return STORE_NOTFOUND;
    return indexed(t, key, ret_key);
}

/* ---- writing ------------------------------------------------------------------ */

static void index_keys(const struct key_row *k, struct schema_key *ret_tenant,
                       struct schema_key *ret_end)
{
    const int64_t shown_us = k->kind == SECRET_TICKET ? 0 : KEY_SHOWN_US;
    const int64_t end_us = k->expires_us > INT64_MAX - shown_us
                               ? INT64_MAX
                               : k->expires_us + shown_us;

    schema_tenant_key(k->tenant, k->hash, ret_tenant);
    schema_end_key(end_us, k->hash, ret_end);
}

uint64_t key_cost(struct transaction *t, const struct key_row *k)
{
    buffer_clear(&t->row);
    schema_put_key(&t->row, k);
    uint64_t cost = account_row_cost(SECRET_HASH_BYTES, t->row.len) +
                    account_row_cost(k->tenant.len + 1 + SECRET_HASH_BYTES, 0);
    if (k->expires_us != 0)
        cost += account_row_cost(8 + SECRET_HASH_BYTES, 0);
    return cost;
}

enum store_err key_put(struct transaction *t, struct token *who,
                       const struct key_row *k)
{
    struct schema_key by_tenant, by_end;

    index_keys(k, &by_tenant, &by_end);
    buffer_clear(&t->row);
    schema_put_key(&t->row, k);
    enum store_err err =
        account_put(t, who, ACCOUNT_MESSAGES, t->e->db.keys,
                    (MDB_val){k->hash.len, (void *)k->hash.data});
    buffer_clear(&t->row);
    if (err == STORE_OK)
        err = account_put(t, who, ACCOUNT_MESSAGES, t->e->db.keys_by_tenant,
                          schema_val(&by_tenant));
    if (err == STORE_OK && k->expires_us != 0)
        err = account_put(t, who, ACCOUNT_MESSAGES, t->e->db.keys_by_end,
                          schema_val(&by_end));
    return err;
}

enum store_err key_delete(struct transaction *t, struct token *who,
                          const struct key_row *k)
{
    struct schema_key by_tenant, by_end;

    index_keys(k, &by_tenant, &by_end);
    enum store_err err =
        account_delete(t, who, ACCOUNT_MESSAGES, t->e->db.keys,
                       (MDB_val){k->hash.len, (void *)k->hash.data}, NULL);
    if (err == STORE_OK)
        err = account_delete(t, who, ACCOUNT_MESSAGES, t->e->db.keys_by_tenant,
                             schema_val(&by_tenant), NULL);
    if (err == STORE_OK && k->expires_us != 0)
        err = account_delete(t, who, ACCOUNT_MESSAGES, t->e->db.keys_by_end,
                             schema_val(&by_end), NULL);
    return err;
}

/* Without what only its row tells: when it ends. */
static enum store_err delete_damaged(struct transaction *t, struct token *who,
                                     struct slice tenant, struct slice hash)
{
    struct schema_key by_tenant;

    schema_tenant_key(tenant, hash, &by_tenant);
    const enum store_err err =
        account_delete(t, who, ACCOUNT_MESSAGES, t->e->db.keys,
                       (MDB_val){hash.len, (void *)hash.data}, NULL);
    return err == STORE_OK ? account_delete(t, who, ACCOUNT_MESSAGES,
                                            t->e->db.keys_by_tenant,
                                            schema_val(&by_tenant), NULL)
                           : err;
}

enum store_err key_delete_first(struct transaction *t, struct token *who,
                                struct slice tenant)
{
    unsigned char hash[SECRET_HASH_BYTES];
    struct schema_key start;
    struct key_copy copy;

    schema_tenant_key(tenant, slice_of(NULL, 0), &start);
    MDB_val key = schema_val(&start);
    const int rc = seek(t, t->e->db.keys_by_tenant, &key);
    if (rc != 0)
        return store_from_mdb(rc);
    if (key.mv_size != start.len + SECRET_HASH_BYTES ||
        memcmp(key.mv_data, start.bytes, start.len) != 0)
        return STORE_NOTFOUND;
    memcpy(hash, hash_in(key).data, sizeof(hash));
    enum store_err err = key_by_hash(t, slice_of(hash, sizeof(hash)), &copy);
    if (err == STORE_NOTFOUND || err == STORE_CORRUPT)
        return delete_damaged(t, who, tenant, slice_of(hash, sizeof(hash)));
    if (err != STORE_OK)
        return err;
    err = key_delete(t, who, &copy.row);
    key_copy_release(&copy);
    return err;
}

enum command_result directory_verdict(struct transaction *t,
                                      const struct token *who, uint64_t more)
{
    if (who != NULL && who->plan->bytes_max != 0 &&
        (who->usage.bytes > who->plan->bytes_max ||
         more > who->plan->bytes_max - who->usage.bytes))
        return RESULT_BYTES;
    return account_message_verdict(t, who, more, more + more / 2);
}
