/* Groups of shared subscriptions, as far as stored sessions are in them
 * (store/session.h). */
#include <stdlib.h>

#include "base/topic.h"
#include "store/write/account.h"
#include "store/write/session_write.h"

enum store_err group_find(struct transaction *t, struct slice name,
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

enum store_err group_put(struct transaction *t, const struct group_row *row,
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

uint64_t *group_ids(const struct group_row *row, size_t more)
{
    uint64_t *ids = malloc((row->id_count + more + 1) * sizeof(*ids));

    if (ids != NULL && !group_row_ids(row, ids)) {
        free(ids);
        return NULL;
    }
    return ids;
}

static enum store_err change_members(struct transaction *t, struct slice name,
                                     bool more)
{
    struct group_row row;
    enum store_err err = group_find(t, name, &row);

    if (err == STORE_NOTFOUND || err == STORE_CORRUPT) {
        if (!more)
            return group_delete(t, name);
        row = (struct group_row){.name = name,
                                 .members = 1,
                                 .position = t->head};
        return group_put(t, &row, NULL);
    }
    if (err != STORE_OK)
        return err;
    if (!more && row.members <= 1)
        return group_delete(t, name);
    row.members += more ? 1 : (uint64_t)-1;
    uint64_t *ids = group_ids(&row, 0);
    if (ids == NULL)
        return STORE_NOMEM;
    err = group_put(t, &row, ids);
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
    const enum store_err err = change_members(t, name, more);
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

    enum store_err err = group_find(t, name, &row);
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
