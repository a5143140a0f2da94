/* How far a group of a shared subscription has come (store/session.h). */
#include <stdlib.h>

#include "store/commands/commands.h"
#include "store/write/account.h"
#include "store/write/session_write.h"

#define ID_COST 9 /* bytes of an id in a row, at most */

static int by_id(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The first one above `after`; 0: there is none. */
static enum store_err next_given(struct transaction *t,
                                 const struct schema_key *prefix,
                                 struct slice name, uint64_t after,
                                 uint64_t *ret_id)
{
    struct schema_key first;
    MDB_cursor *cursor;

    *ret_id = 0;
    schema_given_key(name, after + 1, &first);
    MDB_val k = schema_val(&first), v;
    int rc = mdb_cursor_open(t->txn, t->e->db.given, &cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    if (rc == 0)
        (void)schema_given_id(prefix, k, ret_id);
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? STORE_OK : store_from_mdb(rc);
}

/* The position has passed them. */
static enum store_err forget_given(struct transaction *t,
                                   const struct group_save *s)
{
    struct schema_key prefix, key;
    struct token *who;
    uint64_t id = 0;

    enum store_err err = account_of(t, session_token(s->name), &who);
    schema_given_prefix(s->name, &prefix);
    for (;;) {
        if (err == STORE_OK)
            err = next_given(t, &prefix, s->name, id, &id);
        if (err != STORE_OK || id == 0 || id > s->position)
            return err;
        if (s->id_count > 0 &&
            bsearch(&id, s->ids, s->id_count, sizeof(id), by_id) != NULL)
            continue;
        schema_given_key(s->name, id, &key);
        err = account_delete(t, who, ACCOUNT_SESSIONS, t->e->db.given,
                             schema_val(&key), NULL);
    }
}

/* ---- saving ------------------------------------------------------------------ */

/* Ids that came back are of messages that must not be lost: they go on in a full
 * store, but not for ever. */
static void room_for(struct transaction *t, struct command *c, size_t stored)
{
    const struct group_save *s = c->args;
    const size_t before = s->adds ? 0 : stored;

    if (s->id_count > before)
        c->result =
            account_upkeep_verdict(t,
                                   ID_COST * (uint64_t)(s->id_count - before));
}

static enum store_err group_save_apply(struct transaction *t,
                                       struct command *c)
{
    const struct group_save *s = c->args;
    struct group_row row;
    size_t count = 0;

    enum store_err err = group_find(t, s->name, &row);
    if (err == STORE_NOTFOUND || err == STORE_CORRUPT) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (err == STORE_OK)
        room_for(t, c, row.id_count);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    if (!s->adds)
        row.id_count = 0;
    uint64_t *ids = group_ids(&row, s->id_count);
    if (ids == NULL)
        return STORE_NOMEM;
    count = row.id_count;
    for (size_t i = 0; i < s->id_count && count < GROUP_IDS_MAX; i++)
        ids[count++] = s->ids[i];
    row.id_count = (uint32_t)count;
    if (!s->adds)
        row.position = s->position;
    err = group_put(t, &row, ids);
    free(ids);
    return err == STORE_OK && !s->adds ? forget_given(t, s) : err;
}

static void group_save_decide(struct transaction *t, const struct command *c)
{
    const struct group_save *s = c->args;

    if (s->id_count > 0)
        admission_measure_upkeep(t, ID_COST * (uint64_t)s->id_count);
}

static const struct command_field fields[] = {
    {"name", FIELD_TEXT, FIELD_REQUIRED, offsetof(struct group_save, name), 0,
     UINT64_MAX, "name: of the group"},
    {"adds", FIELD_YES, FIELD_OPTIONAL, offsetof(struct group_save, adds), 0,
     1, "adds: 1"},
    {"position", FIELD_U64, FIELD_OPTIONAL,
     offsetof(struct group_save, position), 0, UINT64_MAX, "position: an id"},
    {"ids", FIELD_IDS, FIELD_OPTIONAL, offsetof(struct group_save, ids),
     offsetof(struct group_save, id_count), UINT32_MAX, "ids: a list"},
};

const struct command_type group_save_command = {
    .name = "group_save",
    .args_size = sizeof(struct group_save),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .decide = group_save_decide,
    .apply = group_save_apply,
};
