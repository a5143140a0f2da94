/* A store filled by every kind of row, in random order, until everything is refused.
 * What frees space must then go on, and writing come back with it: also while a
 * reader pins what is freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "test/unit/broker/session_commands.h"

#define MiB (UINT64_C(1) << 20)
#define SOFT (4 * MiB)
#define EXPIRY_S 100

static uint64_t state_of_chance;

static size_t chance(size_t below)
{
    state_of_chance ^= state_of_chance >> 12;
    state_of_chance ^= state_of_chance << 25;
    state_of_chance ^= state_of_chance >> 27;
    return (size_t)(state_of_chance * UINT64_C(2685821657736338717) >> 33) %
           below;
}

/* ---- what there is ------------------------------------------------------ */

#define SESSIONS_MAX 3000
#define THINGS_MAX 4000

static struct session {
    char identity[48];
    size_t len;
    uint64_t number;
} sessions[SESSIONS_MAX];
static size_t session_count;
static unsigned made; /* of anything that needs a new name */
static char large[300000];

static struct slice identity_of(const struct session *s)
{
    return slice_of(s->identity, s->len);
}

static struct session *some_session(void)
{
    return session_count == 0 ? NULL : &sessions[chance(session_count)];
}

/* ---- a row more of each kind -------------------------------------------- */

static enum command_result add_message(struct writing *w)
{
    char topic[32];

    snprintf(topic, sizeof(topic), "t/%d", (int)chance(3));
    return run(w, new_append_bytes(topic, large, chance(9000), false)).result;
}

static enum command_result add_retained(struct writing *w)
{
    char topic[32];

    snprintf(topic, sizeof(topic), "r/%u", made++ % THINGS_MAX);
    return run(w, new_append_bytes(topic, large, 200, true)).result;
}

static enum command_result add_key(struct writing *w)
{
    struct sent *s = new_append("t/key", "v");
    char key[16];

    snprintf(key, sizeof(key), "%u", made++);
    s->c.idempotency = slice_str(key);
    return run(w, s).result;
}

/* Many in one commit; false: the last one was refused. */
static bool add_keys(struct writing *w)
{
    enum { TOGETHER = 64 };
    struct sent *all[TOGETHER];
    char keys[TOGETHER][16];

    for (int i = 0; i < TOGETHER; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%u", made++);
        all[i] = new_append("t/key", "v");
        all[i]->c.idempotency = slice_str(keys[i]);
    }
    run_together(w, all, TOGETHER);
    const bool ok = all[TOGETHER - 1]->c.result == RESULT_OK;
    for (int i = 0; i < TOGETHER; i++)
        sent_free(all[i]);
    return ok;
}

static enum command_result add_operation(struct writing *w)
{
    struct sent *s = new_append("t/op", "v");
    char id[16];

    snprintf(id, sizeof(id), "%u", made++);
    s->c.operation = slice_str(id);
    return run(w, s).result;
}

static enum command_result add_token(struct writing *w)
{
    char name[32];

    snprintf(name, sizeof(name), "token-%u", made++);
    return create_token(w, name, "free").result;
}

static enum command_result add_session(struct writing *w)
{
    struct session *s = &sessions[session_count];

    if (session_count == SESSIONS_MAX)
        return RESULT_FULL;
    s->len = (size_t)snprintf(s->identity, sizeof(s->identity), "t_client-%u",
                              made++);
    s->identity[1] = '\0';
    const enum command_result r =
        open_session(w, identity_of(s), EXPIRY_S, NULL, &s->number);
    session_count += r == RESULT_OK;
    return r;
}

/* It comes back, each time with a will. */
static enum command_result reopen_session(struct writing *w)
{
    struct session *s = some_session();
    const struct message will = {
        .topic = slice_str("t/will"),
        .payload = slice_of(large, chance(2) == 0 ? sizeof(large) : 10)};

    return s == NULL
               ? RESULT_FULL
               : open_session(w, identity_of(s), EXPIRY_S, &will, &s->number);
}

static enum command_result add_subscription(struct writing *w)
{
    struct session_subscription row = {.qos = 1};
    struct session *s = some_session();
    char filter[64];

    if (s == NULL)
        return RESULT_FULL;
    snprintf(filter, sizeof(filter), "%st/%u/#",
             chance(2) == 0 ? "$share/group/" : "", made++);
    row.filter = slice_str(filter);
    const struct session_save save = {.identity = identity_of(s),
                                      .number = s->number,
                                      .subscriptions = &row,
                                      .subscription_count = 1,
                                      .adds = true};
    return save_session(w, &save);
}

static enum command_result add_inflight(struct writing *w)
{
    static uint32_t identifiers[5000];
    struct session *s = some_session();
    struct session_inflight row = {.packet_id = (uint16_t)(1 + chance(200)),
                                   .log_id = 1,
                                   .qos = 2,
                                   .identifier_count = 5000,
                                   .identifiers = identifiers};

    if (s == NULL)
        return RESULT_FULL;
    const struct session_save save = {.identity = identity_of(s),
                                      .number = s->number,
                                      .has_position = true,
                                      .position = 1,
                                      .entries = &row,
                                      .entry_count = 1};
    return save_session(w, &save);
}

static enum command_result add_inbound(struct writing *w)
{
    struct session *s = some_session();

    if (s == NULL)
        return RESULT_FULL;
    struct sent *append = new_append("t/in", "v");
    ARGS(append, message_append)->mark =
        (struct session_mark){.number = s->number,
                              .identity = identity_of(s),
                              .packet_id = (uint16_t)(1 + chance(60000))};
    return run(w, append).result;
}

static enum command_result add_group_ids(struct writing *w)
{
    static uint64_t ids[1000];
    char name[64];
    /* one that add_subscription() may have made */
    const int len =
        snprintf(name, sizeof(name), "t_group_t/%d/#", (int)chance(made + 1));
    const struct group_save save = {.name = slice_of(name, (size_t)len),
                                    .adds = true,
                                    .ids = ids,
                                    .id_count = 1000};

    name[1] = name[7] = '\0';
    const enum command_result r = save_group(w, &save);
    return r == RESULT_NOT_FOUND ? RESULT_FULL : r;
}

static enum command_result (*const kinds[])(struct writing *w) = {
    add_message,  add_retained, add_key,        add_operation,
    add_token,    add_session,  reopen_session, add_subscription,
    add_inflight, add_inbound,  add_group_ids,
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---- filling ------------------------------------------------------------ */

static uint64_t used_by(struct writing *w)
{
    struct store_env *e = store_env(w->store);
    MDB_txn *txn;
    uint64_t used;

    assert_int_equal(mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(store_used(e, txn, &used, NULL), STORE_OK);
    mdb_txn_abort(txn);
    return used;
}

/* Until each kind has been refused often in a row. */
static void fill(struct writing *w)
{
    unsigned refused[KINDS] = {0}, done = 0;

    while (done < KINDS) {
        const size_t kind = chance(KINDS);
        const enum command_result r = kinds[kind](w);
        if (r != RESULT_OK)
            assert_in_range(r, RESULT_THINGS, RESULT_IO); /* not one of them
                                                             malformed */
        done -= refused[kind] >= 30;
        /* A will that is as long as the one before is no growth. */
        refused[kind] = r == RESULT_OK && kinds[kind] != reopen_session
                            ? 0
                            : refused[kind] + 1;
        done += refused[kind] >= 30;
    }
}

/* ---- freeing ------------------------------------------------------------ */

static void trim_everything(struct writing *w)
{
    struct store_reader *r = store_reader_acquire(w->store);
    static char topics[THINGS_MAX + 100][16];
    struct slice after = slice_of("", 0);
    struct thing_row row;
    size_t count = 0;

    assert_int_equal(store_reader_begin(r), STORE_OK);
    while (store_thing_next(r, slice_of("", 0), after, &row) == STORE_OK) {
        after = row.topic;
        assert_true(row.topic.len < 16 && count < THINGS_MAX + 100);
        memcpy(topics[count], row.topic.data, row.topic.len);
        topics[count++][row.topic.len] = '\0';
    }
    store_reader_release(r);
    for (size_t i = 0; i < count; i++)
        assert_result(trim(w, topics[i], UINT64_MAX), OK);
}

static void end_all_sessions(struct writing *w)
{
    for (size_t i = 0; i < session_count; i++)
        assert_int_equal(end_session(w, identity_of(&sessions[i]),
                                     sessions[i].number, EXPIRY_S),
                         RESULT_OK);
}

/* Walks begin every minute of the clock, and go on with commits. */
static void let_sessions_expire(struct writing *w)
{
    const int64_t until_us = clock_mono_us() + 20 * SECOND;

    while (ROWS_IN(w, sessions) > 0) {
        if (clock_mono_us() > until_us)
            fail_msg("%d sessions are still there", (int)ROWS_IN(w, sessions));
        clock_advance(70 * SECOND);
        ping(w);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static void writing_comes_back(struct writing *w)
{
    const int64_t until_us = clock_mono_us() + 20 * SECOND;

    while (run(w, new_append_bytes("t/again", large, 5000, false)).result !=
           RESULT_OK) {
        if (clock_mono_us() > until_us)
            fail_msg("writing never came back");
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

static void open_small(struct writing *w, uint64_t seed)
{
    state_of_chance = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    session_count = made = 0;
    writing_open(w, SOFT);
    assert_int_equal(
        mdb_env_set_flags(store_env(w->store)->env, MDB_NOSYNC, 1), 0);
}

static void it_comes_back_from_every_kind_of_row(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct writing w;
        open_small(&w, seed);
        struct store_env *e = store_env(w.store);
        create_token(&w, "revoked", "free");
        for (int round = 0; round < 2; round++) {
            fill(&w);
            assert_false(stats_of(&w).accepting);
            /* What frees space has its part of the reserve untouched. */
            assert_true(used_by(&w) <= e->real_map - e->reserve / 2 + MiB);
            assert_result(revoke_token(&w, "revoked"), OK);
            end_all_sessions(&w);
            trim_everything(&w);
            let_sessions_expire(&w);
            session_count = 0;
            wait_for_leftovers(&w);
            writing_comes_back(&w);
            check_store(&w);
        }
        writing_close(&w);
    }
}

static void also_with_a_pinned_reader(void **state)
{
    struct writing w;
    (void)state;

    open_small(&w, 77);
    fill(&w);
    struct store_reader *r = store_reader_acquire(w.store);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    end_all_sessions(&w);
    trim_everything(&w);
    assert_result(run(&w, new_append_bytes("t/x", large, 5000, false)), FULL);
    store_reader_release(r);
    let_sessions_expire(&w);
    wait_for_leftovers(&w);
    writing_comes_back(&w);
    check_store(&w);
    writing_close(&w);
}

/* So a full store could never trim again: each came back with a large will, and all
 * of them together took the reserve. */
static void coming_back_takes_nothing_of_the_reserve(void **state)
{
    const struct message will = {.topic = slice_str("t/will"),
                                 .payload = slice_of(large, sizeof(large))};
    struct writing w;
    (void)state;

    open_small(&w, 5);
    for (int i = 0; i < 300; i++)
        assert_int_equal(add_session(&w), RESULT_OK);
    while (add_message(&w) == RESULT_OK)
        ;
    const uint64_t before = used_by(&w);
    for (size_t i = 0; i < session_count; i++) {
        struct session *s = &sessions[i];
        assert_int_equal(open_session(&w, identity_of(s), EXPIRY_S, &will,
                                      &s->number),
                         RESULT_FULL);
        assert_int_equal(open_session(&w, identity_of(s), EXPIRY_S, NULL,
                                      &s->number),
                         RESULT_OK);
    }
    assert_true(used_by(&w) < before + MiB);
    trim_everything(&w);
    writing_comes_back(&w);
    check_store(&w);
    writing_close(&w);
}

/* Rows of before there was such a rule: what is left is used a little at a time. */
static void a_reserve_that_rows_have_taken_comes_back_all_the_same(
    void **state)
{
    struct store_env *e;
    struct writing w;
    MDB_txn *txn;
    (void)state;

    open_small(&w, 6);
    for (int i = 0; i < 2000; i++)
        add_message(&w);
    e = store_env(w.store);
    assert_int_equal(mdb_txn_begin(e->env, NULL, 0, &txn), 0);
    char name[] = "taken";
    MDB_val k = {5, name};
    MDB_val v = {(size_t)(e->real_map - store_end(e) - e->reserve / 4), NULL};
    assert_int_equal(mdb_put(txn, e->db.meta, &k, &v, MDB_RESERVE), 0);
    memset(v.mv_data, 0, v.mv_size);
    assert_int_equal(mdb_txn_commit(txn), 0);
    assert_result(append(&w, "t/x", "v"), FULL);
    trim_everything(&w);
    wait_for_leftovers(&w);
    assert_int_equal(ROWS_IN(&w, log), 0);
    writing_close(&w);
}

/* Only commits of others had keys forgotten, 16 each: in a full store there are
 * none. */
static void keys_are_forgotten_in_a_store_that_they_have_filled(void **state)
{
    struct writing w;
    (void)state;

    open_small(&w, 7);
    writing_stop(&w);
    writing_plan(&w, "local")->retention_count = 1;
    writing_start(&w);
    while (add_keys(&w))
        ;
    assert_true(ROWS_IN(&w, idempotency) > 5000);
    clock_advance(25 * 3600 * SECOND);
    writing_comes_back(&w);
    check_store(&w);
    writing_close(&w);
}

/* It is not the store then that is full, and others write or not. */
static void so_are_those_that_have_filled_a_plan(void **state)
{
    struct writing w;
    (void)state;

    open_small(&w, 8);
    writing_stop(&w);
    writing_plan(&w, "local")->retention_count = 1;
    writing_plan(&w, "local")->bytes_max = 100000;
    writing_start(&w);
    while (add_key(&w) == RESULT_OK)
        ;
    assert_true(ROWS_IN(&w, idempotency) > 200);
    assert_int_equal(add_key(&w), RESULT_BYTES);
    clock_advance(25 * 3600 * SECOND);
    writing_comes_back(&w);
    check_store(&w);
    writing_close(&w);
}

/* One session's subscriptions have taken the reserve to its last pages: deleting its
 * token takes few of them at a time. It wanted pages for all of it at once. */
static void a_token_that_took_the_reserve_can_be_deleted(void **state)
{
    char row_key[] = "00000000........................";
    struct store_env *e;
    struct writing w;
    uint64_t number;
    MDB_txn *txn;
    int rc = 0;
    (void)state;

    open_small(&w, 8);
    create_token(&w, "hog", "free");
    assert_int_equal(open_session(&w, slice_of("hog\0s", 5), EXPIRY_S, NULL,
                                  &number),
                     RESULT_OK);
    e = store_env(w.store);
    for (int i = 0; i < 8; i++)
        row_key[i] = (char)(number >> (56 - 8 * i));
    for (unsigned n = 0; rc == 0;) {
        assert_int_equal(mdb_txn_begin(e->env, NULL, 0, &txn), 0);
        for (int i = 0; rc == 0 && i < 4; i++) {
            snprintf(row_key + 8, sizeof(row_key) - 8, "%023u", n++);
            MDB_val k = {sizeof(row_key), row_key};
            MDB_val v = {60000, large};
            rc = mdb_put(txn, e->db.subscriptions, &k, &v, 0);
        }
        if (rc == 0)
            rc = mdb_txn_commit(txn);
        else
            mdb_txn_abort(txn);
    }
    assert_int_equal(rc, MDB_MAP_FULL);
    assert_true(used_by(&w) + MiB > e->real_map);
    assert_result(append(&w, "t/x", "v"), FULL);
    assert_result(revoke_token(&w, "hog"), OK);
    clock_advance(2 * SECOND);
    struct sent *s = new_command(COMMAND_TOKEN_DELETE);
    ARGS(s, token_delete)->token = slice_str("hog");
    assert_result(run(&w, s), OK);
    writing_comes_back(&w);
    const int64_t until_us = clock_mono_us() + 20 * SECOND;
    while (ROWS_IN(&w, subscriptions) > 0) {
        if (clock_mono_us() > until_us)
            fail_msg("rows are left");
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_back_from_every_kind_of_row),
        cmocka_unit_test(also_with_a_pinned_reader),
        cmocka_unit_test(coming_back_takes_nothing_of_the_reserve),
        cmocka_unit_test(
            a_reserve_that_rows_have_taken_comes_back_all_the_same),
        cmocka_unit_test(a_token_that_took_the_reserve_can_be_deleted),
        cmocka_unit_test(keys_are_forgotten_in_a_store_that_they_have_filled),
        cmocka_unit_test(so_are_those_that_have_filled_a_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
