/* Groups of shared subscriptions, as far as stored sessions are in them
 * (store/session.h). */
#include <stdlib.h>

#include "base/topic.h"
#include "store/write/account.h"
#include "store/write/session_write.h"

#define ID_COST 9 /* bytes of an id in a row, at most */

static enum store_err find(struct transaction *t, struct slice name,
                           struct group_row *ret_row)
{
    struct schema_key key;
    MDB_val k, v;

    schema_name_key(name, &key);
    k = schema_val(&key);
    const int rc = mdb_get(t->txn, t->e->db.groups, &k, &v);
    if (rc != 0)
        return store_from_mdb(rc);
    if (!schema_get_group(k, v, ret_row))
        return STORE_CORRUPT;
    ret_row->name = name;
    return STORE_OK;
}

static enum store_err put(struct transaction *t, const struct group_row *row,
                          const uint64_t *ids)
{
    struct schema_key key;
    struct token *who;

    const enum store_err err = account_of(t, session_token(row->name), &who);
    if (err != STORE_OK)
        return err;

    schema_name_key(row->name, &key);
    buffer_clear(&t->row);
    schema_put_group(&t->row, row, ids);
    return account_put(t, who, ACCOUNT_SESSIONS, t->e->db.groups,
                       schema_val(&key));
}

enum store_err group_delete(struct transaction *t, struct slice name)
{
    struct schema_key key;
    struct token *who;

    enum store_err err = account_of(t, session_token(name), &who);
    if (err != STORE_OK)
        return err;
    schema_given_prefix(name, &key);
    err = account_delete_all(t, who, ACCOUNT_SESSIONS, t->e->db.given,
                             schema_val(&key));
    if (err != STORE_OK)
        return err;
    schema_name_key(name, &key);
    return account_delete(t, who, ACCOUNT_SESSIONS, t->e->db.groups,
                          schema_val(&key), NULL);
}

/* The ids of a row and `more` behind them; the caller's to free. NULL: out of
 * memory, or the row is damaged. */
static uint64_t *ids_of(const struct group_row *row, size_t more)
{
    uint64_t *ids = malloc((row->id_count + more + 1) * sizeof(*ids));

    if (ids != NULL && !group_row_ids(row, ids)) {
        free(ids);
        return NULL;
    }
    return ids;
}

static enum store_err recount(struct transaction *t, struct slice name,
                              bool more)
{
    struct group_row row;
    enum store_err err = find(t, name, &row);

    if (err == STORE_NOTFOUND || err == STORE_CORRUPT) {
        if (!more)
            return group_delete(t, name);
        row = (struct group_row){.name = name,
                                 .members = 1,
                                 .position = t->head};
        return put(t, &row, NULL);
    }
    if (err != STORE_OK)
        return err;
    if (!more && row.members <= 1)
        return group_delete(t, name);
    row.members += more ? 1 : (uint64_t)-1;
    uint64_t *ids = ids_of(&row, 0);
    if (ids == NULL)
        return STORE_NOMEM;
    err = put(t, &row, ids);
    free(ids);
    return err;
}

/* Token, NUL, group, NUL, filter; the caller's to free. *ret_name with data NULL:
 * out of memory. false: `filter` is not a shared one. */
static bool group_name(struct slice identity, struct slice filter,
                       struct slice *ret_name)
{
    const size_t token = session_token(identity).len;
    struct slice group, inner;

    if (!filter_share(filter, &group, &inner))
        return false;
    const size_t len = token + 1 + group.len + 1 + inner.len;
    char *name = malloc(len);
    *ret_name = slice_of(name, len);
    if (name == NULL)
        return true;
    memcpy(name, identity.data, token + 1);
    memcpy(name + token + 1, group.data, group.len);
    name[token + 1 + group.len] = '\0';
    memcpy(name + token + 1 + group.len + 1, inner.data, inner.len);
    return true;
}

enum store_err group_count(struct transaction *t, struct slice identity,
                           struct slice filter, bool more)
{
    struct slice name;

    if (!group_name(identity, filter, &name))
        return STORE_OK;
    if (name.data == NULL)
        return STORE_NOMEM;
    const enum store_err err = recount(t, name, more);
    free((void *)name.data);
    return err;
}

/* ---- what was given for good ----------------------------------------------- */

static enum store_err put_given(struct transaction *t, struct slice name,
                                uint64_t id)
{
    const struct session_inflight nothing = {.inbound = true};
    struct schema_key key;
    struct group_row row;
    struct token *who;

    enum store_err err = find(t, name, &row);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND || err == STORE_CORRUPT ? STORE_OK : err;
    err = account_of(t, session_token(name), &who);
    if (err != STORE_OK)
        return err;
    schema_given_key(name, id, &key);
    buffer_clear(&t->row);
    schema_put_inflight(&t->row, &nothing); /* [version] */
    return account_put(t, who, ACCOUNT_SESSIONS, t->e->db.given,
                       schema_val(&key));
}

enum store_err group_given(struct transaction *t, struct slice identity,
                           const struct session_given *g)
{
    struct slice name;

    if (!group_name(identity, g->filter, &name))
        return STORE_OK;
    if (name.data == NULL)
        return STORE_NOMEM;
    const enum store_err err = put_given(t, name, g->log_id);
    free((void *)name.data);
    return err;
}

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
    const struct group_save *s = c->group;
    const size_t before = s->adds ? 0 : stored;

    if (s->id_count > before)
        c->result =
            account_upkeep_verdict(t,
                                   ID_COST * (uint64_t)(s->id_count - before));
}

enum store_err group_save_apply(struct transaction *t, struct command *c)
{
    const struct group_save *s = c->group;
    struct group_row row;
    size_t count = 0;

    enum store_err err = find(t, s->name, &row);
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
    uint64_t *ids = ids_of(&row, s->id_count);
    if (ids == NULL)
        return STORE_NOMEM;
    count = row.id_count;
    for (size_t i = 0; i < s->id_count && count < GROUP_IDS_MAX; i++)
        ids[count++] = s->ids[i];
    row.id_count = (uint32_t)count;
    if (!s->adds)
        row.position = s->position;
    err = put(t, &row, ids);
    free(ids);
    return err == STORE_OK && !s->adds ? forget_given(t, s) : err;
}
