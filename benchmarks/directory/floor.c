#include "benchmarks/directory/floor.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "store/env/env.h"

#define TENANT "acme"
#define TREES 2 /* rows, and an index of them */
#define VALUE_MAX 1024
#define KEY_MAX 128

struct directory_floor {
    enum row_kind kind;
    MDB_env *env;
    MDB_txn *reading; /* renewed for each snapshot */
    MDB_dbi tree[TREES], tokens;
    size_t value_len[TREES], tenant_len;
    unsigned trees;
    unsigned char value[VALUE_MAX];
    unsigned long seen; /* so that rows are read, not only found */
};

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "bench_directory: floor: %s: %s\n", what,
            mdb_strerror(rc));
    exit(1);
}

/* ---- what the store's rows are ------------------------------------------------------ */

static size_t first_value(MDB_txn *txn, MDB_dbi dbi)
{
    MDB_cursor *cursor;
    MDB_val key, value;

    must(mdb_cursor_open(txn, dbi, &cursor), "open a cursor");
    must(mdb_cursor_get(cursor, &key, &value, MDB_FIRST), "read the store");
    mdb_cursor_close(cursor);
    if (value.mv_size > VALUE_MAX)
        must(MDB_BAD_VALSIZE, "the store's rows");
    return value.mv_size;
}

static void learn_lengths(struct directory_floor *f, struct store *like)
{
    const struct store_env *e = store_env(like);
    MDB_txn *txn;

    must(mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn), "read the store");
    f->trees = f->kind == ROOMS ? 1 : 2;
    switch (f->kind) {
    case KEYS:
        f->value_len[0] = first_value(txn, e->db.keys);
        f->value_len[1] = first_value(txn, e->db.keys_by_tenant);
        break;
    case USERS:
        f->value_len[0] = first_value(txn, e->db.users);
        f->value_len[1] = first_value(txn, e->db.users_by_name);
        break;
    case ROOMS: f->value_len[0] = first_value(txn, e->db.rooms); break;
    }
    f->tenant_len = first_value(txn, e->db.tokens);
    mdb_txn_abort(txn);
}

/* ---- opening ------------------------------------------------------------------------ */

static void open_trees(struct directory_floor *f)
{
    static const char *const names[TREES] = {"rows", "index"};
    MDB_txn *txn;

    must(mdb_txn_begin(f->env, NULL, 0, &txn), "begin");
    for (unsigned i = 0; i < f->trees; i++)
        must(mdb_dbi_open(txn, names[i], MDB_CREATE, &f->tree[i]), "open");
    must(mdb_dbi_open(txn, "tokens", MDB_CREATE, &f->tokens), "open");
    must(mdb_txn_commit(txn), "commit");
    must(mdb_txn_begin(f->env, NULL, MDB_RDONLY, &f->reading), "begin");
    mdb_txn_reset(f->reading);
}

struct directory_floor *directory_floor_open(const char *dir,
                                             struct store *like,
                                             enum row_kind kind)
{
    struct directory_floor *f = calloc(1, sizeof(*f));

    if (f == NULL)
        must(ENOMEM, "open");
    f->kind = kind;
    learn_lengths(f, like);
    must(mdb_env_create(&f->env), "open");
    must(mdb_env_set_maxdbs(f->env, TREES + 1), "open");
    must(mdb_env_set_mapsize(f->env, (size_t)4 << 30), "open");
    must(mdb_env_open(f->env, dir, MDB_NOTLS, 0600), "open");
    open_trees(f);
    return f;
}

void directory_floor_close(struct directory_floor *f)
{
    mdb_txn_abort(f->reading);
    mdb_env_close(f->env);
    free(f);
}

/* ---- keys --------------------------------------------------------------------------- */

static MDB_val behind_tenant(const void *data, size_t len,
                             unsigned char room[KEY_MAX])
{
    memcpy(room, TENANT, sizeof(TENANT)); /* with its NUL */
    memcpy(room + sizeof(TENANT), data, len);
    return (MDB_val){sizeof(TENANT) + len, room};
}

/* A key's row stands below its hash; all else below the tenant. */
static MDB_val key_in(const struct directory_floor *f, unsigned tree,
                      const struct floor_name *name,
                      unsigned char room[KEY_MAX])
{
    if (f->kind != KEYS)
        return behind_tenant(name->id, strlen(name->id), room);
    if (tree > 0)
        return behind_tenant(name->hash, SECRET_HASH_BYTES, room);
    return (MDB_val){SECRET_HASH_BYTES, (void *)name->hash};
}

/* ---- operations --------------------------------------------------------------------- */

static void put_row(struct directory_floor *f, MDB_txn *txn,
                    const struct floor_name *name)
{
    unsigned char room[KEY_MAX];

    for (unsigned i = 0; i < f->trees; i++) {
        MDB_val key = key_in(f, i, name, room);
        MDB_val value = {f->value_len[i], f->value};
        must(mdb_put(txn, f->tree[i], &key, &value, MDB_NOOVERWRITE), "put");
    }
}

void directory_floor_create(struct directory_floor *f,
                            const struct floor_name *names, size_t count)
{
    MDB_val key = {sizeof(TENANT) - 1, TENANT};
    MDB_val tenant = {f->tenant_len, f->value};
    MDB_txn *txn;

    must(mdb_txn_begin(f->env, NULL, 0, &txn), "begin");
    for (size_t i = 0; i < count; i++)
        put_row(f, txn, &names[i]);
    must(mdb_put(txn, f->tokens, &key, &tenant, 0), "put");
    must(mdb_txn_commit(txn), "commit");
}

static void see(struct directory_floor *f, MDB_val value)
{
    const unsigned char *bytes = value.mv_data;

    if (value.mv_size > 0)
        f->seen += bytes[0] + bytes[value.mv_size - 1];
}

void directory_floor_look_up(struct directory_floor *f,
                             const struct floor_name *name)
{
    unsigned char room[KEY_MAX];
    MDB_val key = key_in(f, 0, name, room), value;

    must(mdb_txn_renew(f->reading), "read");
    must(mdb_get(f->reading, f->tree[0], &key, &value), "look up");
    see(f, value);
    mdb_txn_reset(f->reading);
}

/* The row that a listing shows: of keys the index leads to it. */
static void see_listed(struct directory_floor *f, MDB_val key, MDB_val value)
{
    if (f->kind == KEYS) {
        MDB_val hash = {SECRET_HASH_BYTES,
                        (char *)key.mv_data + sizeof(TENANT)};
        must(mdb_get(f->reading, f->tree[0], &hash, &value), "list");
    }
    see(f, value);
}

void directory_floor_page(struct directory_floor *f,
                          const struct floor_name *name, unsigned rows)
{
    const unsigned tree = f->kind == KEYS ? 1 : 0;
    unsigned char room[KEY_MAX];
    MDB_val key = key_in(f, tree, name, room), value;
    MDB_cursor *cursor;

    must(mdb_txn_renew(f->reading), "read");
    must(mdb_cursor_open(f->reading, f->tree[tree], &cursor), "list");
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (unsigned n = 0; n < rows && rc == 0; n++) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        if (rc == MDB_NOTFOUND)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
        if (rc == 0)
            see_listed(f, key, value);
    }
    must(rc, "list");
    mdb_cursor_close(cursor);
    mdb_txn_reset(f->reading);
}
