/* Reading keys and the settings of tenants (store/directory.h). */
#include <string.h>

#include "store/read/reader.h"

enum store_err store_key(struct store_reader *r, const unsigned char *hash,
                         struct key_row *ret_row)
{
    const MDB_val key = {SECRET_HASH_BYTES, (void *)hash};
    MDB_val row;

    const enum store_err err = reader_row(r, r->env->db.keys, key, &row);
    if (err != STORE_OK)
        return err;
    return schema_get_key(key, row, ret_row) ? STORE_OK : STORE_CORRUPT;
}

/* The first hash of the tenant's keys that is at least `from`, or, when `beyond`,
 * greater. */
static enum store_err seek_hash(struct store_reader *r, struct slice tenant,
                                struct slice from, bool beyond,
                                unsigned char ret_hash[SECRET_HASH_BYTES])
{
    struct schema_key start;
    MDB_cursor *cursor;
    MDB_val key, row;

    if (!token_valid(tenant) || from.len > SECRET_HASH_BYTES)
        return STORE_NOTFOUND;
    const enum store_err err =
        reader_cursor(r, r->env->db.keys_by_tenant, &cursor);
    if (err != STORE_OK)
        return err;
    schema_tenant_key(tenant, from, &start);
    key = schema_val(&start);
    int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
    if (rc == 0 && beyond && key.mv_size == start.len &&
        memcmp(key.mv_data, start.bytes, start.len) == 0)
        rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
    if (rc != 0)
        return store_from_mdb(rc);
    if (key.mv_size != tenant.len + 1 + SECRET_HASH_BYTES ||
        memcmp(key.mv_data, start.bytes, tenant.len + 1) != 0)
        return STORE_NOTFOUND;
    memcpy(ret_hash, (const char *)key.mv_data + tenant.len + 1,
           SECRET_HASH_BYTES);
    return STORE_OK;
}

/* A row that the index has and `keys` has not is damage. The row's hash points into
 * the map and not to ours: the row of the index has it, too. */
static enum store_err indexed_key(struct store_reader *r, struct slice tenant,
                                  const unsigned char *hash,
                                  struct key_row *ret_row)
{
    struct schema_key name;
    MDB_cursor *cursor;
    MDB_val row;

    schema_tenant_key(tenant, slice_of(hash, SECRET_HASH_BYTES), &name);
    MDB_val key = schema_val(&name);
    enum store_err err = reader_cursor(r, r->env->db.keys_by_tenant, &cursor);
    if (err != STORE_OK)
        return err;
    if (mdb_cursor_get(cursor, &key, &row, MDB_SET_KEY) != 0)
        return STORE_CORRUPT;
    err = store_key(r, (const unsigned char *)key.mv_data + tenant.len + 1,
                    ret_row);
    return err == STORE_NOTFOUND ? STORE_CORRUPT : err;
}

enum store_err store_key_next(struct store_reader *r, struct slice tenant,
                              struct slice after, struct key_row *ret_row)
{
    unsigned char hash[SECRET_HASH_BYTES];

    const enum store_err err =
        seek_hash(r, tenant, after, after.len > 0, hash);
    return err == STORE_OK ? indexed_key(r, tenant, hash, ret_row) : err;
}

enum store_err store_key_by_id(struct store_reader *r, struct slice tenant,
                               struct slice id, struct key_row *ret_row)
{
    unsigned char begin[KEY_ID_HASH_BYTES], hash[SECRET_HASH_BYTES];

    if (!key_id_parse(id, begin))
        return STORE_NOTFOUND;
    const enum store_err err =
        seek_hash(r, tenant, slice_of(begin, sizeof(begin)), false, hash);
    if (err != STORE_OK)
        return err;
    return memcmp(hash, begin, sizeof(begin)) == 0
               ? indexed_key(r, tenant, hash, ret_row)
               : STORE_NOTFOUND;
}

enum store_err store_tenant_settings(struct store_reader *r,
                                     struct slice tenant,
                                     struct tenant_settings *ret_settings)
{
    MDB_val row;

    ret_settings->count = 0;
    if (!token_valid(tenant))
        return STORE_NOTFOUND;
    const MDB_val key = {tenant.len, (void *)tenant.data};
    const enum store_err err = reader_row(r, r->env->db.tenants, key, &row);
    if (err != STORE_OK)
        return err;
    return schema_get_settings(row, ret_settings) ? STORE_OK : STORE_CORRUPT;
}
