#include "bridge/http/creations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000000)

static void an_address_gets_its_number_each_hour(void **state)
{
    struct creations *cs = creations_new(2);
    const struct slice a = slice_of("\1\2\3\4", 4),
                       b = slice_of("\1\2\3\5", 4);
    uint32_t retry = 0;

    (void)state;
    assert_true(creations_take(cs, a, 1, &retry));
    assert_true(creations_take(cs, a, 2, &retry));
    assert_false(creations_take(cs, a, 1 + HOUR / 2, &retry));
    assert_int_equal(retry, 1801);
    assert_true(creations_take(cs, b, 3, &retry));
    creations_give_back(cs, a);
    assert_true(creations_take(cs, a, 4, &retry));
    assert_false(creations_take(cs, a, HOUR, &retry));
    assert_true(creations_take(cs, a, 1 + HOUR, &retry));
    creations_free(cs);
}

static void ipv6_counts_by_64_and_mapped_ipv4_as_ipv4(void **state)
{
    struct creations *cs = creations_new(1);
    unsigned char six[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 9};
    unsigned char mapped[16] = {0, 0, 0,    0,    0, 0, 0, 0,
                                0, 0, 0xff, 0xff, 1, 2, 3, 4};
    uint32_t retry;

    (void)state;
    assert_true(creations_take(cs, slice_of(six, 16), 1, &retry));
    six[15] = 77;
    assert_false(creations_take(cs, slice_of(six, 16), 1, &retry));
    six[7] = 2;
    assert_true(creations_take(cs, slice_of(six, 16), 1, &retry));
    assert_true(creations_take(cs, slice_of(mapped, 16), 1, &retry));
    mapped[15] = 5;
    assert_true(creations_take(cs, slice_of(mapped, 16), 1, &retry));
    assert_false(creations_take(cs, slice_of("\1\2\3\4", 4), 1, &retry));
    creations_free(cs);
}

static void zero_means_no_limit(void **state)
{
    struct creations *cs = creations_new(0);
    uint32_t retry;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(creations_take(cs, slice_of("\1\2\3\4", 4), 1, &retry));
    creations_free(cs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_gets_its_number_each_hour),
        cmocka_unit_test(ipv6_counts_by_64_and_mapped_ipv4_as_ipv4),
        cmocka_unit_test(zero_means_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
