#include "base/cidr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>

static bool parse(const char *text, struct cidr *ret)
{
    return cidr_parse(slice_str(text), ret);
}

static bool contains(const char *range, const char *address)
{
    struct cidr r;
    uint8_t bytes[16];
    const bool is_ipv6 = strchr(address, ':') != NULL;

    assert_true(parse(range, &r));
    assert_int_equal(inet_pton(is_ipv6 ? AF_INET6 : AF_INET, address, bytes),
                     1);
    return cidr_contains(&r, bytes, is_ipv6);
}

static void a_range_contains_what_shares_its_prefix(void **state)
{
    (void)state;
    assert_true(contains("10.0.0.0/8", "10.255.0.1"));
    assert_false(contains("10.0.0.0/8", "11.0.0.0"));
    assert_true(contains("100.64.0.0/10", "100.127.255.255"));
    assert_false(contains("100.64.0.0/10", "100.128.0.0"));
    assert_true(contains("192.168.1.5", "192.168.1.5"));
    assert_false(contains("192.168.1.5", "192.168.1.4"));
    assert_true(contains("192.168.1.5/24", "192.168.1.200"));
    assert_true(contains("0.0.0.0/0", "255.1.2.3"));
    assert_true(contains("fd00::/8", "fdff::1"));
    assert_false(contains("fd00::/8", "fc00::1"));
    assert_true(contains("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(contains("::1", "::1"));
    assert_false(contains("::1", "::2"));
}

static void families_are_apart(void **state)
{
    (void)state;
    assert_false(contains("0.0.0.0/0", "::1"));
    assert_false(contains("::/0", "1.2.3.4"));
    assert_false(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
}

static void what_is_no_range_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0/8",
        "::/129",
        "10.0.0.0/a",
        "10.0.0.0/-1",
        "localhost",
        "10.0.0.0/0008",
        "1.2.3.4/8/8",
        "::1%lo",
        "fe80::1%1/64",
    };
    struct cidr range;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse(bad[i], &range))
            fail_msg("'%s' was accepted", bad[i]);
    assert_false(cidr_parse(slice_of("1.2.3.4\0", 8), &range));
}

static void a_list_has_blanks_or_commas(void **state)
{
    struct cidr_list list = {.count = 7};
    static const uint8_t inside[] = {127, 1, 2, 3}, outside[] = {8, 8, 8, 8};

    (void)state;
    assert_true(cidr_list_parse(" 10.0.0.0/8,127.0.0.0/8 , ::1\t", &list));
    assert_int_equal(list.count, 3);
    assert_true(cidr_list_contains(&list, inside, false));
    assert_false(cidr_list_contains(&list, outside, false));
    assert_false(cidr_list_parse("10.0.0.0/8 nonsense", &list));
    assert_int_equal(list.count, 3);
    assert_true(cidr_list_parse("", &list));
    assert_int_equal(list.count, 0);
    assert_false(cidr_list_contains(&list, inside, false));
}

static void a_list_is_bounded(void **state)
{
    char text[CIDR_LIST_MAX * 8 + 16] = "";
    struct cidr_list list;

    (void)state;
    for (size_t i = 0; i < CIDR_LIST_MAX; i++)
        strcat(text, "1.2.3.4 ");
    assert_true(cidr_list_parse(text, &list));
    strcat(text, "1.2.3.4");
    assert_false(cidr_list_parse(text, &list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_contains_what_shares_its_prefix),
        cmocka_unit_test(families_are_apart),
        cmocka_unit_test(what_is_no_range_is_refused),
        cmocka_unit_test(a_list_has_blanks_or_commas),
        cmocka_unit_test(a_list_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
