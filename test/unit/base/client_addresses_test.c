/* Connections per client address, and the one total of all. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/net/client_addresses.h"
#include "base/net/connection_budget.h"

static struct client_address address(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const void *p = &v6;

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        p = &v4;
    else
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return client_address_of(p);
}

static void an_address_gets_no_more_than_its_share(void **state)
{
    struct client_addresses *t = client_addresses_new();
    const struct client_address a = address("192.0.2.1"),
                                b = address("192.0.2.2");
    (void)state;

    assert_true(client_addresses_take(t, &a, 2));
    assert_true(client_addresses_take(t, &a, 2));
    assert_false(client_addresses_take(t, &a, 2));
    assert_true(client_addresses_take(t, &b, 2));
    client_addresses_give(t, &a);
    assert_true(client_addresses_take(t, &a, 2));
    assert_false(client_addresses_take(t, &a, 2));
    assert_true(client_addresses_take(t, &a, 0));
    client_addresses_free(t);
}

static void an_ipv6_client_is_its_network(void **state)
{
    struct client_addresses *t = client_addresses_new();
    const struct client_address a = address("2001:db8:0:1::1");
    const struct client_address same = address("2001:db8:0:1:2:3:4:5");
    const struct client_address other = address("2001:db8:0:2::1");
    const struct client_address mapped = address("::ffff:192.0.2.1");
    const struct client_address v4 = address("192.0.2.1");
    (void)state;

    assert_true(client_addresses_take(t, &a, 1));
    assert_false(client_addresses_take(t, &same, 1));
    assert_true(client_addresses_take(t, &other, 1));
    assert_memory_equal(&mapped, &v4, sizeof(v4));
    client_addresses_free(t);
}

static void loopback_is_known(void **state)
{
    static const char *const ours[] = {"127.0.0.1", "127.8.9.1", "::1",
                                       "::ffff:127.0.0.1"};
    static const char *const others[] = {"128.0.0.1", "::2", "fe80::1"};
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        const struct client_address a = address(ours[i]);
        assert_true(client_address_is_loopback(&a));
    }
    for (size_t i = 0; i < 3; i++) {
        const struct client_address a = address(others[i]);
        assert_false(client_address_is_loopback(&a));
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

static char asked[8];
static const char *has_some;

static bool is_asked(char whom)
{
    const size_t n = strlen(asked);

    asked[n] = whom;
    asked[n + 1] = '\0';
    return strchr(has_some, whom) != NULL;
}

static bool http_is_asked(void *arg)
{
    (void)arg;
    return is_asked('h');
}

static bool mqtt_is_asked(void *arg, bool any)
{
    (void)arg;
    return is_asked(any ? 'a' : 's');
}

static void the_silent_go_before_http_and_that_before_newcomers(void **state)
{
    static const char *const cases[][2] = {
        {"sha", "s"}, {"ha", "sh"}, {"a", "sha"}, {"", "sha"}};
    struct connection_budget b;
    (void)state;

    connection_budget_init(&b, 1);
    assert_true(connection_budget_take(&b));
    connection_budget_set_make_room(&b, http_is_asked, NULL);
    connection_budget_set_make_mqtt_room(&b, mqtt_is_asked, NULL);
    for (size_t i = 0; i < 4; i++) {
        has_some = cases[i][0];
        asked[0] = '\0';
        assert_int_equal(connection_budget_take(&b), has_some[0] != '\0');
        assert_string_equal(asked, cases[i][1]);
    }
    connection_budget_release(&b);
}

static void only_loopback_may_have_all(void **state)
{
    const struct client_address far = address("192.0.2.1");
    const struct client_address near = address("::1");
    (void)state;

    assert_int_equal(client_address_most(&far, 0, 10), 3);
    assert_int_equal(client_address_most(&far, 7, 10), 7);
    assert_int_equal(client_address_most(&far, 0, 0), 0);
    assert_int_equal(client_address_most(&near, 0, 10), 0);
    assert_int_equal(client_address_most(&near, 7, 10), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_gets_no_more_than_its_share),
        cmocka_unit_test(an_ipv6_client_is_its_network),
        cmocka_unit_test(loopback_is_known),
        cmocka_unit_test(a_total_of_ten_admits_ten),
        cmocka_unit_test(whoever_has_some_to_spare_makes_room),
        cmocka_unit_test(the_silent_go_before_http_and_that_before_newcomers),
        cmocka_unit_test(only_loopback_may_have_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
