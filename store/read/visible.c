/* Reading entries of the log that are not hidden (store/format/schema.h, trim). */
#include "store/read/change.h"
#include "store/read/reader.h"

/* As a rule nothing is hidden, and then this costs nothing. */
static enum store_err know_trims(struct store_reader *r)
{
    MDB_stat stat;

    if (r->trims_known)
        return STORE_OK;
    const int rc = mdb_stat(r->txn, r->env->db.trims, &stat);
    if (rc != 0)
        return store_from_mdb(rc);
    r->trims = stat.ms_entries > 0;
    r->trims_known = true;
    return STORE_OK;
}

enum store_err reader_visible(struct store_reader *r,
                              const struct record *record)
{
    const struct message *m = &record->m;
    /* What is said about a message is hidden with it. */
    const uint64_t id =
        m->kind != MESSAGE_MESSAGE && m->about != 0 ? m->about : m->id;
    struct thing_state t;
    enum store_err err = know_trims(r);

    if (err != STORE_OK || !r->trims || m->kind == MESSAGE_PURGE)
        return err;
    err = reader_thing(r, record->m.topic, &t);
    if (err ==
        STORE_NOTFOUND) /* the topic has only other kinds: never trimmed */
        return STORE_OK;
    if (err == STORE_OK && id <= t.row.trimmed_id)
        return STORE_NOTFOUND;
    return err;
}

enum store_err store_get(struct store_reader *r, uint64_t id,
                         struct record *ret_record)
{
    struct record record;
    enum store_err err = reader_entry(r, id, &record);

    if (err == STORE_OK)
        err = reader_visible(r, &record);
    if (err == STORE_OK && record.m.kind == MESSAGE_MESSAGE &&
        record.m.deleted)
        err = STORE_NOTFOUND;
    if (err == STORE_OK)
        err = change_resolve(r, &record);
    if (err == STORE_OK)
        *ret_record = record;
    return err;
}

enum store_err store_next(struct store_reader *r, uint64_t after,
                          struct record *ret_record)
{
    struct record record;
    enum store_err err;

    for (;;) {
        err = reader_entry_after(r, after, &record);
        if (err == STORE_CORRUPT && r->log_at > after) {
            after = r->log_at;
            continue;
        }
        if (err != STORE_OK)
            return err;
        after = record.m.id;
        err = reader_visible(r, &record);
        if (err == STORE_OK)
            err = change_resolve(r, &record);
        if (err == STORE_NOTFOUND)
            continue;
        if (err != STORE_OK &&
            err != STORE_CORRUPT) /* CORRUPT: the thing's row */
            return err;
        *ret_record = record;
        return STORE_OK;
    }
}
