/* Connections per client address, and the one total of all. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/connection_budget.h"
#include "bridge/http_addresses.h"

static struct http_address address(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const void *p = &v6;

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        p = &v4;
    else
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return http_address_of(p);
}

static void an_address_gets_no_more_than_its_share(void **state)
{
    struct http_addresses *t = http_addresses_new();
    const struct http_address a = address("192.0.2.1"),
                              b = address("192.0.2.2");
    (void)state;

    assert_true(http_addresses_take(t, &a, 2));
    assert_true(http_addresses_take(t, &a, 2));
    assert_false(http_addresses_take(t, &a, 2));
    assert_true(http_addresses_take(t, &b, 2));
    http_addresses_give(t, &a);
    assert_true(http_addresses_take(t, &a, 2));
    assert_false(http_addresses_take(t, &a, 2));
    assert_true(http_addresses_take(t, &a, 0));
    http_addresses_free(t);
}

static void an_ipv6_client_is_its_network(void **state)
{
    struct http_addresses *t = http_addresses_new();
    const struct http_address a = address("2001:db8:0:1::1");
    const struct http_address same = address("2001:db8:0:1:2:3:4:5");
    const struct http_address other = address("2001:db8:0:2::1");
    const struct http_address mapped = address("::ffff:192.0.2.1");
    const struct http_address v4 = address("192.0.2.1");
    (void)state;

    assert_true(http_addresses_take(t, &a, 1));
    assert_false(http_addresses_take(t, &same, 1));
    assert_true(http_addresses_take(t, &other, 1));
    assert_memory_equal(&mapped, &v4, sizeof(v4));
    http_addresses_free(t);
}

static void loopback_is_known(void **state)
{
    static const char *const ours[] = {"127.0.0.1", "127.8.9.1", "::1",
                                       "::ffff:127.0.0.1"};
    static const char *const others[] = {"128.0.0.1", "::2", "fe80::1"};
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        const struct http_address a = address(ours[i]);
        assert_true(http_address_is_loopback(&a));
    }
    for (size_t i = 0; i < 3; i++) {
        const struct http_address a = address(others[i]);
        assert_false(http_address_is_loopback(&a));
    }
}

static unsigned spare;

static bool give_one_up(void *arg)
{
    (void)arg;
    return spare > 0 && spare-- > 0;
}

static void a_total_of_ten_admits_ten(void **state)
{
    struct connection_budget b;
    (void)state;

    connection_budget_init(&b, 10);
    for (int i = 0; i < 10; i++)
        assert_true(connection_budget_take(&b));
    assert_false(connection_budget_take(&b));
    connection_budget_give(&b);
    assert_true(connection_budget_take(&b));
    assert_false(connection_budget_take(&b));
    connection_budget_release(&b);
}

static void whoever_has_some_to_spare_makes_room(void **state)
{
    struct connection_budget b;
    (void)state;

    connection_budget_init(&b, 1);
    connection_budget_set_make_room(&b, give_one_up, NULL);
    spare = 1;
    assert_true(connection_budget_take(&b));
    assert_int_equal(spare, 1);
    assert_true(connection_budget_take(&b));
    assert_int_equal(spare, 0);
    assert_false(connection_budget_take(&b));
    assert_int_equal(atomic_load(&b.used), 1);
    connection_budget_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_gets_no_more_than_its_share),
        cmocka_unit_test(an_ipv6_client_is_its_network),
        cmocka_unit_test(loopback_is_known),
        cmocka_unit_test(a_total_of_ten_admits_ten),
        cmocka_unit_test(whoever_has_some_to_spare_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
