#include "bridge/doors/thingschat/time_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static const struct {
    const char *text;
    int64_t us;
} good[] = {
    /* milliseconds */
    {"0", 0},
    {"1700000000123", INT64_C(1700000000123000)},
    {"100000000000", INT64_C(100000000000000)},
    /* dates */
    {"1970-01-01", 0},
    {"2000-02-29", INT64_C(951782400000000)},
    {"9999-12-31", INT64_C(253402214400000000)},
    {"20261121", INT64_C(1795219200000000)},
    {"2026-11-21", INT64_C(1795219200000000)},
    {"2026-W47-6", INT64_C(1795219200000000)},
    {"2026-w47-6", INT64_C(1795219200000000)},
    {"2026W476", INT64_C(1795219200000000)},
    {"2026-W47", INT64_C(1794787200000000)},
    {"2026W47", INT64_C(1794787200000000)},
    {"2026-325", INT64_C(1795219200000000)},
    {"2026325T00", INT64_C(1795219200000000)},
    {"2020-W01-1", INT64_C(1577664000000000)}, /* 30 December 2019 */
    {"2020-W53-7", INT64_C(1609632000000000)}, /* 3 January 2021 */
    {"2024-366", INT64_C(1735603200000000)},
    /* clocks */
    {"1970-01-01T00:00:01Z", 1000000},
    {"1970-01-01t00:00:01z", 1000000},
    {"1970-01-01 00:00:01", 1000000},
    {"1970-01-01T00:00:01.5Z", 1500000},
    {"1970-01-01T00:00:01,5Z", 1500000},
    {"1970-01-01T00:00:01.123456789Z", 1123456},
    {"1970-01-01T00:00:01.1234567890123456789Z", 1123456},
    {"1970-01-01T06", INT64_C(21600000000)},
    {"1970-01-01T06.5", INT64_C(23400000000)},
    {"1970-01-01T00:01", 60000000},
    {"1970-01-01T00:01,25", 75000000},
    {"19700101T000001Z", 1000000},
    {"19700101T0001", 60000000},
    {"1970-01-01T000001.5", 1500000},
    {"2026-11-21 06:32:17", INT64_C(1795242737000000)},
    {"2020-01-01T24:00:00Z", INT64_C(1577923200000000)},
    {"2020-01-01T24:00", INT64_C(1577923200000000)},
    {"2020-01-01T24", INT64_C(1577923200000000)},
    {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
    {"2016-12-31T23:59:60.25Z", INT64_C(1483228800250000)},
    {"2016-12-31T18:59:60-05:00", INT64_C(1483228800000000)},
    {"2017-01-01T05:29:60+05:30", INT64_C(1483228800000000)},
    /* zones */
    {"1970-01-01T01:00:00+01:00", 0},
    {"1970-01-01T01:00:00+0100", 0},
    {"1970-01-01T01:00:00+01", 0},
    {"1970-01-01T01:00:00 01:00", 0}, /* a query's + */
    {"1970-01-01T01:00:00 01", 0},
    {"1970-01-01T00:00-0030", INT64_C(1800000000)},
    {"1970-01-01T00:00:00-00:00", 0},
    {"2020-01-01 00:00:00.000000+00", INT64_C(1577836800000000)},
    {"19700101T010000+0100", 0},
};

static void iso_8601_and_milliseconds_are_read(void **state)
{
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (time_parse(good[i].text, &us) != TIME_OK)
            fail_msg("refused: %s", good[i].text);
        if (us != good[i].us)
            fail_msg("%s: %lld", good[i].text, (long long)us);
    }
}

/* Every day, in all three ways of writing it, against the C library. */
static void every_day_of_a_cycle_is_the_c_librarys(void **state)
{
    static const char *const ways[] = {"%Y-%m-%d", "%Y%m%d", "%G-W%V-%u",
                                       "%GW%V%u", "%Y-%j"};
    char text[32];
    int64_t us;

    (void)state;
    for (int64_t day = 4; day < INT64_C(146097); day++) {
        const time_t at = (time_t)(day * 86400);
        struct tm tm;
        if ((int64_t)at != day * 86400)
            break; /* 32 bits: the library knows no later one */
        gmtime_r(&at, &tm);
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
            strftime(text, sizeof(text), ways[i], &tm);
            if (time_parse(text, &us) != TIME_OK ||
                us != day * INT64_C(86400000000))
                fail_msg("%s: %lld", text, (long long)us);
        }
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "now",
                                      "-1",
                                      "1.5",
                                      "10m",
                                      "2026-11",
                                      "2026-13-01",
                                      "2026-02-30",
                                      "2026-02-29",
                                      "2026-00-01",
                                      "2026-01-00",
                                      "2026-04-31",
                                      "20260230",
                                      "2026-1-1",
                                      "1969-12-31",
                                      "2026-366",
                                      "2026-000",
                                      "2026-W00",
                                      "2026-W54",
                                      "2025-W53-1",
                                      "2026-W01-0",
                                      "2026-W01-8",
                                      "2026-W1-1",
                                      "2026-11-21T",
                                      "2026-11-21T25:00",
                                      "2026-11-21T06:60",
                                      "2026-11-21T6:00",
                                      "2026-11-21T06:",
                                      "2026-11-21T06:3",
                                      "2026-11-21T06:32:",
                                      "2026-11-21T06:32:61",
                                      "2026-11-21T24:00:01",
                                      "2026-11-21T24:01",
                                      "2026-11-21T24:00:00.1",
                                      "2026-11-21T12:00:60Z",
                                      "2026-11-21T23:59:60+01:00",
                                      "2026-11-21T06:32:17.",
                                      "2026-11-21T06:32:17,",
                                      "2026-11-21T06:32:17X",
                                      "2026-11-21T06:32Zx",
                                      "2026-11-21T06:32+1",
                                      "2026-11-21T06:32+24:00",
                                      "2026-11-21T06:32+01:60",
                                      "2026-11-21T06:32+01:",
                                      "2026-11-21Z00",
                                      "9999999999999999999",
                                      "1700000000123456"};
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (time_parse(bad[i], &us) != TIME_MALFORMED)
            fail_msg("passed: %s", bad[i]);
}

static void what_looks_like_seconds_is_told_apart(void **state)
{
    static const char *const seconds[] = {"1700000000", "1700000000.123",
                                          "100000000", "99999999999"};
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
        if (time_parse(seconds[i], &us) != TIME_SECONDS)
            fail_msg("passed: %s", seconds[i]);
    assert_int_equal(time_parse("1000", &us), TIME_OK);
    assert_int_equal(us, 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso_8601_and_milliseconds_are_read),
        cmocka_unit_test(every_day_of_a_cycle_is_the_c_librarys),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(what_looks_like_seconds_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
