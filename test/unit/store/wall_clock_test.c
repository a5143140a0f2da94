/* The one rule for the wall clock (store/env/wall_clock.h): as arithmetic, and in a
 * store whose clock is set wrong and right again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/env/wall_clock.h"
#include "store/read/history.h"
#include "test/unit/store/writing.h"

#define YEAR (INT64_C(365) * 86400 * SECOND)
#define T0 TEST_EPOCH

/* ---- arithmetic ----------------------------------------------------------- */

static void entries_before_a_step_back_are_no_later_than_it(void **state)
{
    struct clock_steps s = {0};
    (void)state;

    assert_int_equal(clock_steps_correct(&s, 5, T0), T0);
    clock_steps_add(&s, 10, T0);
    clock_steps_add(&s, 20, T0 + 100);
    static const struct {
        uint64_t id;
        int64_t at_us, corrected_us;
    } rows[] = {
        {10, T0 + YEAR, T0},        {10, T0 - 1, T0 - 1},
        {11, T0 + YEAR, T0 + 100},  {20, T0 + 7, T0 + 7},
        {21, T0 + YEAR, T0 + YEAR},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(clock_steps_correct(&s, rows[i].id, rows[i].at_us),
                         rows[i].corrected_us);
    /* A later step that shows an earlier time holds for all before it. */
    clock_steps_add(&s, 30, T0 - 50);
    assert_int_equal(clock_steps_correct(&s, 5, T0), T0 - 50);
    assert_int_equal(clock_steps_correct(&s, 25, T0), T0 - 50);
}

static void of_many_steps_the_oldest_become_one(void **state)
{
    struct clock_steps s = {0};
    (void)state;

    for (unsigned i = 1; i <= CLOCK_STEPS_MAX + 5; i++)
        clock_steps_add(&s, i * 10, T0 + i);
    assert_int_equal(s.count, CLOCK_STEPS_MAX);
    assert_int_equal(clock_steps_correct(&s, 1, T0 + YEAR), T0 + 6);
    int64_t before_us = 0;
    for (uint64_t id = 1; id <= (CLOCK_STEPS_MAX + 5) * 10; id++) {
        const int64_t at_us = clock_steps_correct(&s, id, T0 + YEAR);
        assert_true(at_us >= before_us && at_us < T0 + YEAR);
        before_us = at_us;
    }
}

static struct wall_clock clock_with(uint64_t jump_max_s, uint64_t grace_s)
{
    const struct clock_steps none = {0};
    struct wall_clock c;

    wall_clock_init(&c, jump_max_s, grace_s, &none, T0, 0);
    return c;
}

static void a_jump_ahead_is_believed_after_the_grace(void **state)
{
    struct wall_clock c = clock_with(3600, 60);
    (void)state;

    wall_clock_look(&c, T0 + 3600 * SECOND, 0, 1); /* as far as it may */
    assert_int_equal(wall_clock_decay_us(&c), T0 + 3600 * SECOND);
    wall_clock_look(&c, T0 + YEAR, SECOND, 1);
    assert_int_equal(wall_clock_decay_us(&c), T0 + 3601 * SECOND);
    wall_clock_look(&c, T0 + YEAR + 59 * SECOND, 60 * SECOND, 1);
    assert_int_equal(wall_clock_decay_us(&c), T0 + 3660 * SECOND);
    wall_clock_look(&c, T0 + YEAR + 60 * SECOND, 61 * SECOND, 1);
    assert_int_equal(wall_clock_decay_us(&c), T0 + YEAR + 60 * SECOND);
    assert_int_equal(c.steps.count, 0);
}

static void a_jump_that_is_taken_back_is_over(void **state)
{
    struct wall_clock c = clock_with(3600, 60);
    (void)state;

    wall_clock_look(&c, T0 + YEAR, SECOND, 1);
    wall_clock_look(&c, T0 + 2 * SECOND, 2 * SECOND, 8);
    assert_int_equal(wall_clock_decay_us(&c), T0 + 2 * SECOND);
    assert_int_equal(c.steps.count, 1);
    assert_true(c.unsaved);
    assert_int_equal(clock_steps_correct(&c.steps, 8, T0 + YEAR),
                     T0 + 2 * SECOND);
    /* What was stored meanwhile ages from then on. */
    wall_clock_look(&c, T0 + 10 * SECOND, 10 * SECOND, 9);
    assert_int_equal(wall_clock_age_us(&c, T0 + YEAR), 8 * SECOND);
    assert_int_equal(wall_clock_age_us(&c, T0 + 4 * SECOND), 6 * SECOND);
}

static void small_steps_are_none(void **state)
{
    struct wall_clock c = clock_with(3600, 60);
    (void)state;

    wall_clock_look(&c, T0 + CLOCK_TOLERANCE_US, 0, 1);
    wall_clock_look(&c, T0, 0, 1);
    assert_int_equal(c.steps.count, 0);
    wall_clock_look(&c, T0 - 1, 0, 1);
    assert_int_equal(c.steps.count, 1);
}

/* ---- in a store ----------------------------------------------------------- */

static void append_some(struct writing *w, const char *topic, unsigned n)
{
    while (n-- > 0)
        assert_result(append(w, topic, "v"), OK);
}

/* How many messages of `t/x` the times hold, by a walk in each direction. */
static unsigned count_between(struct writing *w, int64_t since_us,
                              int64_t until_us)
{
    struct store_reader *r = store_reader_acquire(w->store);
    unsigned counts[2] = {0};

    assert_int_equal(store_reader_begin(r), STORE_OK);
    for (int ascending = 0; ascending < 2; ascending++) {
        struct history h = {.topic = slice_str("t/x"),
                            .ascending = ascending,
                            .since_us = since_us,
                            .until_us = until_us};
        struct record record;
        while (store_history_next(r, &h, &record) == STORE_OK)
            counts[ascending]++;
    }
    store_reader_release(r);
    assert_int_equal(counts[0], counts[1]);
    return counts[0];
}

static void times_go_on_from_now_when_the_clock_was_ahead(void **state)
{
    struct writing w;
    struct thing_row row;
    (void)state;

    writing_open(&w, 0);
    append_some(&w, "t/x", 40);
    clock_set(T0 + YEAR);
    append_some(&w, "t/x", 40);
    clock_set(T0 + 60 * SECOND);
    assert_int_equal(append(&w, "t/x", "v").at_us, T0 + 60 * SECOND);
    append_some(&w, "t/x", 39);
    for (int restarted = 0; restarted < 2; restarted++) {
        /* Searching by time finds what it would have without the mistake. */
        assert_int_equal(count_between(&w, 0, T0 + 1), 40);
        assert_int_equal(count_between(&w, T0 + 60 * SECOND, 0), 80);
        assert_int_equal(count_between(&w, T0 + 60 * SECOND + 1, 0), 0);
        assert_int_equal(count_between(&w, T0, T0 + 61 * SECOND), 120);
        assert_true(thing_of(&w, "t/x", &row));
        assert_int_equal(row.last_at_us, T0 + 60 * SECOND);
        assert_int_equal(check_store(&w), 120);
        writing_restart(&w);
    }
    writing_close(&w);
}

/* The server stopped while the clock was ahead, and starts with it right. */
static void a_clock_set_right_between_two_runs_is_noticed(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    clock_set(T0 + YEAR);
    append_some(&w, "t/x", 20);
    writing_stop(&w);
    clock_set(T0 + 60 * SECOND);
    writing_start(&w);
    assert_int_equal(append(&w, "t/x", "v").at_us, T0 + 60 * SECOND);
    assert_int_equal(count_between(&w, 0, T0 + 61 * SECOND), 21);
    writing_close(&w);
}

static bool trims_within(struct writing *w, uint64_t messages, int64_t wait_us)
{
    const int64_t until_us = clock_mono_us() + wait_us;

    while (stats_of(w).trimmed < messages && clock_mono_us() < until_us) {
        ping(w);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return stats_of(w).trimmed == messages;
}

static void messages_of_the_future_are_trimmed_by_age(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    writing_stop(&w);
    writing_plan(&w, "local")->retention_age = 1000;
    writing_start(&w);
    clock_set(T0 + YEAR);
    append_some(&w, "t/x", 20);
    clock_set(T0);
    append_some(&w, "t/x", 5);
    clock_set(T0 + 999 * SECOND);
    append_some(&w, "t/y", 1);
    clock_set(T0 + 1061 * SECOND);
    assert_true(trims_within(&w, 25, 10 * SECOND));
    writing_close(&w);
}

static void a_clock_a_year_ahead_destroys_nothing_in_the_grace(void **state)
{
    for (int believed = 0; believed < 2; believed++) {
        struct writing w;
        (void)state;

        writing_open(&w, 0);
        writing_stop(&w);
        writing_plan(&w, "local")->retention_age = 1000;
        w.config.store_clock_jump_max = believed ? 0 : 86400;
        writing_start(&w);
        append_some(&w, "t/x", 20);
        struct sent *s = new_append("t/y", "v");
        s->c.idempotency = slice_str("key");
        const struct command first = run(&w, s);
        clock_set(T0 + YEAR);
        /* The control shows that there was time to destroy it. */
        assert_int_equal(trims_within(&w, 21, believed ? 10 * SECOND : SECOND),
                         believed);
        s = new_append("t/y", "v");
        s->c.idempotency = slice_str("key");
        const struct command again = run(&w, s);
        assert_int_equal(again.repeated, !believed);
        assert_int_equal(again.id == first.id, !believed);
        writing_close(&w);
    }
}

static void keys_of_the_future_are_forgotten_after_a_day(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    clock_set(T0 + YEAR);
    struct sent *s = new_append("t/x", "v");
    s->c.idempotency = slice_str("key");
    run(&w, s);
    clock_set(T0);
    append_some(&w, "t/x", 1);
    assert_int_equal(ROWS_IN(&w, idempotency), 1);
    clock_set(T0 + INT64_C(86400) * SECOND);
    append_some(&w, "t/x", 1);
    assert_int_equal(ROWS_IN(&w, idempotency), 0);
    assert_int_equal(ROWS_IN(&w, idempotency_by_time), 0);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_before_a_step_back_are_no_later_than_it),
        cmocka_unit_test(of_many_steps_the_oldest_become_one),
        cmocka_unit_test(a_jump_ahead_is_believed_after_the_grace),
        cmocka_unit_test(a_jump_that_is_taken_back_is_over),
        cmocka_unit_test(small_steps_are_none),
        cmocka_unit_test(times_go_on_from_now_when_the_clock_was_ahead),
        cmocka_unit_test(a_clock_set_right_between_two_runs_is_noticed),
        cmocka_unit_test(messages_of_the_future_are_trimmed_by_age),
        cmocka_unit_test(a_clock_a_year_ahead_destroys_nothing_in_the_grace),
        cmocka_unit_test(keys_of_the_future_are_forgotten_after_a_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
