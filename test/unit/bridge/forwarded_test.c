/* Who a client is behind trusted proxies, and the lists of those. */
#include "bridge/http/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

static struct address_list trusted;

static struct slice header(const char *text)
{
    return text == NULL ? slice_of(NULL, 0) : slice_str(text);
}

/* "": nobody can say. */
static const char *client(const char *forwarded, const char *x_forwarded_for)
{
    static char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (!forwarded_client(header(forwarded), header(x_forwarded_for), &trusted,
                          &address))
        return "";
    inet_ntop(AF_INET6, &address, text, sizeof(text));
    return IN6_IS_ADDR_V4MAPPED(&address) ? text + strlen("::ffff:") : text;
}

#define IS(forwarded, x_forwarded_for, want)                                  \
    assert_string_equal(client(forwarded, x_forwarded_for), want)

static void x_forwarded_for_is_read_from_the_right(void **state)
{
    (void)state;
    IS(NULL, "192.0.2.1", "192.0.2.1");
    IS(NULL, "1.1.1.1, 192.0.2.1", "192.0.2.1");
    IS(NULL, "1.1.1.1, 192.0.2.1 ,10.0.0.5,\t127.0.0.1", "192.0.2.1");
    IS(NULL, "nonsense\", 192.0.2.1, 10.0.0.5", "192.0.2.1");
    IS(NULL, "10.0.0.7, 10.0.0.5", "10.0.0.7"); /* a proxy asks itself */
    IS(NULL, "2001:db8::7", "2001:db8::7");
    IS(NULL, "[2001:db8::7]:80", "2001:db8::7");
    IS(NULL, "192.0.2.1:4711", "192.0.2.1");
}

static void forwarded_is_read_from_the_right(void **state)
{
    (void)state;
    IS("for=192.0.2.1", NULL, "192.0.2.1");
    IS("for=\"192.0.2.1:80\";proto=https;by=203.0.113.43", NULL, "192.0.2.1");
    IS("proto=http;For=\"[2001:db8:cafe::17]:4711\"", NULL,
       "2001:db8:cafe::17");
    IS("for=1.1.1.1, for=192.0.2.1;host=\"a,b;c\\\"\", for=10.0.0.5", NULL,
       "192.0.2.1");
    IS("for=_hidden, for=192.0.2.1", NULL, "192.0.2.1");
}

static void what_is_malformed_or_unknown_says_nothing(void **state)
{
    (void)state;
    IS(NULL, NULL, "");
    IS(NULL, "", "");
    IS(NULL, "unknown", "");
    IS(NULL, "1.1.1.1, unknown, 10.0.0.5", "");
    IS(NULL, "1.1.1.1, ", "");
    IS(NULL, "1.1.1.1, 192.0.2.256", "");
    IS(NULL, "[192.0.2.1]", "");
    IS(NULL, "[2001:db8::7", "");
    IS("for=unknown", NULL, "");
    IS("for=_secret", NULL, "");
    IS("for=", NULL, "");
    IS("by=192.0.2.1", NULL, "");
    IS("for=\"192.0.2.1", NULL, "");
    IS("for=192.0.2.1;for=192.0.2.2", NULL, "");
    IS("for=\"192.0.2.1\\", NULL, "");
}

/* The proxy set one; the other may be what the client sent. */
static void two_headers_must_agree(void **state)
{
    (void)state;
    IS("for=192.0.2.1", "192.0.2.1", "192.0.2.1");
    IS("for=1.1.1.1", "192.0.2.1", "");
    IS("for=192.0.2.1", "", "");
}

static void hostile_headers_are_bounded(void **state)
{
    static char text[200000];
    size_t len = 0;
    (void)state;

    while (len + 30 < sizeof(text)) {
        memcpy(text + len, "10.0.0.5,", 9);
        len += 9;
    }
    memcpy(text + len, "10.0.0.5", 9);
    IS(NULL, text, ""); /* more hops than anybody has */
    memcpy(text + len - 9, ",1.1.1.1", 8);
    IS(NULL, text, "1.1.1.1");
    memset(text, ',', sizeof(text) - 1);
    IS(NULL, text, "");
    IS(text, NULL, "");
    memset(text, '"', sizeof(text) - 2);
    IS(text, NULL, "");
}

static bool lists(const char *text, const char *address)
{
    struct address_list list = {0};
    struct in6_addr a;
    struct slice bad;

    if (!address_list_add(&list, slice_str(text), &bad))
        fail_msg("%s", text);
    assert_true(address_parse(slice_str(address), &a));
    return address_list_has(&list, &a);
}

static void networks_end_at_their_bits(void **state)
{
    static const char *const bad[] = {
        "x",         "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129",
        "localhost", "10.0.0.1:80", "[::1]",     "10.0.0/8",    "/8"};
    (void)state;

    assert_true(lists("10.0.0.0/8", "10.255.255.255"));
    assert_true(lists("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert_false(lists("10.0.0.0/8", "11.0.0.0"));
    assert_true(lists("192.0.2.128/25", "192.0.2.128"));
    assert_false(lists("192.0.2.128/25", "192.0.2.127"));
    assert_true(lists("fd00::/7 ,192.0.2.7", "fc00::1"));
    assert_true(lists("fd00::/7 ,192.0.2.7", "192.0.2.7"));
    assert_false(lists("fd00::/7 ,192.0.2.7", "192.0.2.8"));
    assert_true(lists("0.0.0.0/0", "1.2.3.4"));
    assert_false(lists("0.0.0.0/0", "2001:db8::1"));
    assert_true(lists("::/0", "1.2.3.4"));
    assert_false(lists("", "::"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct address_list list = {0};
        struct slice part;
        if (address_list_add(&list, slice_str(bad[i]), &part))
            fail_msg("%s is taken", bad[i]);
        assert_true(slice_eq(part, slice_str(bad[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x_forwarded_for_is_read_from_the_right),
        cmocka_unit_test(forwarded_is_read_from_the_right),
        cmocka_unit_test(what_is_malformed_or_unknown_says_nothing),
        cmocka_unit_test(two_headers_must_agree),
        cmocka_unit_test(hostile_headers_are_bounded),
        cmocka_unit_test(networks_end_at_their_bits),
    };
    struct slice bad;

    if (!address_list_add(&trusted, slice_str("10.0.0.0/8, 127.0.0.1"), &bad))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
