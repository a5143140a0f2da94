#include "bridge/outgoing/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct retry_plan plan = {
    .first_ms = 1000,
    .max_ms = 60000,
    .retry_after_max_ms = 600000,
    .attempts = 10,
};

static int64_t delay(unsigned failed, uint32_t random)
{
    return retry_delay_ms(&plan, failed, RETRY_AFTER_NONE, random);
}

static void delays_double_up_to_the_longest(void **state)
{
    static const int64_t expected[] = {1000,  2000,  4000,  8000, 16000,
                                       32000, 60000, 60000, 60000};

    (void)state;
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(delay(i + 1, UINT32_MAX), expected[i]);
}

static void jitter_takes_up_to_half(void **state)
{
    (void)state;
    assert_int_equal(delay(1, 0), 500);
    assert_int_equal(delay(1, UINT32_MAX / 2), 749);
    assert_int_equal(delay(3, 0), 2000);
    assert_int_equal(delay(9, 0), 30000);
}

static void the_last_attempt_is_the_last(void **state)
{
    const struct retry_plan once = {.first_ms = 1, .max_ms = 1, .attempts = 1};

    (void)state;
    assert_true(delay(9, 0) > 0);
    assert_int_equal(delay(10, 0), RETRY_NEVER);
    assert_int_equal(delay(11, 0), RETRY_NEVER);
    assert_int_equal(retry_delay_ms(&once, 1, 5000, 0), RETRY_NEVER);
}

static void retry_after_is_a_minimum_within_bounds(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(&plan, 1, 30000, 0), 30000);
    assert_int_equal(retry_delay_ms(&plan, 1, 0, 0), 500);
    assert_int_equal(retry_delay_ms(&plan, 9, 100, 0), 30000);
    assert_int_equal(retry_delay_ms(&plan, 1, INT64_MAX, 0), 600000);
}

static void delays_do_not_overflow(void **state)
{
    const struct retry_plan vast = {.first_ms = INT64_MAX / 3,
                                    .max_ms = INT64_MAX,
                                    .attempts = UINT32_MAX};

    (void)state;
    for (unsigned failed = 1; failed < 200; failed++) {
        const int64_t ms =
            retry_delay_ms(&vast, failed, RETRY_AFTER_NONE, UINT32_MAX / 3);
        assert_true(ms > 0);
    }
}

/* 2027-01-15 08:00:00 UTC */
#define NOW INT64_C(1800000000000000)

static int64_t parse(const char *text)
{
    return retry_after_parse_ms(slice_str(text), NOW);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    assert_int_equal(parse("0"), 0);
    assert_int_equal(parse("120"), 120000);
    assert_int_equal(parse("9999999999"), INT64_C(9999999999000));
    assert_int_equal(parse("Fri, 15 Jan 2027 08:01:00 GMT"), 60000);
    assert_int_equal(parse("Fri, 15 Jan 2027 08:00:00 GMT"), RETRY_AFTER_NONE);
    assert_int_equal(parse("Sun, 06 Nov 1994 08:49:37 GMT"), RETRY_AFTER_NONE);
}

static void other_values_are_ignored(void **state)
{
    static const char *const bad[] = {
        "",
        "-1",
        "1.5",
        "99999999999",
        "soon",
        " 1",
        "1 ",
        "0x10",
        "Fri, 15 Jan 2027 08:01:00 CET",
        "Fri, 15 Jan 2027 08:01:00 GMT and more",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse(bad[i]) != RETRY_AFTER_NONE)
            fail_msg("'%s' was accepted", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_double_up_to_the_longest),
        cmocka_unit_test(jitter_takes_up_to_half),
        cmocka_unit_test(the_last_attempt_is_the_last),
        cmocka_unit_test(retry_after_is_a_minimum_within_bounds),
        cmocka_unit_test(delays_do_not_overflow),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(other_values_are_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
