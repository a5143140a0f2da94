/* The ends of users, rooms and whole tenants, in steps (store/write/erase.h). */
#include <string.h>

#include "store/write/account.h"
#include "store/write/ban_write.h"
#include "store/write/people_write.h"

/* ---- names ----------------------------------------------------------------------- */

static struct slice erase_name(struct slice tenant, char kind, struct slice id,
                               char *out)
{
    memcpy(out, tenant.data, tenant.len);
    out[tenant.len] = '\0';
    out[tenant.len + 1] = kind;
    memcpy(out + tenant.len + 2, id.data, id.len);
    return slice_of(out, tenant.len + 2 + id.len);
}

struct slice user_erase_name(struct slice tenant, struct slice user,
                             char out[PEOPLE_ERASE_NAME_MAX])
{
    return erase_name(tenant, 'u', user, out);
}

struct slice room_erase_name(struct slice tenant, struct slice room,
                             char out[PEOPLE_ERASE_NAME_MAX])
{
    return erase_name(tenant, 'r', room, out);
}

/* Topics and tokens have no NUL. */
bool people_is_erase_name(struct slice name)
{
    return name.len > 0 && memchr(name.data, '\0', name.len) != NULL;
}

/* ---- walking --------------------------------------------------------------------- */

/* A row's key, copied, so that writing does not move it. */
struct people_row {
    struct schema_key key;
    struct slice one, other; /* of a pair */
};

/* The first row of `dbi` whose key begins with `prefix`. */
static enum store_err first_of(struct transaction *t, MDB_dbi dbi,
                               const struct schema_key *prefix,
                               struct people_row *ret)
{
    MDB_cursor *cursor;
    MDB_val key = schema_val(prefix), row;
    int rc = mdb_cursor_open(t->txn, dbi, &cursor);

    if (rc != 0)
        return store_from_mdb(rc);
    rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    if (key.mv_size < prefix->len || key.mv_size > sizeof(ret->key.bytes) ||
        memcmp(key.mv_data, prefix->bytes, prefix->len) != 0)
        return STORE_NOTFOUND;
    memcpy(ret->key.bytes, key.mv_data, key.mv_size);
    ret->key.len = key.mv_size;
    return STORE_OK;
}

static enum store_err drop_row(struct transaction *t, struct token *who,
                               MDB_dbi dbi, const struct people_row *row)
{
    return account_delete(t, who, ACCOUNT_MESSAGES, dbi, schema_val(&row->key),
                          NULL);
}

/* ---- members --------------------------------------------------------------------- */

/* Of a room that is still there, one member fewer. */
static enum store_err count_member_out(struct transaction *t,
                                       struct token *who, struct slice tenant,
                                       struct slice id)
{
    struct room_copy room;

    enum store_err err = room_load(t, tenant, id, &room);
    if (err == STORE_NOTFOUND || err == STORE_CORRUPT)
        return STORE_OK; /* `confab check` tells of damage */
    if (err != STORE_OK)
        return err;
    room.row.members -= room.row.members > 0;
    err = room_store(t, who, &room.row);
    room_copy_release(&room);
    return err;
}

/* The member, or the room, of a row that was found in `dbi`. */
static enum store_err drop_membership(struct transaction *t, struct token *who,
                                      struct slice tenant, MDB_dbi dbi,
                                      struct people_row *row)
{
    const bool by_user = dbi == t->e->db.rooms_of;
    bool was;

    if (!schema_split_pair(schema_val(&row->key), &row->one, &row->other))
        return drop_row(t, who, dbi, row);
    const struct slice room = by_user ? row->other : row->one;
    const struct slice user = by_user ? row->one : row->other;
    const enum store_err err = member_remove(t, who, tenant, room, user, &was);
    return err == STORE_OK && was ? count_member_out(t, who, tenant, room)
                                  : err;
}

static enum store_err drop_memberships(struct transaction *t,
                                       struct token *who, struct slice tenant,
                                       MDB_dbi dbi,
                                       const struct schema_key *prefix,
                                       unsigned *left)
{
    struct people_row row;
    enum store_err err = STORE_OK;

    for (; err == STORE_OK && *left > 0; --*left) {
        err = first_of(t, dbi, prefix, &row);
        if (err == STORE_NOTFOUND)
            return STORE_OK;
        if (err == STORE_OK)
            err = drop_membership(t, who, tenant, dbi, &row);
    }
    return err;
}

/* `@` begins who is banned by address, so such a user has no bans. */
static enum store_err erase_user(struct transaction *t, struct token *who,
                                 struct slice tenant, struct slice user,
                                 unsigned *left)
{
    struct schema_key prefix;

    schema_pair_key(tenant, user, slice_of(NULL, 0), &prefix);
    const enum store_err err =
        drop_memberships(t, who, tenant, t->e->db.rooms_of, &prefix, left);
    if (err != STORE_OK || *(const char *)user.data == '@')
        return err;
    return ban_erase_user(t, who, tenant, user, left);
}

static enum store_err erase_room(struct transaction *t, struct token *who,
                                 struct slice tenant, struct slice room,
                                 unsigned *left)
{
    struct schema_key prefix;

    schema_pair_key(tenant, room, slice_of(NULL, 0), &prefix);
    const enum store_err err =
        drop_memberships(t, who, tenant, t->e->db.members, &prefix, left);
    return err == STORE_OK ? ban_erase_room(t, who, tenant, room, left) : err;
}

enum store_err people_erase_named(struct transaction *t, struct slice name,
                                  unsigned *left)
{
    const char *text = name.data;
    const char *nul = memchr(text, '\0', name.len);
    struct token *who;

    if (nul == NULL || name.len > PEOPLE_ERASE_NAME_MAX)
        return STORE_OK; /* damaged: there is nothing to find by it */
    const struct slice tenant = slice_of(text, (size_t)(nul - text));
    const size_t skip = tenant.len + 2;
    if (!token_valid(tenant) || name.len <= skip)
        return STORE_OK;
    const struct slice id = slice_of(text + skip, name.len - skip);
    const enum store_err err = account_of(t, tenant, &who);
    if (err != STORE_OK)
        return err;
    return nul[1] == 'u' ? erase_user(t, who, tenant, id, left)
                         : erase_room(t, who, tenant, id, left);
}

/* ---- a tenant -------------------------------------------------------------------- */

static enum store_err drop_rows(struct transaction *t, struct token *who,
                                MDB_dbi dbi, const struct schema_key *prefix,
                                unsigned *left)
{
    enum store_err err = STORE_OK;
    struct people_row row;

    for (; err == STORE_OK && *left > 0; --*left) {
        err = first_of(t, dbi, prefix, &row);
        if (err == STORE_NOTFOUND)
            return STORE_OK;
        if (err == STORE_OK)
            err = drop_row(t, who, dbi, &row);
    }
    return err;
}

/* Rooms first, so that those that are there have as many members as they say; members
 * and their index together; names before who has them. */
enum store_err people_erase_all(struct transaction *t, struct slice tenant,
                                unsigned *left)
{
    struct schema_key prefix;
    struct token *who;

    enum store_err err = account_of(t, tenant, &who);
    if (err != STORE_OK)
        return err;
    schema_tenant_key(tenant, slice_of(NULL, 0), &prefix);
    err = drop_rows(t, who, t->e->db.rooms, &prefix, left);
    if (err == STORE_OK)
        err =
            drop_memberships(t, who, tenant, t->e->db.members, &prefix, left);
    if (err == STORE_OK)
        err =
            drop_memberships(t, who, tenant, t->e->db.rooms_of, &prefix, left);
    if (err == STORE_OK)
        err = ban_erase_all(t, who, tenant, left);
    if (err == STORE_OK)
        err = drop_rows(t, who, t->e->db.users_by_name, &prefix, left);
    return err == STORE_OK ? drop_rows(t, who, t->e->db.users, &prefix, left)
                           : err;
}
