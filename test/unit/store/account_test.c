/* What tokens hold is exact whatever happened: random commands of every kind, with
 * refusals, expiry and restarts between, then everything is counted anew from the
 * rows (recount.h). And stores of versions that counted less are brought up to date. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/topic.h"
#include "store/write/account.h"
#include "test/unit/store/recount.h"
#include "test/unit/store/writing.h"

/* ---- chance ------------------------------------------------------------- */

static uint64_t state_of_chance;

static size_t chance(size_t below)
{
    /* xorshift64*: the same on every machine */
    state_of_chance ^= state_of_chance >> 12;
    state_of_chance ^= state_of_chance << 25;
    state_of_chance ^= state_of_chance >> 27;
    return (size_t)(state_of_chance * UINT64_C(2685821657736338717) >> 33) %
           below;
}

static char filler[70000];

static struct slice some(size_t below)
{
    return slice_of(filler, chance(below));
}

/* Mostly short, at times longer than a page, rarely very long. */
static struct slice some_bytes(void)
{
    const uint64_t kind = chance(20);

    return some(kind == 0 ? 20000 : kind < 4 ? 5000 : 200);
}

/* The tests are about what is in the store, not about what a power cut leaves. */
static void do_not_flush(struct writing *w)
{
    assert_int_equal(
        mdb_env_set_flags(store_env(w->store)->env, MDB_NOSYNC, 1), 0);
}

/* ---- random commands ---------------------------------------------------- */

#define CLIENTS 12
#define SESSION_IDS 6

struct random_client {
    char identity[600];
    size_t len;
    uint64_t number;
};

static const char *const names[] = {"alice", "bob", "carol", ""};
static struct random_client clients[CLIENTS];

static struct slice identity_of(const struct random_client *c)
{
    return slice_of(c->identity, c->len);
}

static void make_clients(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        struct random_client *c = &clients[i];
        const char *name = names[i % 4];
        const size_t id = i < 8 ? 5 + i : 420 + i; /* some have hashed keys */
        memcpy(c->identity, name, strlen(name) + 1);
        memset(c->identity + strlen(name) + 1, 'a' + (int)i, id);
        c->len = strlen(name) + 1 + id;
        c->number = 0;
    }
}

static const char *some_topic(void)
{
    static char topic[1000];
    const char *name = names[chance(4)];

    if (*name == '\0')
        snprintf(topic, sizeof(topic), "/nobody/%d", (int)chance(3));
    else if (chance(8) == 0) /* a hashed key */
        snprintf(topic, sizeof(topic), "%s//%0450d", name, (int)chance(2));
    else
        snprintf(topic, sizeof(topic), "%s/%d", name, (int)chance(5));
    return topic;
}

static void random_append(struct writing *w)
{
    struct sent *s = new_append(some_topic(), "");
    struct message m = *s->c.message;
    char key[8];
    const struct random_client *c = &clients[chance(CLIENTS)];

    m.payload = chance(6) == 0 ? slice_of("", 0) : some_bytes();
    m.retain = chance(3) == 0;
    if (chance(4) == 0)
        m.user_properties = some_bytes();
    if (chance(8) == 0)
        m.correlation = some(300);
    struct message *before = s->c.message; /* m borrows its topic */
    s->c.message = message_new(&m);
    message_unref(before);
    if (chance(5) == 0) {
        snprintf(key, sizeof(key), "%d", (int)chance(50));
        s->c.idempotency = slice_str(key);
    }
    if (chance(5) == 0)
        ARGS(s, message_append)->mark =
            (struct session_mark){.number = chance(4) == 0 ? 99 : c->number,
                                  .identity = identity_of(c),
                                  .packet_id = (uint16_t)chance(SESSION_IDS)};
    ARGS(s, message_append)->uncharged = chance(4) == 0;
    run(w, s);
}

static void random_trim(struct writing *w)
{
    struct thing_row row;
    char topic[1000];

    snprintf(topic, sizeof(topic), "%s", some_topic());
    if (!thing_of(w, topic, &row) || row.count == 0)
        return;
    trim(w, topic,
         row.first_id + chance((size_t)(row.last_id - row.first_id + 1)));
}

static void random_change(struct writing *w)
{
    static char payload[6000];
    struct thing_row row;
    char topic[1000];
    const struct slice bytes = some_bytes();

    snprintf(topic, sizeof(topic), "%s", some_topic());
    if (!thing_of(w, topic, &row) || row.count == 0)
        return;
    const uint64_t id =
        row.first_id + chance((size_t)(row.last_id - row.first_id + 1));
    if (chance(12) == 0) {
        run(w, new_purge(topic, chance(2) == 0 ? id : 0));
        return;
    }
    memset(payload, 'x', sizeof(payload));
    payload[bytes.len < sizeof(payload) ? bytes.len : sizeof(payload) - 1] = 0;
    run(w, new_change(chance(3) == 0 ? MESSAGE_DELETE : MESSAGE_EDIT, topic,
                      id, payload));
}

static void random_open(struct writing *w)
{
    struct random_client *c = &clients[chance(CLIENTS)];
    const struct message will = {.topic = slice_str("alice/will"),
                                 .payload = some_bytes(),
                                 .user_properties = some(3000)};
    struct session_open open = {
        .identity = identity_of(c),
        .clean = chance(4) == 0,
        .expiry_s = (uint32_t)chance(3) * 100,
        .fresh_number = chance(UINT32_MAX) + 100,
        .will = chance(2) == 0 ? &will : NULL,
        .will_delay_s = 5,
    };
    struct sent *s = new_command(COMMAND_SESSION_OPEN);

    s->c.args = &open;
    if (run(w, s).result == RESULT_OK)
        c->number = open.number;
}

static struct slice some_filter(char *to, size_t size)
{
    const int n = (int)chance(6);

    if (n < 2)
        snprintf(to, size, "$share/g%d/alice/+", n);
    else if (n == 2)
        snprintf(to, size, "alice/%0430d", 0);
    else
        snprintf(to, size, "alice/%d/#", n);
    return slice_str(to);
}

static void random_save(struct writing *w)
{
    static uint32_t identifiers[2000];
    const struct random_client *c = &clients[chance(CLIENTS)];
    char filters[6][600];
    uint16_t forgotten[3], released[3];
    struct session_inflight entries[3];
    struct session_subscription subscriptions[3];
    struct slice removed[3];
    struct session_save save = {
        .identity = identity_of(c),
        .number = c->number,
        .has_position = chance(2) == 0,
        .position = chance(1000000),
        .forgotten = forgotten,
        .forgotten_count = chance(4),
        .entries = entries,
        .entry_count = chance(4),
        .released = released,
        .released_count = chance(4),
        .removed = removed,
        .removed_count = chance(4),
        .subscriptions = subscriptions,
        .subscription_count = chance(4),
        .ends = chance(5) == 0,
        .drops_will = chance(2) == 0,
        .expiry_s = (uint32_t)chance(3) * 50,
        .ended_us = clock_now(),
    };
    struct sent *s = new_command(COMMAND_SESSION_SAVE);

    for (size_t i = 0; i < 3; i++) {
        forgotten[i] = (uint16_t)(1 + chance(SESSION_IDS));
        released[i] = (uint16_t)(1 + chance(SESSION_IDS));
        entries[i] = (struct session_inflight){
            .packet_id = (uint16_t)(1 + chance(SESSION_IDS)),
            .log_id = 1 + chance(UINT32_MAX),
            .qos = 1,
            .identifier_count = (uint32_t)chance(20) == 0 ? 2000 : 1,
            .identifiers = identifiers};
        removed[i] = some_filter(filters[i], sizeof(filters[i]));
        subscriptions[i] = (struct session_subscription){
            .filter = some_filter(filters[3 + i], sizeof(filters[i])),
            .since_id = chance(UINT32_MAX),
            .retained_as_of = chance(2)};
    }
    save.adds = chance(2) == 0;
    s->c.args = &save;
    run(w, s);
}

static void random_group_save(struct writing *w)
{
    static const char name[] = "alice\0g0\0alice/+";
    static uint64_t ids[3000];
    struct group_save save = {
        .name = slice_of(name, sizeof(name) - 1),
        .adds = chance(2) == 0,
        .position = chance(UINT32_MAX),
        .ids = ids,
        .id_count = chance(8) == 0 ? 3000 : chance(5),
    };
    struct sent *s = new_command(COMMAND_GROUP_SAVE);

    s->c.args = &save;
    run(w, s);
}

/* Earlier versions knew no changes. */
static bool with_changes = true;

static void random_command(struct writing *w)
{
    const uint64_t kind = chance(100);

    if (kind < 32)
        random_append(w);
    else if (kind < 40 && with_changes)
        random_change(w);
    else if (kind < 40)
        random_append(w);
    else if (kind < 48)
        random_trim(w);
    else if (kind < 63)
        random_open(w);
    else if (kind < 85)
        random_save(w);
    else if (kind < 90)
        random_group_save(w);
    else if (kind < 95)
        clock_advance((int64_t)chance(300) * SECOND);
    else if (kind == 95)
        clock_advance(25 * 3600 * SECOND); /* Idempotency-Keys are over */
    else if (kind == 96)
        revoke_token(w, "carol");
    else if (kind == 97)
        writing_restart(w), do_not_flush(w);
    else
        ping(w);
}

/* ---- the model ---------------------------------------------------------- */

static void play(uint64_t seed, uint64_t map_size)
{
    struct writing w;

    state_of_chance = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    make_clients();
    writing_open(&w, map_size);
    writing_stop(&w);
    w.config.limits_token_share = 60;
    writing_plan(&w, "paid")->retention_count = 40;
    writing_plan(&w, "paid")->session_bytes_max = 100000;
    writing_plan(&w, "paid")->sessions_max = 3;
    writing_start(&w);
    do_not_flush(&w);
    create_token(&w, "alice", "paid");
    create_token(&w, "carol", "free");
    for (int round = 0; round < 15; round++) {
        for (int i = 0; i < 60; i++)
            random_command(&w);
        check_store(&w);
    }
    writing_close(&w);
}

static void what_tokens_hold_is_exact_whatever_happened(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        play(seed, 0);
}

static void also_where_everything_is_refused_now_and_then(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 106; seed++)
        play(seed, 1 << 20);
}

/* ---- stores of earlier versions ----------------------------------------- */

static size_t size_of_uint(uint64_t v)
{
    return v < 128 ? 1 : v < 256 ? 2 : v < 65536 ? 3 : v >> 32 == 0 ? 5 : 9;
}

/* The row without its last elements, which were not there then. */
static void shorten(struct transaction *t, MDB_dbi dbi, unsigned elements,
                    size_t (*size_of_rest)(MDB_val k, MDB_val v))
{
    MDB_cursor *cursor;
    MDB_val k, v;
    char row[4096], key[512];

    assert_int_equal(mdb_cursor_open(t->txn, dbi, &cursor), 0);
    while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
        if ((*(const unsigned char *)v.mv_data & 0xf) == elements)
            continue; /* not touched since the last time */
        const size_t len = v.mv_size - size_of_rest(k, v);
        memcpy(row, v.mv_data, len);
        memcpy(key, k.mv_data, k.mv_size); /* the put moves it */
        k.mv_data = key;
        row[0] = (char)(0x90 | elements);
        v = (MDB_val){len, row};
        assert_int_equal(mdb_cursor_put(cursor, &k, &v, MDB_CURRENT), 0);
    }
    mdb_cursor_close(cursor);
}

static size_t rest_of_thing(MDB_val k, MDB_val v)
{
    struct thing_state t;

    assert_true(schema_get_thing(k, v, &t));
    return size_of_uint(t.stored) + size_of_uint(t.open.stored);
}

static size_t rest_of_chunk(MDB_val k, MDB_val v)
{
    struct chunk_row c;

    (void)k;
    assert_true(schema_get_chunk(v, &c));
    return size_of_uint(c.stored);
}

static size_t rest_of_usage(MDB_val k, MDB_val v)
{
    struct usage_row u;

    (void)k;
    assert_true(schema_get_usage(v, &u));
    return size_of_uint(u.session_bytes);
}

static void make_it_old(struct writing *w)
{
    struct store *st;
    const struct store_opts opts = {.map_size = w->map_size};
    struct transaction t = {0};
    MDB_val k = {sizeof(META_COUNTED) - 1, (void *)META_COUNTED};

    writing_stop(w);
    assert_int_equal(store_open(w->dir, &opts, &st, NULL), STORE_OK);
    t.e = store_env(st);
    assert_int_equal(mdb_txn_begin(t.e->env, NULL, 0, &t.txn), 0);
    shorten(&t, t.e->db.things, 13, rest_of_thing);
    shorten(&t, t.e->db.chunks, 5, rest_of_chunk);
    shorten(&t, t.e->db.usage, 8, rest_of_usage);
    /* Their keys were nobody's. */
    assert_int_equal(mdb_drop(t.txn, t.e->db.idempotency, 0), 0);
    assert_int_equal(mdb_drop(t.txn, t.e->db.idempotency_by_time, 0), 0);
    assert_int_equal(mdb_del(t.txn, t.e->db.meta, &k, NULL), 0);
    assert_int_equal(mdb_txn_commit(t.txn), 0);
    store_close(st);
    writing_start(w);
    do_not_flush(w);
}

static void a_store_of_an_earlier_version_is_counted_once(void **state)
{
    struct writing w;
    (void)state;

    with_changes = false;
    state_of_chance = 4711;
    make_clients();
    writing_open(&w, 0);
    do_not_flush(&w);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++)
            random_command(&w);
        check_store(&w);
        make_it_old(&w);
        check_store(&w);
        /* What was there before and what comes now, in one chunk or not. */
        for (int i = 0; i < 5; i++) {
            for (int j = 0; j < 40; j++)
                random_command(&w);
            check_store(&w);
        }
    }
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_tokens_hold_is_exact_whatever_happened),
        cmocka_unit_test(also_where_everything_is_refused_now_and_then),
        cmocka_unit_test(a_store_of_an_earlier_version_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
