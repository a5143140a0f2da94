/* The range of addresses that one client has, as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/net/address_range.h"

static void assert_range(const char *text, const char *range)
{
    char out[ADDRESS_RANGE_MAX];
    const size_t len = address_range(slice_str(text), out);

    assert_int_equal(len, slice_str(range).len);
    assert_memory_equal(out, range, len);
}

static void spellings_of_one_client_are_one_range(void **state)
{
    (void)state;
    assert_range("192.0.2.7", "192.0.2.7");
    assert_range("192.0.2.7:1883", "192.0.2.7");
    assert_range("::ffff:192.0.2.7", "192.0.2.7");
    assert_range("[::ffff:192.0.2.7]:80", "192.0.2.7");
    assert_range("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
    assert_range("[2001:DB8:1:2::9]:1883", "2001:db8:1:2::/64");
    assert_range("2001:db8:1:2::/64", "2001:db8:1:2::/64");
    assert_range("2001:db8::", "2001:db8::/64");
    assert_range("::1", "::/64");
}

static void what_is_no_address_has_no_range(void **state)
{
    (void)state;
    assert_range("", "");
    assert_range("ann", "");
    assert_range("unix", "");
    assert_range("192.0.2", "");
    assert_range("[2001:db8::1", "");
    assert_range("2001:db8::/48", "");
    assert_range("2001:db8:1:2:3:4:5:6:7", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_client_are_one_range),
        cmocka_unit_test(what_is_no_address_has_no_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
