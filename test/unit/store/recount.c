#include "test/unit/store/recount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/write/account.h"

struct held {
    UT_hash_handle hh;
    size_t len;
    char name[TOKEN_MAX];
    struct usage_row usage; /* without the window */
};

struct part_owner { /* of a session's parts */
    UT_hash_handle hh;
    unsigned char number[8];
    struct held *held;
};

struct recount {
    struct store_env *e;
    MDB_txn *txn;
    uint64_t plain_through;
    struct held *all;
    struct part_owner *owners;
    uint64_t keys, ending, names, members, dead;
    uint64_t bans, bans_ending;
    uint64_t changes, purges, changes_of_things;
};

static struct held *held_by(struct recount *c, struct slice name)
{
    struct held *h;

    if (!token_valid(name))
        name = ACCOUNT_NOBODY;
    HASH_FIND(hh, c->all, name.data, name.len, h);
    if (h != NULL)
        return h;
    h = calloc(1, sizeof(*h));
    assert_non_null(h);
    memcpy(h->name, name.data, name.len);
    h->len = name.len;
    HASH_ADD_KEYPTR(hh, c->all, h->name, h->len, h);
    return h;
}

static struct held *held_under(struct recount *c, struct slice topic)
{
    struct slice token, thing;

    return held_by(c, topic_split(topic, &token, &thing) ? token
                                                         : slice_of("", 0));
}

static uint64_t row_cost(MDB_val k, MDB_val v)
{
    return account_row_cost(k.mv_size, v.mv_size);
}

static void each(struct recount *c, MDB_dbi dbi,
                 void (*see)(struct recount *c, MDB_val k, MDB_val v))
{
    MDB_cursor *cursor;
    MDB_val k, v;

    assert_int_equal(mdb_cursor_open(c->txn, dbi, &cursor), 0);
    while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0)
        see(c, k, v);
    mdb_cursor_close(cursor);
}

static void see_record(struct recount *c, MDB_val k, MDB_val v)
{
    struct thing_state thing;
    struct record record;
    uint64_t id;

    memcpy(&id, k.mv_data, sizeof(id));
    assert_true(schema_get_record(v, id, &record));
    const struct message *m = &record.m;
    const struct slice token = topic_first_level(m->topic);
    if (m->kind == MESSAGE_PURGE)
        held_under(c, m->topic)->usage.bytes += account_change_cost(token, m);
    c->purges += m->kind == MESSAGE_PURGE;
    c->changes += m->kind != MESSAGE_MESSAGE;
    if (m->kind != MESSAGE_MESSAGE)
        return; /* charged with its message */
    assert_int_equal(store_thing_in(c->e, c->txn, record.m.topic, &thing),
                     STORE_OK);
    if (thing.row.count == 0 || id < thing.row.first_id)
        return; /* hidden */
    held_under(c, record.m.topic)->usage.bytes +=
        id <= c->plain_through
            ? account_plain_cost(record.m.topic, 1, record.m.payload.len)
            : account_message_cost(&record.m);
    if (m->change_id != 0)
        held_under(c, m->topic)->usage.bytes += account_change_cost(token, m);
}

static void see_thing(struct recount *c, MDB_val k, MDB_val v)
{
    struct thing_state thing;

    assert_true(schema_get_thing(k, v, &thing));
    struct held *h = held_under(c, thing.row.topic);
    c->changes_of_things += thing.changes;
    h->usage.things++;
    h->usage.bytes += account_thing_cost(thing.row.topic);
}

static void see_retained(struct recount *c, MDB_val k, MDB_val v)
{
    struct record copy;
    struct slice topic;
    bool has_copy;
    uint64_t id;

    assert_true(schema_get_retained(k, v, &topic, &id, &has_copy, &copy));
    struct held *h = held_under(c, topic);
    h->usage.retained++;
    h->usage.bytes += row_cost(k, v);
}

/* [version, five numbers of 9 bytes, str 8 of the token] */
static void see_key(struct recount *c, MDB_val k, MDB_val v)
{
    const unsigned char *row = v.mv_data;

    (void)k;
    if (v.mv_size <= 47)
        return;
    const struct slice token = slice_of(row + 49, row[48]);
    held_by(c, token)->usage.bytes += account_key_cost(token);
}

static void see_tenant(struct recount *c, MDB_val k, MDB_val v)
{
    struct tenant_settings settings;

    assert_true(schema_get_settings(v, &settings));
    held_by(c, slice_of(k.mv_data, k.mv_size))->usage.bytes += row_cost(k, v);
}

static void see_webhook(struct recount *c, MDB_val k, MDB_val v)
{
    struct webhook_row row;

    assert_true(schema_get_webhook(k, v, &row));
    held_by(c, row.tenant)->usage.bytes += row_cost(k, v);
    c->dead += row.dead;
}

static void see_dead(struct recount *c, MDB_val k, MDB_val v)
{
    struct webhook_dead_row row;

    assert_true(schema_get_webhook_dead(k, v, &row));
    held_by(c, slice_of(k.mv_data, k.mv_size - 9))->usage.bytes +=
        row_cost(k, v);
}

/* A key, and what the indexes have of it. */
static void see_directory_key(struct recount *c, MDB_val k, MDB_val v)
{
    struct schema_key by_tenant;
    struct key_row row;
    MDB_val index, nothing;

    assert_true(schema_get_key(k, v, &row));
    struct held *h = held_by(c, row.tenant);
    h->usage.bytes += row_cost(k, v);
    schema_tenant_key(row.tenant, row.hash, &by_tenant);
    index = schema_val(&by_tenant);
    assert_int_equal(
        mdb_get(c->txn, c->e->db.keys_by_tenant, &index, &nothing), 0);
    h->usage.bytes += row_cost(index, nothing);
    if (row.expires_us != 0)
        h->usage.bytes += account_row_cost(8 + SECRET_HASH_BYTES, 0);
    c->keys++;
    c->ending += row.expires_us != 0;
}

static uint64_t rows_of(struct recount *c, MDB_dbi dbi)
{
    MDB_stat stat;

    assert_int_equal(mdb_stat(c->txn, dbi, &stat), 0);
    return stat.ms_entries;
}

/* The row of an index, which is there. */
static uint64_t index_cost(struct recount *c, MDB_dbi dbi,
                           const struct schema_key *key)
{
    MDB_val k = schema_val(key), v;

    assert_int_equal(mdb_get(c->txn, dbi, &k, &v), 0);
    return row_cost(k, v);
}

static void see_user(struct recount *c, MDB_val k, MDB_val v)
{
    struct schema_key index;
    struct user_row row;

    assert_true(schema_get_user(k, v, &row));
    struct held *h = held_by(c, row.tenant);
    h->usage.bytes += row_cost(k, v);
    if (row.name.len == 0)
        return;
    schema_tenant_key(row.tenant, row.name, &index);
    h->usage.bytes += index_cost(c, c->e->db.users_by_name, &index);
    c->names++;
}

/* Rows of `members` whose keys begin with the room's. */
static uint64_t members_of(struct recount *c, const struct room_row *room)
{
    struct schema_key prefix;
    uint64_t members = 0;
    MDB_cursor *cursor;
    MDB_val k, v;

    schema_pair_key(room->tenant, room->room, slice_of("", 0), &prefix);
    k = schema_val(&prefix);
    assert_int_equal(mdb_cursor_open(c->txn, c->e->db.members, &cursor), 0);
    for (int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
         rc == 0 && k.mv_size > prefix.len &&
         memcmp(k.mv_data, prefix.bytes, prefix.len) == 0;
         rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))
        members++;
    mdb_cursor_close(cursor);
    return members;
}

static void see_room(struct recount *c, MDB_val k, MDB_val v)
{
    struct room_row row;

    assert_true(schema_get_room(k, v, &row));
    held_by(c, row.tenant)->usage.bytes += row_cost(k, v);
    assert_int_equal(row.members, members_of(c, &row));
}

static void see_member(struct recount *c, MDB_val k, MDB_val v)
{
    struct schema_key reverse;
    struct member_row row;

    assert_true(schema_get_member(k, v, &row));
    schema_pair_key(row.tenant, row.user, row.room, &reverse);
    held_by(c, row.tenant)->usage.bytes +=
        row_cost(k, v) + index_cost(c, c->e->db.rooms_of, &reverse);
    c->members++;
}

static void see_ban(struct recount *c, MDB_val k, MDB_val v)
{
    struct schema_key of, end;
    struct ban_row row;

    assert_true(schema_get_ban(k, v, &row));
    schema_pair_key(row.tenant, row.who, row.room, &of);
    struct held *h = held_by(c, row.tenant);
    h->usage.bytes += row_cost(k, v) + index_cost(c, c->e->db.bans_of, &of);
    c->bans++;
    if (row.until_us == 0)
        return;
    schema_end_key(row.until_us, slice_of(k.mv_data, k.mv_size), &end);
    h->usage.bytes += index_cost(c, c->e->db.bans_by_end, &end);
    c->bans_ending++;
}

static void see_session(struct recount *c, MDB_val k, MDB_val v)
{
    struct session_row row;
    struct schema_key key;
    struct part_owner *o = calloc(1, sizeof(*o));

    assert_non_null(o);
    assert_true(schema_get_session(k, v, &row));
    o->held = held_by(c, session_token(row.identity));
    o->held->usage.sessions++;
    o->held->usage.session_bytes += row_cost(k, v);
    schema_part_key(row.number, &key);
    memcpy(o->number, key.bytes, sizeof(o->number));
    HASH_ADD(hh, c->owners, number, sizeof(o->number), o);
}

static void see_part(struct recount *c, MDB_val k, MDB_val v)
{
    struct part_owner *o;

    HASH_FIND(hh, c->owners, k.mv_data, sizeof(o->number), o);
    assert_non_null(o); /* else nothing would ever delete it */
    o->held->usage.session_bytes += row_cost(k, v);
}

/* What was given to its members for good. */
static uint64_t given_cost(struct recount *c, struct slice group)
{
    struct schema_key prefix;
    MDB_cursor *cursor;
    uint64_t bytes = 0, id;
    MDB_val k, v;

    schema_given_prefix(group, &prefix);
    k = schema_val(&prefix);
    assert_int_equal(mdb_cursor_open(c->txn, c->e->db.given, &cursor), 0);
    for (int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
         rc == 0 && schema_given_id(&prefix, k, &id);
         rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))
        bytes += row_cost(k, v);
    mdb_cursor_close(cursor);
    return bytes;
}

static void see_group(struct recount *c, MDB_val k, MDB_val v)
{
    struct group_row row;

    assert_true(schema_get_group(k, v, &row));
    held_by(c, session_token(row.name))->usage.session_bytes +=
        row_cost(k, v) + given_cost(c, row.name);
}

/* Names that hold something and those that say so: all are compared. */
static void see_usage(struct recount *c, MDB_val k, MDB_val v)
{
    struct usage_row usage;
    struct held *h = held_by(c, slice_of(k.mv_data, k.mv_size));

    assert_true(schema_get_usage(v, &usage));
    assert_int_equal(usage.bytes, h->usage.bytes);
    assert_int_equal(usage.things, h->usage.things);
    assert_int_equal(usage.retained, h->usage.retained);
    assert_int_equal(usage.sessions, h->usage.sessions);
    assert_int_equal(usage.session_bytes, h->usage.session_bytes);
    HASH_DEL(c->all, h);
    free(h);
}

static void read_plain(struct recount *c)
{
    MDB_val k = {sizeof(META_COUNTED) - 1, (void *)META_COUNTED}, v;

    assert_int_equal(mdb_get(c->txn, c->e->db.meta, &k, &v), 0);
    assert_true(schema_get_number(v, &c->plain_through));
}

void check_accounts(struct store *st)
{
    struct recount c = {.e = store_env(st)};
    struct part_owner *o, *next;

    assert_int_equal(mdb_txn_begin(c.e->env, NULL, MDB_RDONLY, &c.txn), 0);
    read_plain(&c);
    each(&c, c.e->db.log, see_record);
    each(&c, c.e->db.things, see_thing);
    assert_int_equal(rows_of(&c, c.e->db.changes), c.changes + c.purges);
    assert_int_equal(c.changes_of_things, c.changes - c.purges);
    each(&c, c.e->db.retained, see_retained);
    each(&c, c.e->db.idempotency, see_key);
    each(&c, c.e->db.tenants, see_tenant);
    each(&c, c.e->db.keys, see_directory_key);
    assert_int_equal(rows_of(&c, c.e->db.keys_by_tenant), c.keys);
    assert_int_equal(rows_of(&c, c.e->db.keys_by_end), c.ending);
    each(&c, c.e->db.users, see_user);
    assert_int_equal(rows_of(&c, c.e->db.users_by_name), c.names);
    each(&c, c.e->db.rooms, see_room);
    each(&c, c.e->db.members, see_member);
    assert_int_equal(rows_of(&c, c.e->db.rooms_of), c.members);
    each(&c, c.e->db.bans, see_ban);
    assert_int_equal(rows_of(&c, c.e->db.bans_of), c.bans);
    assert_int_equal(rows_of(&c, c.e->db.bans_by_end), c.bans_ending);
    each(&c, c.e->db.webhooks, see_webhook);
    each(&c, c.e->db.webhooks_dead, see_dead);
    assert_int_equal(rows_of(&c, c.e->db.webhooks_dead), c.dead);
    each(&c, c.e->db.sessions, see_session);
    each(&c, c.e->db.subscriptions, see_part);
    each(&c, c.e->db.inflight, see_part);
    each(&c, c.e->db.wills, see_part);
    each(&c, c.e->db.groups, see_group);
    each(&c, c.e->db.usage, see_usage);
    HASH_ITER (hh, c.owners, o, next) {
        HASH_DEL(c.owners, o);
        free(o);
    }
    if (c.all != NULL)
        fail_msg("%.*s holds something and has no usage row", (int)c.all->len,
                 c.all->name);
    mdb_txn_abort(c.txn);
}
