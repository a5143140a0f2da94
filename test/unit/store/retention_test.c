/* Removing messages: trims on demand, by count and by age; what is hidden, what
 * is deleted, and that a crash in between loses neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "test/unit/store/writing.h"

static void append_many(struct writing *w, const char *topic, size_t n)
{
    struct sent **all = calloc(n, sizeof(*all));

    assert_non_null(all);
    for (size_t i = 0; i < n; i++)
        all[i] = new_append(topic, "12345");
    run_together(w, all, n);
    for (size_t i = 0; i < n; i++) {
        assert_result(all[i]->c, OK);
        sent_free(all[i]);
    }
    free(all);
}

static struct thing_row row_of(struct writing *w, const char *topic)
{
    struct thing_row row = {0};

    assert_true(thing_of(w, topic, &row));
    return row;
}

/* ---- trims ------------------------------------------------------------ */

static void a_trim_stops_exactly_at_its_bound(void **state)
{
    /* around the edges of chunks of 16 and the open one (49…60) */
    static const uint64_t bounds[] = {1,  2,  15, 16, 17, 31, 32, 33,
                                      40, 47, 48, 49, 50, 59, 60};
    (void)state;

    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        struct writing w;
        writing_open(&w, 0);
        append_many(&w, "t/x", 60);
        assert_int_equal(trim(&w, "t/x", bounds[i]).removed, bounds[i]);
        assert_int_equal(check_store(&w), 60 - bounds[i]);
        struct thing_row row = row_of(&w, "t/x");
        assert_int_equal(row.trimmed_id, bounds[i]);
        assert_int_equal(row.first_seq, bounds[i] + 1);
        assert_int_equal(row.first_id, bounds[i] < 60 ? bounds[i] + 1 : 0);
        assert_int_equal(ROWS_IN(&w, trims), 0); /* small: deleted at once */
        assert_int_equal(ROWS_IN(&w, chunks),
                         (60 / 16) - (bounds[i] < 48 ? bounds[i] / 16 : 3));
        /* again, beyond, and on */
        assert_int_equal(trim(&w, "t/x", bounds[i]).removed, 0);
        writing_restart(&w);
        append_many(&w, "t/x", 30);
        assert_int_equal(check_store(&w), 90 - bounds[i]);
        assert_int_equal(trim(&w, "t/x", 75).removed, 75 - bounds[i]);
        assert_int_equal(check_store(&w), 15);
        writing_close(&w);
    }
}

static void random_trims_and_appends_keep_every_promise(void **state)
{
    static const char *const topics[] = {"t/x", "t/y", "u/x", "no token"};
    struct writing w;
    uint64_t head = 0;
    unsigned seed = 4711;
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < 150; i++) {
        const char *topic = topics[(unsigned)rand_r(&seed) % 4];
        const size_t n = (size_t)rand_r(&seed) % 30 + 1;
        clock_advance(rand_r(&seed) % 3 * SECOND);
        append_many(&w, topic, n);
        head += n;
        const uint64_t back = (uint64_t)rand_r(&seed) % 60;
        topic = topics[(unsigned)rand_r(&seed) % 4];
        trim(&w, topic, back < head ? head - back : head);
        if (rand_r(&seed) % 8 == 0)
            writing_restart(&w);
        if (rand_r(&seed) % 4 == 0)
            check_store(&w);
    }
    wait_for_leftovers(&w);
    check_store(&w);
    writing_close(&w);
}

static void a_large_trim_hides_at_once_and_deletes_later(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    append_many(&w, "t/x", 4000);
    append_many(&w, "t/y", 4000);
    append_many(&w, "t/x", 4000);
    const struct command c = trim(&w, "t/x", 11990);
    assert_int_equal(c.removed, 7990);
    assert_int_equal(check_store(&w), 4010);
    wait_for_leftovers(&w);
    assert_int_equal(check_store(&w), 4010);
    assert_int_equal(ROWS_IN(&w, log), 4010);
    assert_int_equal(stats_of(&w).trimmed, 7990);
    writing_close(&w);
}

struct follow_up {
    struct writing *w;
    struct sent *next;
    sem_t done;
};

/* Writer's thread: queued before it looks for leftovers. */
static void submit_next(struct command **c, size_t n)
{
    struct follow_up *f = (*c)->owner;

    assert_int_equal(n, 1);
    submit(f->w, f->next);
    sem_post(&f->done);
}

static void a_second_trim_leaves_nothing_of_the_first_behind(void **state)
{
    struct follow_up f;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    append_many(&w, "t/x", 8000);
    f.w = &w;
    sem_init(&f.done, 0, 0);
    struct sent *first = new_command(COMMAND_TRIM);
    ARGS(first, thing_trim)->topic = slice_str("t/x");
    ARGS(first, thing_trim)->through =
        4007; /* in the middle of a chunk, behind the budget */
    first->c.done = submit_next;
    first->c.owner = &f;
    f.next = new_command(COMMAND_TRIM);
    ARGS(f.next, thing_trim)->topic = slice_str("t/x");
    ARGS(f.next, thing_trim)->through = 4100;
    submit(&w, first);
    while (sem_wait(&f.done) != 0)
        ;
    wait_for(f.next);
    assert_int_equal(first->c.removed, 4007);
    assert_int_equal(f.next->c.removed, 93);
    wait_for_leftovers(&w);
    assert_int_equal(check_store(&w), 3900); /* and that many in the log */
    sent_free(f.next);
    sent_free(first);
    writing_close(&w);
}

static void leftovers_of_a_stopped_server_are_deleted_after_the_next_start(
    void **state)
{
    struct sent *all[2];
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    append_many(&w, "t/x", 8000);
    append_many(&w, "t/y", 8000);
    for (int i = 0; i < 2; i++) {
        all[i] = new_command(COMMAND_TRIM);
        ARGS(all[i], thing_trim)->topic = slice_str(i == 0 ? "t/x" : "t/y");
        ARGS(all[i], thing_trim)->through = i == 0 ? 8000 : 15990;
        submit(&w, all[i]);
    }
    writing_stop(&w);
    for (int i = 0; i < 2; i++) {
        assert_result(all[i]->c, OK);
        sent_free(all[i]);
    }
    struct store *reading; /* nobody deletes meanwhile */
    const struct store_opts opts = {.map_size = 0};
    assert_int_equal(store_open(w.dir, &opts, &reading, NULL), STORE_OK);
    w.store = reading;
    assert_true(ROWS_IN(&w, trims) > 0);
    assert_true(ROWS_IN(&w, log) > 10);
    assert_int_equal(check_store(&w), 10);
    store_close(reading);

    writing_start(&w);
    append_many(&w, "t/y", 1); /* at work right away */
    wait_for_leftovers(&w);
    assert_int_equal(ROWS_IN(&w, log), 11);
    assert_int_equal(ROWS_IN(&w, chunks), 1); /* the half-hidden one */
    assert_int_equal(check_store(&w), 11);
    writing_close(&w);
}

static void check_retained(struct writing *w, const char *topic, uint64_t id,
                           const char *payload)
{
    struct store_reader *r = store_reader_acquire(w->store);
    struct record record;

    assert_int_equal(store_reader_begin(r), STORE_OK);
    assert_int_equal(store_retained(r, slice_str(topic), &record), STORE_OK);
    assert_int_equal(record.m.id, id);
    assert_true(slice_eq(record.m.payload, slice_str(payload)));
    store_reader_release(r);
}

static void the_retained_message_outlives_trimming(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    append_retained(&w, "t/open", "from the open chunk");
    append_many(&w, "t/chunk", 3);
    append_retained(&w, "t/chunk", "from a chunk");
    append_many(&w, "t/chunk", 30);
    append_many(&w, "t/late", 3000);
    append_retained(&w, "t/late", "deleted later");
    append_many(&w, "t/late", 3000);
    trim(&w, "t/open", UINT64_MAX);
    trim(&w, "t/chunk", 10);
    trim(&w, "t/late", UINT64_MAX - 1);
    for (int i = 0; i < 2; i++) {
        check_retained(&w, "t/open", 1, "from the open chunk");
        check_retained(&w, "t/chunk", 5, "from a chunk");
        check_retained(&w, "t/late", 3036, "deleted later");
        wait_for_leftovers(&w);
        check_store(&w);
        writing_restart(&w);
    }
    assert_int_equal(usage_of(&w, "t").retained, 3);
    append_retained(&w, "t/late", "");
    append_retained(&w, "t/open", "new");
    assert_int_equal(usage_of(&w, "t").retained, 2);
    check_retained(&w, "t/open", 6038, "new");
    writing_close(&w);
}

/* ---- by count --------------------------------------------------------- */

static void exactly_retention_count_messages_are_seen(void **state)
{
    static const uint64_t keeps[] = {1, 15, 16, 17, 40};
    (void)state;

    for (size_t i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++) {
        struct writing w;
        writing_open(&w, 0);
        writing_stop(&w);
        writing_plan(&w, "local")->retention_count = keeps[i];
        writing_start(&w);
        for (uint64_t n = 1; n <= 80; n++) {
            append(&w, "t/x", "12345");
            const uint64_t kept = n < keeps[i] ? n : keeps[i];
            const struct thing_row row = row_of(&w, "t/x");
            assert_int_equal(row.count, kept);
            assert_int_equal(row.bytes, 5 * kept);
            assert_int_equal(row.trimmed_id, n - kept);
        }
        assert_int_equal(check_store(&w), keeps[i]);
        assert_int_equal(ROWS_IN(&w, log), keeps[i]);
        append_many(&w, "t/x", 500);
        append_many(&w, "no token", 500); /* and no plan: kept */
        assert_int_equal(check_store(&w), keeps[i] + 500);
        assert_int_equal(ROWS_IN(&w, log), keeps[i] + 500);
        writing_close(&w);
    }
}

static void deleting_keeps_up_with_appending(void **state)
{
    struct writing w;
    char topic[16];
    (void)state;

    writing_open(&w, 0);
    writing_stop(&w);
    writing_plan(&w, "local")->retention_count = 10;
    writing_start(&w);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 3; i++) {
            snprintf(topic, sizeof(topic), "t/%d", i);
            append_many(&w, topic, 2000);
        }
        assert_int_equal(ROWS_IN(&w, trims), 0);
        assert_true(ROWS_IN(&w, log) <= 30);
    }
    assert_int_equal(check_store(&w), 30);
    writing_close(&w);
}

static void a_plan_that_keeps_less_is_applied_to_things_at_rest(void **state)
{
    struct writing w;
    char topic[16];
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < 100; i++) {
        snprintf(topic, sizeof(topic), "t/%d", i);
        append_many(&w, topic, 40);
    }
    append_many(&w, "t/large", 5000);
    append_many(&w, "u/kept", 50);
    assert_result(create_token(&w, "u2", "paid"), OK);
    append_many(&w, "u2/x", 50);
    writing_stop(&w);
    writing_plan(&w, "local")->retention_count = 20;
    writing_plan(&w, "paid")->retention_count = 0;
    writing_start(&w);
    const int64_t until_us = clock_mono_us() + 10 * SECOND;
    while (ROWS_IN(&w, log) != 102 * 20 + 50 && clock_mono_us() < until_us)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    wait_for_leftovers(&w);
    assert_int_equal(check_store(&w), 102 * 20 + 50);
    assert_int_equal(row_of(&w, "u2/x").count, 50);
    assert_int_equal(row_of(&w, "t/large").count, 20);
    writing_close(&w);
}

/* ---- by age ----------------------------------------------------------- */

/* The walk begins every minute; this makes it begin and waits for its effect. */
static void walk_until(struct writing *w, uint64_t messages)
{
    const int64_t until_us = clock_mono_us() + 10 * SECOND;

    while (stats_of(w).trimmed < messages && clock_mono_us() < until_us) {
        ping(w);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    assert_int_equal(stats_of(w).trimmed, messages);
    wait_for_leftovers(w);
}

static void messages_older_than_retention_age_go_within_a_minute(void **state)
{
    struct writing w;
    char topic[16];
    (void)state;

    writing_open(&w, 0);
    writing_stop(&w);
    writing_plan(&w, "local")->retention_age = 1000;
    writing_start(&w); /* plans are looked at when the writer starts */
    for (int i = 0; i < 200; i++) {
        snprintf(topic, sizeof(topic), "t/%d", i);
        append_many(&w, topic, 20);
    }
    clock_advance(500 * SECOND);
    for (int i = 0; i < 100; i++) {
        snprintf(topic, sizeof(topic), "t/%d", i);
        append_many(&w, topic, 20);
    }
    append_many(&w, "no token", 20);
    assert_int_equal(stats_of(&w).trimmed, 0);
    clock_advance(500 * SECOND);
    append(&w, "t/0", "not old enough yet, by a microsecond");
    assert_int_equal(check_store(&w), 6021);
    clock_advance(60 * SECOND);
    walk_until(&w, 200 * 20);
    assert_int_equal(check_store(&w), 2021);
    assert_int_equal(row_of(&w, "t/150").count, 0);
    assert_int_equal(row_of(&w, "t/150").last_seq, 20);
    assert_int_equal(row_of(&w, "t/0").count, 21);
    assert_int_equal(ROWS_IN(&w, log), 2021);

    clock_advance(100000 * SECOND);
    walk_until(&w, 6001);
    assert_int_equal(check_store(&w), 20); /* those of no token */
    writing_restart(&w);
    const struct command c = append(&w, "t/150", "v");
    assert_int_equal(c.seq, 21);
    assert_true(c.id > 6021);
    assert_int_equal(check_store(&w), 21);
    writing_close(&w);
}

static void a_long_past_is_trimmed_in_several_steps(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    writing_stop(&w);
    writing_plan(&w, "local")->retention_age = 1000;
    writing_start(&w);
    for (int i = 0; i < 5; i++)
        append_many(&w, "t/x", 4000);
    clock_advance(1000 * SECOND);
    append_many(&w, "t/x", 7);
    clock_advance(500 * SECOND);
    walk_until(&w, 20000);
    assert_int_equal(check_store(&w), 7);
    assert_int_equal(ROWS_IN(&w, log), 7);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trim_stops_exactly_at_its_bound),
        cmocka_unit_test(random_trims_and_appends_keep_every_promise),
        cmocka_unit_test(a_large_trim_hides_at_once_and_deletes_later),
        cmocka_unit_test(a_second_trim_leaves_nothing_of_the_first_behind),
        cmocka_unit_test(
            leftovers_of_a_stopped_server_are_deleted_after_the_next_start),
        cmocka_unit_test(the_retained_message_outlives_trimming),
        cmocka_unit_test(exactly_retention_count_messages_are_seen),
        cmocka_unit_test(deleting_keeps_up_with_appending),
        cmocka_unit_test(a_plan_that_keeps_less_is_applied_to_things_at_rest),
        cmocka_unit_test(messages_older_than_retention_age_go_within_a_minute),
        cmocka_unit_test(a_long_past_is_trimmed_in_several_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
