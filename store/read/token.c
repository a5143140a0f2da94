/* Tokens and what they have used. */
#include "store/read/reader.h"

enum store_err store_token(struct store_reader *r, struct slice token,
                           struct token_row *ret_row)
{
    struct schema_key name;
    MDB_val row;

    schema_name_key(token, &name);
    const MDB_val key = schema_val(&name);
    const enum store_err err = reader_row(r, r->env->db.tokens, key, &row);
    if (err != STORE_OK)
        return err;
    if (!schema_get_token(key, row, ret_row))
        return STORE_CORRUPT;
    ret_row->token = token; /* decoded, it may point to the key above */
    return STORE_OK;
}

enum store_err store_token_next(struct store_reader *r, struct slice after,
                                struct token_row *ret_row)
{
    MDB_cursor *cursor;
    MDB_val key, row;

    enum store_err err = reader_cursor(r, r->env->db.tokens, &cursor);
    if (err == STORE_OK)
        err = reader_seek_name(cursor, slice_of(NULL, 0), after, &key, &row);
    if (err != STORE_OK)
        return err;
    return schema_get_token(key, row, ret_row) ? STORE_OK : STORE_CORRUPT;
}

enum store_err store_usage(struct store_reader *r, struct slice token,
                           struct usage_row *ret_row)
{
    struct schema_key name;
    MDB_val row;

    schema_name_key(token, &name);
    const enum store_err err =
        reader_row(r, r->env->db.usage, schema_val(&name), &row);
    if (err != STORE_OK)
        return err;
    return schema_get_usage(row, ret_row) ? STORE_OK : STORE_CORRUPT;
}
