#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/name_hash.h"
#include "base/vocabulary.h"
#include "store/env/check_pages.h"
#include "store/read/reader.h"

#define SNAPSHOT_ATTEMPTS 100
#define TREES_MAX 64 /* databases, those of later versions included */

/* What a things row says, and what was found in the other databases. */
struct found_thing {
    UT_hash_handle hh;
    struct thing_state state;
    bool trims; /* hidden entries are still to be deleted */
    uint64_t count, bytes;
    uint64_t changes;           /* entries of changes of its messages */
    uint64_t in_log, in_chunks; /* sums over (id, seq): equal if log and chunks
                                   have the same messages, in any order */
    size_t key_len;
    unsigned char key[];
};

struct found_session {
    UT_hash_handle hh;
    uint64_t number;
    bool has_will, will_found;
};

struct found_token {
    UT_hash_handle hh;
    uint64_t things;
    size_t name_len;
    char name[];
};

struct check {
    struct store_check *c;
    struct page_walk walk;
    struct page_tree trees[TREES_MAX];
    size_t tree_count;
    struct found_thing *things;
    struct found_session *sessions;
    struct found_token *tokens;
    uint64_t keys, keys_that_end, keys_of_tenants, ends_of_keys;
    uint64_t named_users, user_names, members, rooms_of_users;
    uint64_t bans, bans_that_end, bans_of, ends_of_bans;
    uint64_t change_rows,
        changes; /* rows there are, and that there should be */
    uint64_t last_id;
    bool no_memory;
};

__attribute__((format(printf, 2, 3))) static void problem(struct check *k,
                                                          const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (k->c->problems++ >= CHECK_PROBLEMS_MAX)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    k->c->problem(k->c->arg, text);
}

static void page_problem(void *arg, const char *text)
{
    problem(arg, "%s", text);
}

static void page_progress(void *arg, uint64_t pages)
{
    struct check *k = arg;

    if (k->c->progress != NULL)
        k->c->progress(k->c->arg, pages, k->walk.page_count);
}

/* A number for each (id, seq); different sets have different sums. */
static uint64_t hash_entry(uint64_t id, uint64_t seq)
{
    uint64_t x = id * UINT64_C(0x9E3779B97F4A7C15) ^ seq;

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* ---- things --------------------------------------------------------------- */

static struct found_thing *find_thing(struct check *k, const void *key,
                                      size_t len)
{
    struct found_thing *t;

    HASH_FIND(hh, k->things, key, len, t);
    return t;
}

/* The token of a `tokens` row, or of a topic, which begins with it. */
static struct found_token *token_of(struct check *k, struct slice name)
{
    struct found_token *t;

    HASH_FIND(hh, k->tokens, name.data, name.len, t);
    if (t != NULL)
        return t;
    t = calloc(1, sizeof(*t) + name.len);
    if (t != NULL) {
        t->name_len = name.len;
        memcpy(t->name, name.data, name.len);
        HASH_ADD_KEYPTR(hh, k->tokens, t->name, t->name_len, t);
    }
    if (t == NULL || t->hh.tbl == NULL) {
        free(t);
        k->no_memory = true;
        return NULL;
    }
    return t;
}

static void check_thing(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct thing_state state;
    struct slice token, thing;

    k->c->things++;
    if (!schema_get_thing(key, v, &state)) {
        problem(k, "things: row %" PRIu64 " is damaged", k->c->things);
        return;
    }
    if (topic_split(state.row.topic, &token, &thing)) {
        struct found_token *owner = token_of(k, token);
        if (owner != NULL)
            owner->things++;
    }
    struct found_thing *t = calloc(1, sizeof(*t) + key.mv_size);
    if (t == NULL) {
        k->no_memory = true;
        return;
    }
    t->state = state;
    t->key_len = key.mv_size;
    memcpy(t->key, key.mv_data, key.mv_size);
    for (unsigned i = 0; i < state.open.count; i++)
        t->in_chunks +=
            hash_entry(state.open.ids[i], state.open.first_seq + i);
    HASH_ADD_KEYPTR(hh, k->things, t->key, t->key_len, t);
    if (t->hh.tbl == NULL) {
        free(t);
        k->no_memory = true;
    }
}

static void check_trim(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct found_thing *t = find_thing(k, key.mv_data, key.mv_size);
    struct slice topic;

    if (!schema_get_trim(v, &topic))
        problem(k, "trims: a row is damaged");
    else if (t == NULL)
        problem(k, "trims: a row for a thing that does not exist");
    if (t != NULL)
        t->trims = true;
}

static void check_chunk(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct chunk_row c;
    struct schema_key expected;

    if (!schema_get_chunk(v, &c)) {
        problem(k, "chunks: a row is damaged");
        return;
    }
    /* The key ends with NUL and the first id. */
    const size_t suffix = 1 + sizeof(uint64_t);
    struct found_thing *t =
        key.mv_size <= suffix
            ? NULL
            : find_thing(k, key.mv_data, key.mv_size - suffix);
    if (t == NULL) {
        problem(k, "chunks: a row for a thing that does not exist");
        return;
    }
    schema_chunk_key(t->state.row.topic, c.ids[0], &expected);
    if (t->key_len <= SCHEMA_KEY_MAX && t->state.row.topic.data != NULL &&
        memcmp((const char *)key.mv_data + key.mv_size - sizeof(uint64_t),
               expected.bytes + expected.len - sizeof(uint64_t),
               sizeof(uint64_t)) != 0)
        problem(k, "chunks: the key of the row with id %" PRIu64 " differs",
                c.ids[0]);
    for (unsigned i = 0; i < c.count; i++)
        if (t->state.row.count > 0 && c.ids[i] >= t->state.row.first_id)
            t->in_chunks += hash_entry(c.ids[i], c.first_seq + i);
}

/* ---- the log ---------------------------------------------------------------- */

static void check_change_entry(struct check *k, const struct message *m,
                               struct found_thing *t)
{
    if (m->about == 0)
        return;
    k->changes += m->kind == MESSAGE_PURGE ? 2 : 1;
    if (m->kind == MESSAGE_PURGE)
        return;
    if (t == NULL)
        problem(k,
                "log: entry %" PRIu64 " is about a thing that does not exist",
                m->id);
    else
        t->changes++;
}

static void check_change_row(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    (void)key, (void)v;

    k->change_rows++;
}

static void check_entry(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct schema_key name;
    struct record record;
    uint64_t id;

    k->c->entries++;
    if (key.mv_size != sizeof(id)) {
        problem(k, "log: a key is damaged");
        return;
    }
    memcpy(&id, key.mv_data, sizeof(id));
    k->last_id = id;
    if (!schema_get_record(v, id, &record)) {
        problem(k, "log: entry %" PRIu64 " is damaged", id);
        return;
    }
    if (!schema_record_is_checked(v))
        k->c->unchecked++;
    schema_name_key(record.m.topic, &name);
    struct found_thing *t = find_thing(k, name.bytes, name.len);
    if (record.m.kind != MESSAGE_MESSAGE) {
        check_change_entry(k, &record.m, t);
        return;
    }
    if (t == NULL) {
        problem(k, "log: entry %" PRIu64 " is of a thing that does not exist",
                id);
        return;
    }
    if (t->state.row.count == 0 || id < t->state.row.first_id) {
        if (!t->trims && id > t->state.row.trimmed_id)
            problem(k,
                    "log: entry %" PRIu64
                    " is outside the history of its thing",
                    id);
        return;
    }
    t->count++;
    t->bytes += record.m.payload.len;
    t->in_log += hash_entry(id, record.m.seq);
}

static void compare_things(struct check *k)
{
    struct found_thing *t, *next;

    HASH_ITER (hh, k->things, t, next) {
        const struct thing_row *row = &t->state.row;
        const int shown = t->key_len < 200 ? (int)t->key_len : 200;
        const char *slash = memchr(t->key, '/', t->key_len);
        const int skip = slash == NULL ? 0 : (int)(slash - (char *)t->key);
        if (t->changes != t->state.changes)
            problem(k,
                    "things: …%.*s has %" PRIu64
                    " entries of changes in the log instead of %" PRIu64,
                    shown - skip, (const char *)t->key + skip, t->changes,
                    t->state.changes);
        if (t->count != row->count || t->bytes != row->bytes)
            problem(k,
                    "things: …%.*s has %" PRIu64 " messages of %" PRIu64
                    " bytes in the log instead of %" PRIu64 " of %" PRIu64,
                    shown - skip, (const char *)t->key + skip, t->count,
                    t->bytes, row->count, row->bytes);
        else if (t->in_log != t->in_chunks)
            problem(k, "things: …%.*s: chunks and log disagree", shown - skip,
                    (const char *)t->key + skip);
    }
}

/* ---- everything else -------------------------------------------------------- */

static void check_retained(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct record copy;
    struct slice topic;
    bool has_copy;
    uint64_t id;

    if (!schema_get_retained(key, v, &topic, &id, &has_copy, &copy))
        problem(k, "retained: a row is damaged");
}

static void check_token(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct token_row row;

    k->c->tokens++;
    if (!schema_get_token(key, v, &row))
        problem(k, "tokens: a row is damaged");
}

static void check_tenant(void *arg, MDB_val key, MDB_val v)
{
    struct tenant_settings settings;
    (void)key;

    if (!schema_get_settings(v, &settings))
        problem(arg, "tenants: a row is damaged");
}

static void check_key(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct key_row row;

    if (!schema_get_key(key, v, &row)) {
        problem(k, "keys: a row is damaged");
        return;
    }
    k->keys++;
    k->keys_that_end += row.expires_us != 0;
}

static void check_key_of_tenant(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    (void)key, (void)v;

    k->keys_of_tenants++;
}

static void check_end_of_key(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    (void)key, (void)v;

    k->ends_of_keys++;
}

static void compare_keys(struct check *k)
{
    if (k->keys != k->keys_of_tenants)
        problem(k, "keys: %" PRIu64 " rows, but keys_by_tenant has %" PRIu64,
                k->keys, k->keys_of_tenants);
    if (k->keys_that_end != k->ends_of_keys)
        problem(k, "keys: %" PRIu64 " expire, but keys_by_end has %" PRIu64,
                k->keys_that_end, k->ends_of_keys);
}

static void check_user(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct user_row row;

    if (!schema_get_user(key, v, &row))
        problem(k, "users: a row is damaged");
    else
        k->named_users += row.name.len > 0;
}

static void check_user_name(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct slice user;
    (void)key;

    if (!schema_get_user_name(v, &user))
        problem(k, "users_by_name: a row is damaged");
    k->user_names++;
}

static void check_room(void *arg, MDB_val key, MDB_val v)
{
    struct room_row row;

    if (!schema_get_room(key, v, &row))
        problem(arg, "rooms: a row is damaged");
}

static void check_member(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct member_row row;

    if (!schema_get_member(key, v, &row))
        problem(k, "members: a row is damaged");
    k->members++;
}

static void check_room_of(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct slice user, room;
    (void)v;

    if (!schema_split_pair(key, &user, &room))
        problem(k, "rooms_of: a row is damaged");
    k->rooms_of_users++;
}

static void check_ban(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct ban_row row;

    if (!schema_get_ban(key, v, &row))
        problem(k, "bans: a row is damaged");
    else
        k->bans_that_end += row.until_us != 0;
    k->bans++;
}

static void check_ban_of(void *arg, MDB_val key, MDB_val v)
{
    struct slice tenant, room, who;
    struct check *k = arg;
    (void)v;

    if (!schema_split_ban_of(key, &tenant, &room, &who))
        problem(k, "bans_of: a row is damaged");
    k->bans_of++;
}

static void check_end_of_ban(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    (void)key, (void)v;

    k->ends_of_bans++;
}

static void compare_bans(struct check *k)
{
    if (k->bans != k->bans_of)
        problem(k, "bans: %" PRIu64 " rows, but bans_of has %" PRIu64, k->bans,
                k->bans_of);
    if (k->bans_that_end != k->ends_of_bans)
        problem(k, "bans: %" PRIu64 " end, but bans_by_end has %" PRIu64,
                k->bans_that_end, k->ends_of_bans);
}

static void compare_people(struct check *k)
{
    if (k->named_users != k->user_names)
        problem(k,
                "users: %" PRIu64
                " have names, but users_by_name has %" PRIu64,
                k->named_users, k->user_names);
    if (k->members != k->rooms_of_users)
        problem(k, "members: %" PRIu64 " rows, but rooms_of has %" PRIu64,
                k->members, k->rooms_of_users);
}

static void check_webhook(void *arg, MDB_val key, MDB_val v)
{
    struct webhook_row row;

    if (!schema_get_webhook(key, v, &row))
        problem(arg, "webhooks: a row is damaged");
}

static void check_webhook_dead(void *arg, MDB_val key, MDB_val v)
{
    struct webhook_dead_row row;

    if (!schema_get_webhook_dead(key, v, &row))
        problem(arg, "webhooks_dead: a row is damaged");
}

static void check_usage(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct usage_row usage;
    struct found_token *t;

    HASH_FIND(hh, k->tokens, key.mv_data, key.mv_size, t);
    if (!schema_get_usage(v, &usage))
        problem(k, "usage: a row is damaged");
    else if (usage.things != (t == NULL ? 0 : t->things))
        problem(k,
                "usage: a token counts %" PRIu64 " things instead of %" PRIu64,
                usage.things, t == NULL ? 0 : t->things);
}

static void check_session(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct session_row row;

    k->c->sessions++;
    if (!schema_get_session(key, v, &row)) {
        problem(k, "sessions: a row is damaged");
        return;
    }
    struct found_session *s = calloc(1, sizeof(*s));
    if (s != NULL) {
        s->number = row.number;
        s->has_will = row.has_will;
        HASH_ADD(hh, k->sessions, number, sizeof(s->number), s);
    }
    if (s == NULL || s->hh.tbl == NULL) {
        free(s);
        k->no_memory = true;
    }
}

/* The session of a row whose key begins with the session's number, big-endian. */
static struct found_session *session_of(struct check *k, MDB_val key)
{
    const unsigned char *at = key.mv_data;
    struct found_session *s = NULL;
    uint64_t number = 0;

    if (key.mv_size < sizeof(number))
        return NULL;
    for (size_t i = 0; i < sizeof(number); i++)
        number = number << 8 | at[i];
    HASH_FIND(hh, k->sessions, &number, sizeof(number), s);
    return s;
}

static void check_subscription(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct session_subscription row;

    if (!schema_get_subscription(key, v, &row))
        problem(k, "subscriptions: a row is damaged");
    else if (session_of(k, key) == NULL)
        problem(k, "subscriptions: a row of a session that does not exist");
}

static void check_inflight(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct session_inflight row;

    if (!schema_get_inflight(key, v, &row))
        problem(k, "inflight: a row is damaged");
    else if (session_of(k, key) == NULL)
        problem(k, "inflight: a row of a session that does not exist");
}

static void check_will(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    struct found_session *s = session_of(k, key);
    struct record row;

    if (!schema_get_record(v, 0, &row))
        problem(k, "wills: a row is damaged");
    else if (s == NULL)
        problem(k, "wills: a row of a session that does not exist");
    if (s != NULL)
        s->will_found = true;
}

static void compare_sessions(struct check *k)
{
    struct found_session *s, *next;

    HASH_ITER (hh, k->sessions, s, next)
        if (s->has_will && !s->will_found)
            problem(k, "wills: the will of session %016" PRIx64 " is missing",
                    s->number);
}

static void check_group(void *arg, MDB_val key, MDB_val v)
{
    struct group_row row;

    if (!schema_get_group(key, v, &row))
        problem(arg, "groups: a row is damaged");
}

static void check_number(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    uint64_t number;

    if (!schema_get_number(v, &number))
        problem(k, "meta: row '%.*s' is damaged", (int)key.mv_size,
                (const char *)key.mv_data);
    else if (key.mv_size == strlen(META_FORMAT) &&
             memcmp(key.mv_data, META_FORMAT, key.mv_size) == 0 &&
             number > SCHEMA_FORMAT)
        problem(k, "the store was written by a newer version of Confab");
}

/* For operations, idempotency keys and databases of later versions: the walk checks
 * their pages. */
static void check_nothing(void *arg, MDB_val key, MDB_val v)
{
    (void)arg, (void)key, (void)v;
}

/* ---- the whole store ----------------------------------------------------------- */

static void add_tree(void *arg, MDB_val key, MDB_val v)
{
    struct check *k = arg;
    const size_t room = sizeof(k->trees) / sizeof(k->trees[0]);

    if (k->tree_count == room ||
        !page_walk_named(key, v, &k->trees[k->tree_count]))
        problem(k, "names: a row is damaged");
    else
        k->tree_count++;
}

/* In this order, because later databases are compared with earlier ones. */
static const struct {
    const char *name;
    void (*row)(void *arg, MDB_val key, MDB_val value);
    bool may_miss; /* in stores of earlier versions */
} steps[] = {
    {"things", check_thing, false},
    {"trims", check_trim, false},
    {"chunks", check_chunk, false},
    {"log", check_entry, false},
    {"changes", check_change_row, true},
    {"retained", check_retained, false},
    {"tokens", check_token, false},
    {"usage", check_usage, false},
    {"tenants", check_tenant, true},
    {"keys", check_key, true},
    {"keys_by_tenant", check_key_of_tenant, true},
    {"keys_by_end", check_end_of_key, true},
    {"users", check_user, true},
    {"users_by_name", check_user_name, true},
    {"rooms", check_room, true},
    {"members", check_member, true},
    {"rooms_of", check_room_of, true},
    {"bans", check_ban, true},
    {"bans_of", check_ban_of, true},
    {"bans_by_end", check_end_of_ban, true},
    {"webhooks", check_webhook, true},
    {"webhooks_dead", check_webhook_dead, true},
    {"sessions", check_session, false},
    {"subscriptions", check_subscription, false},
    {"inflight", check_inflight, false},
    {"wills", check_will, false},
    {"groups", check_group, false},
    {"meta", check_number, false},
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void walk_trees(struct check *k)
{
    bool done[TREES_MAX] = {false};

    page_walk_free_list(&k->walk);
    page_walk_tree(&k->walk, &k->walk.names, add_tree, k);
    for (size_t s = 0; s < STEPS; s++) {
        size_t i = 0;
        while (i < k->tree_count &&
               strcmp(k->trees[i].name, steps[s].name) != 0)
            i++;
        if (i == k->tree_count && steps[s].may_miss)
            continue;
        if (i == k->tree_count) {
            problem(k, "%s: the database is missing", steps[s].name);
            continue;
        }
        done[i] = true;
        page_walk_tree(&k->walk, &k->trees[i], steps[s].row, k);
    }
    for (size_t i = 0; i < k->tree_count; i++)
        if (!done[i])
            page_walk_tree(&k->walk, &k->trees[i], check_nothing, k);
    compare_things(k);
    if (k->changes != k->change_rows)
        problem(k, "changes: %" PRIu64 " rows instead of %" PRIu64,
                k->change_rows, k->changes);
    compare_sessions(k);
    compare_keys(k);
    compare_people(k);
    compare_bans(k);
}

static void free_check(struct check *k)
{
    struct found_thing *t, *next_thing;
    struct found_session *s, *next_session;
    struct found_token *o, *next_token;

    HASH_ITER (hh, k->things, t, next_thing) {
        HASH_DEL(k->things, t);
        free(t);
    }
    HASH_ITER (hh, k->sessions, s, next_session) {
        HASH_DEL(k->sessions, s);
        free(s);
    }
    HASH_ITER (hh, k->tokens, o, next_token) {
        HASH_DEL(k->tokens, o);
        free(o);
    }
    page_walk_end(&k->walk);
}

/* true: nobody writes here, and nobody can begin to while *ret_fd is open. A folder
 * without a lock file is a copy. */
static bool nobody_writes(int dir_fd, int *ret_fd)
{
    *ret_fd = openat(dir_fd, LOCK_NAME, O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 || flock(*ret_fd, LOCK_SH | LOCK_NB) == 0;
}

/* For a store in use: the snapshot keeps its pages from being reused, and the meta
 * page that leads to them is not overwritten before the second next commit. */
static bool begin_in_use(struct check *k, struct store *st, int fd,
                         struct store_reader **ret_reader)
{
    for (int i = 0; i < SNAPSHOT_ATTEMPTS; i++) {
        struct store_reader *r;
        if (store_snapshot(st, &r) != STORE_OK)
            return false;
        if (page_walk_begin(&k->walk, fd, mdb_txn_id(r->txn))) {
            *ret_reader = r;
            return true;
        }
        page_walk_end(&k->walk);
        store_reader_release(r);
    }
    return false;
}

static enum store_err check_file(struct check *k, int fd, const char *dir,
                                 bool in_use)
{
    const struct store_opts opts = {.read_only = true};
    struct store *st = NULL;
    struct store_reader *r = NULL;
    enum store_err err = STORE_OK;
    bool good;

    if (in_use)
        err = store_open(dir, &opts, &st, NULL);
    if (err != STORE_OK)
        return err;
    good = in_use ? begin_in_use(k, st, fd, &r)
                  : page_walk_begin(&k->walk, fd, 0);
    if (good)
        walk_trees(k);
    else if (in_use && k->c->problems == 0)
        err = STORE_IO;
    k->c->pages = k->walk.pages_read;
    free_check(k);
    if (r != NULL)
        store_reader_release(r);
    store_close(st);
    return k->no_memory ? STORE_NOMEM : err;
}

enum store_err store_check(const char *dir, struct store_check *c,
                           int *ret_detail)
{
    struct check k = {.c = c};
    enum store_err err;
    int lock_fd = -1;

    k.walk.problem = page_problem;
    k.walk.progress = page_progress;
    k.walk.arg = &k;
    *ret_detail = 0;
    const int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int fd =
        dir_fd < 0 ? -1 : openat(dir_fd, "data.mdb", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *ret_detail = errno;
        err = errno == ENOENT ? STORE_NOTFOUND : STORE_ACCESS;
    } else {
        const bool idle = nobody_writes(dir_fd, &lock_fd);
        err = check_file(&k, fd, dir, !idle);
    }
    if (lock_fd >= 0)
        close(lock_fd);
    if (fd >= 0)
        close(fd);
    if (dir_fd >= 0)
        close(dir_fd);
    return err;
}
