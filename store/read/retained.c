#include "store/read/reader.h"

struct retained {
    struct slice topic;
    uint64_t id;
    bool has_copy;
    struct record copy;
};

static bool decode_retained(MDB_val key, MDB_val row, struct retained *ret)
{
    return schema_get_retained(key, row, &ret->topic, &ret->id, &ret->has_copy,
                               &ret->copy);
}

/* A row is damaged when its record is neither copied nor in the log. */
static enum store_err record_of(struct store_reader *r,
                                const struct retained *row,
                                struct record *ret_record)
{
    if (row->has_copy) {
        *ret_record = row->copy;
        ret_record->m.at_us =
            reader_corrected(r, row->id, ret_record->m.at_us);
        return STORE_OK;
    }
    const enum store_err err = reader_entry(r, row->id, ret_record);
    return err == STORE_NOTFOUND ? STORE_CORRUPT : err;
}

enum store_err store_retained(struct store_reader *r, struct slice topic,
                              struct record *ret_record)
{
    struct schema_key name;
    struct retained retained;
    MDB_val row;

    schema_name_key(topic, &name);
    const MDB_val key = schema_val(&name);
    const enum store_err err = reader_row(r, r->env->db.retained, key, &row);
    if (err != STORE_OK)
        return err;
    return decode_retained(key, row, &retained)
               ? record_of(r, &retained, ret_record)
               : STORE_CORRUPT;
}

enum store_err store_retained_next(struct store_reader *r, struct slice filter,
                                   struct slice after, unsigned budget,
                                   struct record *ret_record,
                                   struct slice *ret_resume)
{
    const struct slice prefix = filter_prefix(filter);
    struct retained retained;
    struct slice resume = after;
    MDB_cursor *cursor;
    MDB_val key, row;

    enum store_err err = reader_cursor(r, r->env->db.retained, &cursor);
    if (err == STORE_OK)
        err = reader_seek_name(cursor, prefix, after, &key, &row);
    while (err == STORE_OK) {
        if (budget-- == 0) {
            *ret_resume = resume;
            return STORE_INVALID;
        }
        if (!decode_retained(key, row, &retained))
            return STORE_CORRUPT;
        resume = retained.topic;
        if (filter_matches(filter, retained.topic)) {
            err = record_of(r, &retained, ret_record);
            if (err == STORE_OK)
                *ret_resume = resume;
            return err;
        }
        err = reader_next_name(cursor, prefix, &key, &row);
    }
    return err;
}
