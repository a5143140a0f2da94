#include "store/write/ban_write.h"

#include <string.h>

#include "store/write/account.h"

/* The keys of a ban's rows. */
struct ban_keys {
    struct schema_key id, of, end;
};

static void keys_of(struct slice tenant, struct slice room, struct slice who,
                    int64_t until_us, struct ban_keys *ret)
{
    schema_pair_key(tenant, room, who, &ret->id);
    schema_pair_key(tenant, who, room, &ret->of);
    schema_end_key(until_us, slice_of(ret->id.bytes, ret->id.len), &ret->end);
}

enum store_err ban_load(struct transaction *t, struct slice tenant,
                        struct slice room, struct slice who,
                        struct ban_row *ret_row)
{
    struct schema_key name;
    MDB_val row;

    schema_pair_key(tenant, room, who, &name);
    MDB_val key = schema_val(&name);
    const int rc = mdb_get(t->txn, t->e->db.bans, &key, &row);
    if (rc != 0)
        return store_from_mdb(rc);
    if (!schema_get_ban(key, row, ret_row))
        return STORE_CORRUPT;
    ret_row->tenant = tenant;
    ret_row->room = room;
    ret_row->who = who;
    return STORE_OK;
}

bool ban_exists_any(struct transaction *t)
{
    MDB_stat stat;

    return mdb_stat(t->txn, t->e->db.bans, &stat) != 0 || stat.ms_entries > 0;
}

/* ---- writing ------------------------------------------------------------------- */

static void encode(struct transaction *t, const struct ban_row *ban)
{
    buffer_clear(&t->row);
    schema_put_ban(&t->row, ban);
}

uint64_t ban_cost(struct transaction *t, const struct ban_row *ban)
{
    const size_t key = ban->tenant.len + 1 + ban->room.len + 1 + ban->who.len;

    encode(t, ban);
    uint64_t cost =
        account_row_cost(key, t->row.len) + account_row_cost(key, 0);
    if (ban->until_us != 0)
        cost += account_row_cost(8 + key, 0);
    return cost;
}

static enum store_err put(struct transaction *t, struct token *who,
                          MDB_dbi dbi, const struct schema_key *key)
{
    return account_put(t, who, ACCOUNT_MESSAGES, dbi, schema_val(key));
}

static enum store_err drop(struct transaction *t, struct token *who,
                           MDB_dbi dbi, const struct schema_key *key)
{
    return account_delete(t, who, ACCOUNT_MESSAGES, dbi, schema_val(key),
                          NULL);
}

enum store_err ban_store(struct transaction *t, struct token *who,
                         const struct ban_row *ban, int64_t old_until_us)
{
    struct ban_keys old, keys;

    keys_of(ban->tenant, ban->room, ban->who, old_until_us, &old);
    keys_of(ban->tenant, ban->room, ban->who, ban->until_us, &keys);
    encode(t, ban);
    enum store_err err = put(t, who, t->e->db.bans, &keys.id);
    buffer_clear(&t->row);
    if (err == STORE_OK)
        err = put(t, who, t->e->db.bans_of, &keys.of);
    if (err == STORE_OK && old_until_us != 0)
        err = drop(t, who, t->e->db.bans_by_end, &old.end);
    if (err == STORE_OK && ban->until_us != 0)
        err = put(t, who, t->e->db.bans_by_end, &keys.end);
    return err;
}

static enum store_err drop_rows(struct transaction *t, struct token *who,
                                const struct ban_keys *keys, bool ends)
{
    enum store_err err = drop(t, who, t->e->db.bans, &keys->id);

    if (err == STORE_OK)
        err = drop(t, who, t->e->db.bans_of, &keys->of);
    return err == STORE_OK && ends
               ? drop(t, who, t->e->db.bans_by_end, &keys->end)
               : err;
}

enum store_err ban_remove(struct transaction *t, struct token *who,
                          struct slice tenant, struct slice room,
                          struct slice banned)
{
    struct ban_row row = {.until_us = 0};
    struct ban_keys keys;

    const enum store_err err = ban_load(t, tenant, room, banned, &row);
    if (err == STORE_CORRUPT)
        row.until_us = 0;
    else if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    keys_of(tenant, room, banned, row.until_us, &keys);
    return drop_rows(t, who, &keys, row.until_us != 0);
}

/* ---- walking ------------------------------------------------------------------- */

/* The first key of `dbi` at or behind `from`, copied: writing moves it. */
static enum store_err first_key(struct transaction *t, MDB_dbi dbi,
                                MDB_val from, struct schema_key *ret_key)
{
    MDB_cursor *cursor;
    MDB_val key = from, row;
    int rc = mdb_cursor_open(t->txn, dbi, &cursor);

    if (rc != 0)
        return store_from_mdb(rc);
    rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    if (rc != 0)
        return store_from_mdb(rc);
    if (key.mv_size > sizeof(ret_key->bytes))
        return STORE_CORRUPT;
    memcpy(ret_key->bytes, key.mv_data, key.mv_size);
    ret_key->len = key.mv_size;
    return STORE_OK;
}

/* ---- what has ended ------------------------------------------------------------ */

/* Its key in bans_by_end. */
static enum store_err first_ended(struct transaction *t, int64_t before_us,
                                  struct schema_key *ret_key)
{
    unsigned char least = 0;
    struct schema_key bound;

    const enum store_err err =
        first_key(t, t->e->db.bans_by_end, (MDB_val){1, &least}, ret_key);
    if (err != STORE_OK)
        return err;
    schema_end_key(before_us, slice_of(NULL, 0), &bound);
    if (ret_key->len <= bound.len)
        return STORE_CORRUPT;
    return memcmp(ret_key->bytes, bound.bytes, bound.len) < 0 ? STORE_OK
                                                              : STORE_NOTFOUND;
}

enum store_err ban_find_ended(struct transaction *t, int64_t before_us)
{
    struct schema_key ignored;

    return first_ended(t, before_us, &ignored);
}

enum store_err ban_remove_first_ended(struct transaction *t, int64_t before_us)
{
    const size_t time = 8; /* bytes of it in the key */
    struct slice tenant, room, banned;
    struct ban_keys keys;
    struct token *who;

    enum store_err err = first_ended(t, before_us, &keys.end);
    if (err != STORE_OK)
        return err;
    const MDB_val id = {keys.end.len - time, keys.end.bytes + time};
    if (!schema_split_ban(id, &tenant, &room, &banned))
        return STORE_CORRUPT;
    schema_pair_key(tenant, room, banned, &keys.id);
    schema_pair_key(tenant, banned, room, &keys.of);
    err = account_of(t, tenant, &who);
    return err == STORE_OK ? drop_rows(t, who, &keys, true) : err;
}

/* ---- ends ---------------------------------------------------------------------- */

/* The ban of a key of `dbi`, which is bans or bans_of; what is no key of a ban goes
 * alone. */
static enum store_err drop_found(struct transaction *t, struct token *who,
                                 MDB_dbi dbi, const struct schema_key *key)
{
    struct slice tenant, room, banned;
    const MDB_val k = schema_val(key);
    const bool is_ban = dbi == t->e->db.bans
                            ? schema_split_ban(k, &tenant, &room, &banned)
                            : schema_split_ban_of(k, &tenant, &room, &banned);

    if (!is_ban)
        return drop(t, who, dbi, key);
    const enum store_err err = ban_remove(t, who, tenant, room, banned);
    /* Also if only the index had it. */
    return err == STORE_OK ? drop(t, who, dbi, key) : err;
}

static enum store_err erase_with(struct transaction *t, struct token *who,
                                 MDB_dbi dbi, const struct schema_key *prefix,
                                 unsigned *left)
{
    enum store_err err = STORE_OK;
    struct schema_key key;

    for (; err == STORE_OK && *left > 0; --*left) {
        err = first_key(t, dbi, schema_val(prefix), &key);
        if (err == STORE_NOTFOUND ||
            (err == STORE_OK &&
             (key.len < prefix->len ||
              memcmp(key.bytes, prefix->bytes, prefix->len) != 0)))
            return STORE_OK;
        if (err == STORE_OK)
            err = drop_found(t, who, dbi, &key);
    }
    return err;
}

enum store_err ban_erase_room(struct transaction *t, struct token *who,
                              struct slice tenant, struct slice room,
                              unsigned *left)
{
    struct schema_key prefix;

    schema_pair_key(tenant, room, slice_of(NULL, 0), &prefix);
    return erase_with(t, who, t->e->db.bans, &prefix, left);
}

enum store_err ban_erase_user(struct transaction *t, struct token *who,
                              struct slice tenant, struct slice user,
                              unsigned *left)
{
    struct schema_key prefix;

    schema_pair_key(tenant, user, slice_of(NULL, 0), &prefix);
    return erase_with(t, who, t->e->db.bans_of, &prefix, left);
}

enum store_err ban_erase_all(struct transaction *t, struct token *who,
                             struct slice tenant, unsigned *left)
{
    struct schema_key prefix;

    schema_tenant_key(tenant, slice_of(NULL, 0), &prefix);
    const enum store_err err =
        erase_with(t, who, t->e->db.bans, &prefix, left);
    return err == STORE_OK
               ? erase_with(t, who, t->e->db.bans_of, &prefix, left)
               : err;
}
