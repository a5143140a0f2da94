#include "bridge/http/reads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000000000)
#define SECOND INT64_C(1000000)

static const struct plan limited = {.name = "free", .reads_per_hour = 10};
static const struct plan unlimited = {.name = "paid"};
static const struct usage_row unused;
static const struct slice token = {"t", 1};

static void an_unlimited_plan_is_never_counted(void **state)
{
    struct reads *rs = reads_new();

    (void)state;
    for (int i = 0; i < 100; i++) {
        const struct reads_answer a =
            reads_charge(rs, token, &unlimited, &unused, 5, NOW);
        assert_true(a.granted);
        assert_true(a.remaining == UINT64_MAX);
    }
    assert_int_equal(reads_window(rs, token, NOW), 0);
    reads_free(rs);
}

static void a_window_lasts_an_hour_from_its_first_read(void **state)
{
    struct reads *rs = reads_new();
    struct reads_answer a;

    (void)state;
    for (unsigned i = 1; i <= 10; i++) {
        a = reads_charge(rs, token, &limited, &unused, 1, NOW + i);
        assert_true(a.granted);
        assert_int_equal(a.remaining, 10 - i);
    }
    a = reads_charge(rs, token, &limited, &unused, 1, NOW + 1800 * SECOND);
    assert_false(a.granted);
    assert_int_equal(a.remaining, 0);
    assert_in_range(a.retry_after_s, 1800, 1801);
    a = reads_charge(rs, token, &limited, &unused, 1, NOW + 1 + WINDOW_US);
    assert_true(a.granted);
    assert_int_equal(a.remaining, 9);
    reads_free(rs);
}

static void a_listen_needs_five_left_and_takes_none_when_refused(void **state)
{
    struct reads *rs = reads_new();
    struct reads_answer a;

    (void)state;
    assert_true(reads_charge(rs, token, &limited, &unused, 5, NOW).granted);
    assert_true(reads_charge(rs, token, &limited, &unused, 1, NOW).granted);
    a = reads_charge(rs, token, &limited, &unused, 5, NOW);
    assert_false(a.granted);
    assert_int_equal(a.remaining, 4);
    assert_int_equal(
        reads_charge(rs, token, &limited, &unused, 4, NOW).remaining, 0);
    reads_free(rs);
}

static void the_stores_open_window_is_adopted_with_its_reads(void **state)
{
    struct reads *rs = reads_new();
    const struct usage_row row = {.window_start_us = NOW - 3000 * SECOND,
                                  .reads = 7};
    struct reads_answer a = reads_charge(rs, token, &limited, &row, 0, NOW);

    (void)state;
    assert_int_equal(a.remaining, 3); /* asked without a charge */
    assert_int_equal(reads_window(rs, token, NOW), 0);
    a = reads_charge(rs, token, &limited, &row, 1, NOW);
    assert_int_equal(a.remaining, 2);
    assert_int_equal(reads_window(rs, token, NOW), row.window_start_us);
    /* its window is over: a new one begins, its reads are forgotten */
    a = reads_charge(rs, token, &limited, &row, 1, NOW + 600 * SECOND);
    assert_int_equal(a.remaining, 9);
    reads_free(rs);
}

static void an_earlier_start_by_a_write_wins(void **state)
{
    struct reads *rs = reads_new();
    const struct usage_row row = {.window_start_us = NOW - SECOND};

    (void)state;
    reads_charge(rs, token, &limited, &unused, 1, NOW);
    const struct reads_answer a =
        reads_charge(rs, token, &limited, &row, 1, NOW + 1);
    assert_int_equal(a.remaining, 8); /* our count goes on */
    assert_int_equal(reads_window(rs, token, NOW), NOW - SECOND);
    reads_free(rs);
}

static void a_refund_gives_back_what_was_charged(void **state)
{
    struct reads *rs = reads_new();

    (void)state;
    reads_charge(rs, token, &limited, &unused, 5, NOW);
    reads_refund(rs, token, 5);
    assert_int_equal(
        reads_charge(rs, token, &limited, &unused, 0, NOW).remaining, 10);
    reads_refund(rs, slice_of("nobody", 6), 5);
    reads_free(rs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unlimited_plan_is_never_counted),
        cmocka_unit_test(a_window_lasts_an_hour_from_its_first_read),
        cmocka_unit_test(a_listen_needs_five_left_and_takes_none_when_refused),
        cmocka_unit_test(the_stores_open_window_is_adopted_with_its_reads),
        cmocka_unit_test(an_earlier_start_by_a_write_wins),
        cmocka_unit_test(a_refund_gives_back_what_was_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
