#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/complaint.h"

static void the_first_is_told_at_once_the_others_once_a_minute(void **state)
{
    struct complaint c = {0};
    uint64_t times = 0;
    (void)state;

    assert_true(complaint_due(&c, 7, &times));
    assert_int_equal(times, 1);
    for (int i = 1; i < 600; i++) /* every 100 ms */
        assert_false(complaint_due(&c, 7 + i * INT64_C(100000), &times));
    assert_true(complaint_due(&c, 7 + COMPLAINT_EVERY_US, &times));
    assert_int_equal(times, 600);
    assert_false(complaint_due(&c, 8 + COMPLAINT_EVERY_US, &times));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_told_at_once_the_others_once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
