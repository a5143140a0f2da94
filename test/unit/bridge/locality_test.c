#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/http/locality.h"

static void hosts_that_only_this_machine_goes_by_are_loopback(void **state)
{
    static const char *const yes[] = {
        "localhost",    "LocalHost:8080",    "localhost.",
        "localhost.:1", "app.localhost",     "a.b.localhost:1",
        "127.0.0.1",    "127.9.8.7:65535",   "[::1]",
        "[::1]:8080",   "[0:0:0:0:0:0:0:1]", "localhost:",
    };
    static const char *const no[] = {
        "",
        ":80",
        "x",
        "evil.example",
        "localhost.evil.example",
        "notlocalhost",
        ".evil.localhost.example",
        "127.1",
        "127.0.0.1.evil.example",
        "128.0.0.1",
        "0.0.0.0",
        "[::]",
        "[fe80::1]",
        "[::1",
        "::1",
        "[::1]x",
        "localhost:80x",
        "localhost:123456",
        "local host",
        "localhost,evil.example",
        "evil.example@localhost/",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        if (!host_is_loopback(slice_str(yes[i])))
            fail_msg("'%s' is loopback", yes[i]);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        if (host_is_loopback(slice_str(no[i])))
            fail_msg("'%s' is not loopback", no[i]);
    assert_false(host_is_loopback(slice_of("localhost\0x", 11)));
    assert_false(host_is_loopback(slice_of(NULL, 0)));
}

static void an_origin_is_loopback_by_its_host(void **state)
{
    (void)state;
    assert_true(origin_is_loopback(slice_str("http://localhost:3000")));
    assert_true(origin_is_loopback(slice_str("https://127.0.0.1")));
    assert_true(origin_is_loopback(slice_str("http://[::1]:1")));
    assert_false(origin_is_loopback(slice_str("null")));
    assert_false(origin_is_loopback(slice_str("")));
    assert_false(origin_is_loopback(slice_str("localhost")));
    assert_false(origin_is_loopback(slice_str("://localhost")));
    assert_false(origin_is_loopback(slice_str("https://evil.example")));
    assert_false(
        origin_is_loopback(slice_str("https://localhost.evil.example")));
    assert_false(
        origin_is_loopback(slice_str("http://evil.example http://localhost")));
    assert_false(origin_is_loopback(slice_str("file://")));
}

static void headers_of_proxies_are_known_by_name(void **state)
{
    (void)state;
    assert_true(is_proxy_header("forwarded"));
    assert_true(is_proxy_header("VIA"));
    assert_true(is_proxy_header("X-Real-Ip"));
    assert_true(is_proxy_header("x-forwarded-for"));
    assert_true(is_proxy_header("X-Forwarded-"));
    assert_false(is_proxy_header("X-Forward"));
    assert_false(is_proxy_header("Viaduct"));
    assert_false(is_proxy_header("Host"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_that_only_this_machine_goes_by_are_loopback),
        cmocka_unit_test(an_origin_is_loopback_by_its_host),
        cmocka_unit_test(headers_of_proxies_are_known_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
