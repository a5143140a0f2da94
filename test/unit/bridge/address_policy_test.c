#include "bridge/outgoing/address_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

static struct address_policy policy;

static const char *refusal_of(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (strchr(text, ':') == NULL) {
        assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
        return address_refusal(&policy, (const void *)&v4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return address_refusal(&policy, (const void *)&v6);
}

static void allow(const char *ranges)
{
    assert_true(cidr_list_parse(ranges, &policy.allow));
}

struct policy_case {
    const char *address, *word; /* of the refusal; NULL: allowed */
};

static void check(const struct policy_case *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *why = refusal_of(lines[i].address);
        if ((why == NULL) != (lines[i].word == NULL) ||
            (why != NULL && strstr(why, lines[i].word) == NULL))
            fail_msg("%s: %s", lines[i].address,
                     why == NULL ? "allowed" : why);
    }
}
#define CHECK(lines) check(lines, sizeof(lines) / sizeof((lines)[0]))

/* Both ends of each range, and its neighbours. */
static void only_public_ipv4_is_allowed(void **state)
{
    static const struct policy_case lines[] = {
        {"0.0.0.0", "this network"},
        {"0.255.255.255", "this network"},
        {"1.0.0.0", NULL},
        {"9.255.255.255", NULL},
        {"10.0.0.0", "private"},
        {"10.255.255.255", "private"},
        {"11.0.0.0", NULL},
        {"100.63.255.255", NULL},
        {"100.64.0.0", "carrier"},
        {"100.127.255.255", "carrier"},
        {"100.128.0.0", NULL},
        {"126.255.255.255", NULL},
        {"127.0.0.1", "loopback"},
        {"127.255.255.255", "loopback"},
        {"128.0.0.0", NULL},
        {"169.253.255.255", NULL},
        {"169.254.0.0", "link-local"},
        {"169.254.169.253", "link-local"},
        {"169.254.169.254", "metadata"},
        {"169.254.255.255", "link-local"},
        {"169.255.0.0", NULL},
        {"172.15.255.255", NULL},
        {"172.16.0.0", "private"},
        {"172.31.255.255", "private"},
        {"172.32.0.0", NULL},
        {"192.0.0.170", "reserved"},
        {"192.0.2.1", "documentation"},
        {"192.88.99.1", "reserved"},
        {"192.167.255.255", NULL},
        {"192.168.0.0", "private"},
        {"192.168.255.255", "private"},
        {"192.169.0.0", NULL},
        {"198.17.255.255", NULL},
        {"198.18.0.0", "benchmarks"},
        {"198.19.255.255", "benchmarks"},
        {"198.20.0.0", NULL},
        {"198.51.100.7", "documentation"},
        {"203.0.113.7", "documentation"},
        {"223.255.255.255", NULL},
        {"224.0.0.0", "multicast"},
        {"239.255.255.255", "multicast"},
        {"240.0.0.0", "reserved"},
        {"255.255.255.255", "reserved"},
    };

    (void)state;
    CHECK(lines);
}

static void only_public_ipv6_is_allowed(void **state)
{
    static const struct policy_case lines[] = {
        {"::", "reserved"},
        {"::1", "loopback"},
        {"::2", "reserved"},
        {"::127.0.0.1", "reserved"}, /* IPv4-compatible */
        {"100::1", "reserved"},      /* discard */
        {"1fff:ffff::1", "reserved"},
        {"2000::1", NULL},
        {"2001::1", "reserved"}, /* Teredo */
        {"2001:1ff:ffff::1", "reserved"},
        {"2001:200::1", NULL},
        {"2001:db8::1", "documentation"},
        {"2001:db9::1", NULL},
        {"2606:4700::1111", NULL},
        {"3fff:fff::1", "documentation"},
        {"3fff:1000::1", NULL},
        {"4000::1", "reserved"},
        {"5f00::1", "reserved"},
        {"64:ff9b:1::a00:1", "reserved"},
        {"fc00::1", "unique local"},
        {"fd00:ec2::254", "unique local"}, /* a metadata service */
        {"fdff:ffff::1", "unique local"},
        {"fe80::1", "link-local"},
        {"febf::1", "link-local"},
        {"fec0::1", "reserved"}, /* site-local */
        {"ff02::1", "multicast"},
    };

    (void)state;
    CHECK(lines);
}

static void ipv4_inside_ipv6_is_judged_as_ipv4(void **state)
{
    static const struct policy_case lines[] = {
        {"::ffff:127.0.0.1", "loopback"},
        {"::ffff:169.254.169.254", "metadata"},
        {"::ffff:8.8.8.8", NULL},
        {"::ffff:0:10.0.0.1", "private"},
        {"64:ff9b::10.0.0.1", "private"},
        {"64:ff9b::8.8.8.8", NULL},
        {"2002:a00:1::1", "private"},   /* 10.0.0.1 */
        {"2002:7f00:1::1", "loopback"}, /* 127.0.0.1 */
        {"2002:a9fe:a9fe::", "metadata"},
        {"2002:808:808::1", NULL}, /* 8.8.8.8 */
    };

    (void)state;
    CHECK(lines);
}

static void what_the_operator_allows_is_allowed(void **state)
{
    static const struct policy_case lines[] = {
        {"127.0.0.1", NULL},
        {"10.1.2.3", NULL},
        {"10.2.0.0", "private"},
        {"::ffff:10.1.2.3", NULL},
        {"64:ff9b::10.1.2.3", NULL},
        {"2002:a01:203::1", NULL},
        {"::ffff:10.2.0.1", "private"},
        {"fd12::1", NULL},
        {"fd13::1", "unique local"},
        {"::1", "loopback"}, /* 127.0.0.0/8 does not mean it */
    };

    (void)state;
    allow("127.0.0.0/8 10.1.0.0/16 fd12::/16");
    CHECK(lines);
    allow("::ffff:0:0/96");
    assert_null(refusal_of("::ffff:10.9.9.9"));
    assert_non_null(refusal_of("10.9.9.9"));
    allow("");
    assert_non_null(refusal_of("127.0.0.1"));
}

static void other_families_are_refused(void **state)
{
    const struct sockaddr_un local = {.sun_family = AF_UNIX};

    (void)state;
    allow("0.0.0.0/0 ::/0");
    assert_non_null(address_refusal(&policy, (const void *)&local));
    allow("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_public_ipv4_is_allowed),
        cmocka_unit_test(only_public_ipv6_is_allowed),
        cmocka_unit_test(ipv4_inside_ipv6_is_judged_as_ipv4),
        cmocka_unit_test(what_the_operator_allows_is_allowed),
        cmocka_unit_test(other_families_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
