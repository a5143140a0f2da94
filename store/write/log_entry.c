#include "store/write/log_entry.h"

enum store_err log_get_raw(struct transaction *t, uint64_t id,
                           struct record *ret_record)
{
    MDB_val k = {sizeof(id), &id}, v;
    const int rc = mdb_get(t->txn, t->e->db.log, &k, &v);

    if (rc != 0)
        return store_from_mdb(rc);
    return schema_get_record(v, id, ret_record) ? STORE_OK : STORE_CORRUPT;
}

enum store_err log_get(struct transaction *t, uint64_t id,
                       struct record *ret_record)
{
    const enum store_err err = log_get_raw(t, id, ret_record);

    if (err == STORE_OK)
        ret_record->m.at_us =
            clock_steps_correct(&t->steps, id, ret_record->m.at_us);
    return err;
}

static enum store_err note_head(struct transaction *t)
{
    static char key[] = META_HEAD;

    buffer_clear(&t->row);
    schema_put_number(&t->row, t->head);
    return transaction_put_row(t, t->e->db.meta,
                               (MDB_val){sizeof(key) - 1, key}, 0);
}

enum store_err log_remove(struct transaction *t, uint64_t id)
{
    MDB_val k = {sizeof(id), &id};
    const enum store_err err = id == t->head ? note_head(t) : STORE_OK;

    if (err != STORE_OK)
        return err;
    t->put = t->deleted = true;
    if (t->in.deletions > 0)
        t->in.deletions--;
    transaction_log_changes(t);
    const int rc = mdb_del(t->txn, t->e->db.log, &k, NULL);
    return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
}
