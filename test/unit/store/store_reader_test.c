#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>

#include "test/unit/store/store_fixture.h"

static void assert_next(struct store_reader *r, uint64_t after, uint64_t id)
{
    struct record record;

    assert_int_equal(store_next(r, after, &record), STORE_OK);
    assert_int_equal(record.m.id, id);
}

static void the_log_is_walked_in_order(void **state)
{
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_append(&f, "t/a", 1); /* 1 */
    fixture_append(&f, "t/b", 2); /* 2 */
    fixture_skip(&f, 7);
    fixture_append(&f, "t/a", 3); /* 10 */
    struct store_reader *r = fixture_look(&f);
    assert_next(r, 0, 1);
    assert_next(r, 1, 2);
    assert_next(r, 2, 10);
    assert_int_equal(store_next(r, 10, &record), STORE_NOTFOUND);
    assert_int_equal(store_next(r, UINT64_MAX, &record), STORE_NOTFOUND);
    /* From anywhere, also after other reads have moved the cursor. */
    assert_next(r, 5, 10);
    assert_int_equal(store_get(r, 1, &record), STORE_OK);
    assert_next(r, 1, 2);
    assert_int_equal(store_get(r, 1, &record), STORE_OK);
    assert_next(r, 2, 10);
    assert_int_equal(store_get(r, 5, &record), STORE_NOTFOUND);
    assert_next(r, 0, 1);
    assert_int_equal(store_head(r), 10);
    assert_next(r, 1, 2);
    fixture_close(&f);
}

static void an_entry_by_id_is_what_was_stored(void **state)
{
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_append(&f, "t/a", 1);
    fixture_append(&f, "t/b", 22);
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_get(r, 2, &record), STORE_OK);
    assert_int_equal(record.m.id, 2);
    assert_int_equal(record.m.seq, 1);
    assert_true(record.m.at_us == 22);
    assert_true(slice_eq(record.m.topic, slice_str("t/b")));
    assert_true(slice_eq(record.m.payload, slice_str("p2")));
    assert_int_equal(store_get(r, 0, &record), STORE_NOTFOUND);
    assert_int_equal(store_get(r, 3, &record), STORE_NOTFOUND);
    fixture_close(&f);
}

static void an_empty_store_has_nothing_to_read(void **state)
{
    struct history h = {.topic = slice_str("t/a")};
    struct record record;
    struct thing_row row;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_head(r), 0);
    assert_int_equal(store_next(r, 0, &record), STORE_NOTFOUND);
    assert_int_equal(store_get(r, 1, &record), STORE_NOTFOUND);
    assert_int_equal(store_thing(r, h.topic, &row), STORE_NOTFOUND);
    assert_int_equal(store_latest(r, h.topic, &record), STORE_NOTFOUND);
    assert_int_equal(store_history_next(r, &h, &record), STORE_NOTFOUND);
    assert_int_equal(store_retained(r, h.topic, &record), STORE_NOTFOUND);
    fixture_close(&f);
}

static void a_snapshot_does_not_change(void **state)
{
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_append(&f, "t/a", 1);
    struct store_reader *r = fixture_look(&f);
    fixture_append(&f, "t/a", 2);
    fixture_trim(&f, "t/a", 1, true);
    fixture_commit(&f);
    assert_int_equal(store_head(r), 1);
    assert_next(r, 0, 1);
    assert_int_equal(store_next(r, 1, &record), STORE_NOTFOUND);
    fixture_look(&f);
    assert_int_equal(store_head(r), 2);
    assert_next(r, 0, 2);
    fixture_close(&f);
}

static void hidden_entries_are_not_read_though_still_there(void **state)
{
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 20; i++) {
        fixture_append(&f, "t/a", i); /* odd ids */
        fixture_append(&f, "t/b", i);
    }
    fixture_trim(&f, "t/a", 19, false);
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_get(r, 19, &record), STORE_NOTFOUND);
    assert_int_equal(store_get(r, 18, &record), STORE_OK);
    assert_int_equal(store_get(r, 21, &record), STORE_OK);
    assert_next(r, 0, 2);
    assert_next(r, 2, 4);
    assert_next(r, 18, 20);
    assert_next(r, 20, 21);
    fixture_close(&f);
}

static void the_head_outlives_the_entry_it_names(void **state)
{
    struct store_stats stats;
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 5; i++)
        fixture_append(&f, "t/a", i);
    fixture_append(&f, "t/b", 5);
    fixture_trim(&f, "t/b", 6, true);
    assert_int_equal(store_head(fixture_look(&f)), 6);
    fixture_trim(&f, "t/a", 6, true); /* the log is empty now */
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_head(r), 6);
    assert_int_equal(store_next(r, 0, &record), STORE_NOTFOUND);
    assert_int_equal(store_stats(f.store, &stats), STORE_OK);
    assert_int_equal(stats.head, 6);
    fixture_close(&f);
}

static void readers_are_pooled(void **state)
{
    struct store_reader *many[100];
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_append(&f, "t/a", 1);
    fixture_commit(&f);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 100; i++) {
            many[i] = store_reader_acquire(f.store);
            assert_non_null(many[i]);
            assert_int_equal(store_reader_begin(many[i]), STORE_OK);
            assert_int_equal(store_head(many[i]), 1);
        }
        for (size_t i = 0; i < 100; i++)
            store_reader_release(many[i]); /* ends the snapshot, too */
    }
    MDB_envinfo info;
    assert_int_equal(mdb_env_info(store_env(f.store)->env, &info), 0);
    assert_true(info.me_numreaders <= 103);
    fixture_close(&f);
}

static void more_readers_than_slots_are_refused(void **state)
{
    const struct store_opts opts = {.max_readers = 4};
    struct store_reader *r[4];
    size_t count = 0;
    struct fixture f;

    (void)state;
    fixture_place(&f); /* a table of readers never gets smaller */
    assert_int_equal(store_open(f.dir, &opts, &f.store, NULL), STORE_OK);
    f.reader = store_reader_acquire(f.store);
    while (count < 4 && (r[count] = store_reader_acquire(f.store)) != NULL)
        count++;
    assert_int_equal(count, 2);   /* less the fixture's and the writer's own */
    store_check_readers(f.store); /* all of them are alive */
    assert_null(store_reader_acquire(f.store));
    store_reader_release(r[--count]);
    r[count] = store_reader_acquire(f.store);
    assert_non_null(r[count++]);
    while (count > 0)
        store_reader_release(r[--count]);
    fixture_close(&f);
}

/* ---- threads ----------------------------------------------------------- */

struct log_walk {
    struct store *store;
    uint64_t head; /* committed before the thread began */
    int failures;
};

static void *walk_log(void *arg)
{
    struct log_walk *w = arg;
    struct record record;

    for (int round = 0; round < 50; round++) {
        struct store_reader *r = store_reader_acquire(w->store);
        uint64_t id = 0;
        w->failures += r == NULL || store_reader_begin(r) != STORE_OK;
        while (store_next(r, id, &record) == STORE_OK) {
            w->failures += record.m.id != id + 1 || record.m.topic.len != 3;
            id = record.m.id;
        }
        w->failures += id < w->head || id != store_head(r);
        store_reader_release(r);
    }
    return NULL;
}

static void threads_read_while_another_writes(void **state)
{
    struct log_walk w[3];
    pthread_t threads[3];
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 100; i++)
        fixture_append(&f, "t/a", i);
    fixture_commit(&f);
    for (size_t i = 0; i < 3; i++) {
        w[i] = (struct log_walk){.store = f.store, .head = f.head};
        assert_int_equal(pthread_create(&threads[i], NULL, walk_log, &w[i]),
                         0);
    }
    for (int i = 0; i < 50; i++) {
        fixture_append(&f, "t/b", i);
        fixture_commit(&f);
    }
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].failures, 0);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_is_walked_in_order),
        cmocka_unit_test(an_entry_by_id_is_what_was_stored),
        cmocka_unit_test(an_empty_store_has_nothing_to_read),
        cmocka_unit_test(a_snapshot_does_not_change),
        cmocka_unit_test(hidden_entries_are_not_read_though_still_there),
        cmocka_unit_test(the_head_outlives_the_entry_it_names),
        cmocka_unit_test(readers_are_pooled),
        cmocka_unit_test(more_readers_than_slots_are_refused),
        cmocka_unit_test(threads_read_while_another_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
