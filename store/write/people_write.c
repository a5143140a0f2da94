#include "store/write/people_write.h"

#include <stdlib.h>
#include <string.h>

#include "store/write/account.h"

void room_copy_release(struct room_copy *room)
{
    free(room->bytes);
    room->bytes = NULL;
}

/* ---- reading ------------------------------------------------------------------- */

static enum store_err load(struct transaction *t, MDB_dbi dbi,
                           struct schema_key *name, MDB_val *ret_key,
                           MDB_val *ret_row)
{
    *ret_key = schema_val(name);
    return store_from_mdb(mdb_get(t->txn, dbi, ret_key, ret_row));
}

/* The row's ids are the caller's: `name` is no longer than the function. */
enum store_err user_load(struct transaction *t, struct slice tenant,
                         struct slice user, struct user_row *ret_row)
{
    struct schema_key name;
    MDB_val key, row;

    schema_tenant_key(tenant, user, &name);
    const enum store_err err = load(t, t->e->db.users, &name, &key, &row);
    if (err != STORE_OK)
        return err;
    if (!schema_get_user(key, row, ret_row))
        return STORE_CORRUPT;
    ret_row->tenant = tenant;
    ret_row->user = user;
    return STORE_OK;
}

enum store_err user_name_load(struct transaction *t, struct slice tenant,
                              struct slice name, struct slice *ret_user)
{
    struct schema_key index;
    MDB_val key, row;

    schema_tenant_key(tenant, name, &index);
    const enum store_err err =
        load(t, t->e->db.users_by_name, &index, &key, &row);
    if (err != STORE_OK)
        return err;
    return schema_get_user_name(row, ret_user) ? STORE_OK : STORE_CORRUPT;
}

enum store_err room_load(struct transaction *t, struct slice tenant,
                         struct slice room, struct room_copy *ret_room)
{
    struct schema_key name;
    MDB_val key, row;

    *ret_room = (struct room_copy){.bytes = NULL};
    schema_tenant_key(tenant, room, &name);
    const enum store_err err = load(t, t->e->db.rooms, &name, &key, &row);
    if (err != STORE_OK)
        return err;
    ret_room->bytes = malloc(row.mv_size + 1);
    if (ret_room->bytes == NULL)
        return STORE_NOMEM;
    memcpy(ret_room->bytes, row.mv_data, row.mv_size);
    row.mv_data = ret_room->bytes;
    if (!schema_get_room(key, row, &ret_room->row)) {
        room_copy_release(ret_room);
        return STORE_CORRUPT;
    }
    ret_room->row.tenant = tenant;
    ret_room->row.room = room;
    return STORE_OK;
}

enum store_err member_load(struct transaction *t, struct slice tenant,
                           struct slice room, struct slice user,
                           struct member_row *ret_row)
{
    struct schema_key name;
    MDB_val key, row;

    schema_pair_key(tenant, room, user, &name);
    const enum store_err err = load(t, t->e->db.members, &name, &key, &row);
    if (err != STORE_OK)
        return err;
    if (!schema_get_member(key, row, ret_row))
        return STORE_CORRUPT;
    ret_row->tenant = tenant;
    ret_row->room = room;
    ret_row->user = user;
    return STORE_OK;
}

/* ---- costs --------------------------------------------------------------------- */

static void encode_user(struct transaction *t, const struct user_row *user)
{
    buffer_clear(&t->row);
    schema_put_user(&t->row, user);
}

static void encode_user_name(struct transaction *t, struct slice user)
{
    buffer_clear(&t->row);
    schema_put_user_name(&t->row, user);
}

static void encode_room(struct transaction *t, const struct room_row *room)
{
    buffer_clear(&t->row);
    schema_put_room(&t->row, room);
}

static void encode_member(struct transaction *t, const struct member_row *m)
{
    buffer_clear(&t->row);
    schema_put_member(&t->row, m);
}

static uint64_t cost_of(struct transaction *t, struct slice tenant, size_t ids)
{
    return account_row_cost(tenant.len + 1 + ids, t->row.len);
}

uint64_t user_cost(struct transaction *t, const struct user_row *user)
{
    encode_user(t, user);
    uint64_t cost = cost_of(t, user->tenant, user->user.len);
    if (user->name.len > 0) {
        encode_user_name(t, user->user);
        cost += cost_of(t, user->tenant, user->name.len);
    }
    return cost;
}

uint64_t room_cost(struct transaction *t, const struct room_row *room)
{
    encode_room(t, room);
    return cost_of(t, room->tenant, room->room.len);
}

uint64_t member_cost(struct transaction *t, const struct member_row *m)
{
    const size_t ids = m->room.len + 1 + m->user.len;

    encode_member(t, m);
    return cost_of(t, m->tenant, ids) +
           account_row_cost(m->tenant.len + 1 + ids, 0);
}

/* ---- writing ------------------------------------------------------------------- */

static enum store_err put(struct transaction *t, struct token *who,
                          MDB_dbi dbi, const struct schema_key *name)
{
    return account_put(t, who, ACCOUNT_MESSAGES, dbi, schema_val(name));
}

static enum store_err drop(struct transaction *t, struct token *who,
                           MDB_dbi dbi, const struct schema_key *name)
{
    return account_delete(t, who, ACCOUNT_MESSAGES, dbi, schema_val(name),
                          NULL);
}

/* The first write may end what borrows from the old row, so keys are made before. */
enum store_err user_store(struct transaction *t, struct token *who,
                          const struct user_row *user, struct slice old_name)
{
    const bool renamed = !slice_eq(old_name, user->name);
    const bool is_named = user->name.len > 0;
    struct schema_key id, old_index, index;

    schema_tenant_key(user->tenant, user->user, &id);
    schema_tenant_key(user->tenant, old_name, &old_index);
    schema_tenant_key(user->tenant, user->name, &index);
    encode_user(t, user);
    enum store_err err = put(t, who, t->e->db.users, &id);
    if (err == STORE_OK && renamed && old_name.len > 0)
        err = drop(t, who, t->e->db.users_by_name, &old_index);
    if (err != STORE_OK || !renamed || !is_named)
        return err;
    encode_user_name(t, user->user);
    return put(t, who, t->e->db.users_by_name, &index);
}

enum store_err user_remove(struct transaction *t, struct token *who,
                           const struct user_row *user)
{
    const bool is_named = user->name.len > 0;
    struct schema_key id, index;

    schema_tenant_key(user->tenant, user->user, &id);
    schema_tenant_key(user->tenant, user->name, &index);
    const enum store_err err = drop(t, who, t->e->db.users, &id);
    return err == STORE_OK && is_named
               ? drop(t, who, t->e->db.users_by_name, &index)
               : err;
}

enum store_err room_store(struct transaction *t, struct token *who,
                          const struct room_row *room)
{
    struct schema_key id;

    schema_tenant_key(room->tenant, room->room, &id);
    encode_room(t, room);
    return put(t, who, t->e->db.rooms, &id);
}

enum store_err room_remove(struct transaction *t, struct token *who,
                           struct slice tenant, struct slice room)
{
    struct schema_key id;

    schema_tenant_key(tenant, room, &id);
    return drop(t, who, t->e->db.rooms, &id);
}

enum store_err member_store(struct transaction *t, struct token *who,
                            const struct member_row *m, struct room_row *room)
{
    struct schema_key id, reverse;
    MDB_val key, row;

    schema_pair_key(m->tenant, m->room, m->user, &id);
    schema_pair_key(m->tenant, m->user, m->room, &reverse);
    const enum store_err found = load(t, t->e->db.members, &id, &key, &row);
    if (found != STORE_OK && found != STORE_NOTFOUND)
        return found;
    encode_member(t, m);
    enum store_err err = put(t, who, t->e->db.members, &id);
    if (err != STORE_OK || found == STORE_OK)
        return err;
    room->members++;
    buffer_clear(&t->row);
    return put(t, who, t->e->db.rooms_of, &reverse);
}

enum store_err member_remove(struct transaction *t, struct token *who,
                             struct slice tenant, struct slice room,
                             struct slice user, bool *ret_was)
{
    struct schema_key id, reverse;

    schema_pair_key(tenant, room, user, &id);
    schema_pair_key(tenant, user, room, &reverse);
    const enum store_err err =
        account_delete(t, who, ACCOUNT_MESSAGES, t->e->db.members,
                       schema_val(&id), ret_was);
    return err == STORE_OK ? drop(t, who, t->e->db.rooms_of, &reverse) : err;
}
