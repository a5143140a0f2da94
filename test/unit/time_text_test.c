#include "bridge/time_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void iso_8601_and_milliseconds_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"0", 0},
        {"1700000000123", INT64_C(1700000000123000)},
        {"1970-01-01", 0},
        {"1970-01-01T00:00:01Z", 1000000},
        {"1970-01-01T00:00:01.5Z", 1500000},
        {"1970-01-01T00:00:01.123456789Z", 1123456},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1970-01-01T01:00:00 01:00", 0}, /* a query's + */
        {"1970-01-01T00:00-0030", INT64_C(1800000000)},
        {"2000-02-29T00:00:00", INT64_C(951782400000000)},
        {"2026-11-21 06:32:17", INT64_C(1795242737000000)},
    };
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!time_parse(good[i].text, &us))
            fail_msg("refused: %s", good[i].text);
        if (us != good[i].us)
            fail_msg("%s: %lld", good[i].text, (long long)us);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "now", "-1", "1.5", "2026-11", "2026-13-01", "2026-02-30", "2026-1-1",
        "2026-11-21T", "2026-11-21T25:00", "2026-11-21T06:60",
        "2026-11-21T06:32:17.", "2026-11-21T06:32:17X", "2026-11-21T06:32Zx",
        "2026-11-21T06:32+1", "9999999999999999999"};
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (time_parse(bad[i], &us))
            fail_msg("passed: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso_8601_and_milliseconds_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
