/* Reading positions of webhooks and their dead messages (store/webhook.h). */
#include <string.h>

#include "store/read/reader.h"
#include "store/webhook.h"

enum store_err store_webhook(struct store_reader *r, struct slice tenant,
                             struct webhook_row *ret_row)
{
    const MDB_val key = {tenant.len, (void *)tenant.data};
    MDB_val row;

    if (!token_valid(tenant))
        return STORE_NOTFOUND;
    const enum store_err err = reader_row(r, r->env->db.webhooks, key, &row);
    if (err != STORE_OK)
        return err;
    return schema_get_webhook(key, row, ret_row) ? STORE_OK : STORE_CORRUPT;
}

enum store_err store_webhook_next(struct store_reader *r, struct slice after,
                                  struct webhook_row *ret_row)
{
    MDB_cursor *cursor;
    MDB_val key, row;

    enum store_err err = reader_cursor(r, r->env->db.webhooks, &cursor);
    if (err == STORE_OK)
        err = reader_seek_name(cursor, slice_of(NULL, 0), after, &key, &row);
    if (err != STORE_OK)
        return err;
    return schema_get_webhook(key, row, ret_row) ? STORE_OK : STORE_CORRUPT;
}

enum store_err store_webhook_dead_next(struct store_reader *r,
                                       struct slice tenant, uint64_t after,
                                       struct webhook_dead_row *ret_row)
{
    struct schema_key from;
    MDB_cursor *cursor;
    MDB_val row;

    if (!token_valid(tenant) || after == UINT64_MAX)
        return STORE_NOTFOUND;
    const enum store_err err =
        reader_cursor(r, r->env->db.webhooks_dead, &cursor);
    if (err != STORE_OK)
        return err;
    schema_webhook_dead_key(tenant, after + 1, &from);
    MDB_val key = schema_val(&from);
    const int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
    if (rc != 0)
        return store_from_mdb(rc);
    if (key.mv_size != from.len ||
        memcmp(key.mv_data, from.bytes, tenant.len + 1) != 0)
        return STORE_NOTFOUND;
    return schema_get_webhook_dead(key, row, ret_row) ? STORE_OK
                                                      : STORE_CORRUPT;
}
