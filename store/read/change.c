#include "store/read/change.h"

static bool is_about_message(const struct message *m)
{
    return (m->kind == MESSAGE_EDIT || m->kind == MESSAGE_DELETE) &&
           m->about != 0;
}

enum store_err change_resolve(struct store_reader *r, struct record *record)
{
    const struct message entry = record->m;
    struct record of;

    if (!is_about_message(&entry))
        return STORE_OK;
    const enum store_err err = reader_entry(r, entry.about, &of);
    if (err != STORE_OK)
        return err == STORE_CORRUPT ? STORE_NOTFOUND : err;
    if (of.m.change_id != entry.id)
        return STORE_NOTFOUND;
    *record = of;
    record->m.kind = entry.kind;
    record->m.about = of.m.id;
    record->m.id = entry.id;
    record->m.change_id = 0;
    return STORE_OK;
}

/* As a rule there are none, and then this costs nothing. */
static enum store_err know_changes(struct store_reader *r)
{
    MDB_stat stat = {0};
    int rc = 0;

    if (r->changes_known)
        return STORE_OK;
    if (r->env->db.changes != SCHEMA_MISSING)
        rc = mdb_stat(r->txn, r->env->db.changes, &stat);
    if (rc != 0)
        return store_from_mdb(rc);
    r->changes = stat.ms_entries > 0;
    r->changes_known = true;
    return STORE_OK;
}

enum store_err change_after(struct store_reader *r, struct slice token,
                            uint64_t after, uint64_t *ret_id)
{
    struct schema_key from;
    MDB_cursor *cursor;
    MDB_val row;

    enum store_err err = know_changes(r);
    if (err != STORE_OK || !r->changes)
        return err == STORE_OK ? STORE_NOTFOUND : err;
    err = reader_cursor(r, r->env->db.changes, &cursor);
    if (err != STORE_OK || after == UINT64_MAX)
        return err == STORE_OK ? STORE_NOTFOUND : err;
    schema_change_key(token, after + 1, &from);
    MDB_val key = schema_val(&from);
    const int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
    if (rc == 0 && !schema_change_id(token, key, ret_id))
        return STORE_NOTFOUND;
    return store_from_mdb(rc);
}
