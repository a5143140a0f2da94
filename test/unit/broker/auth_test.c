#include "broker/client/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct caller caller_of(enum role role, struct slice token)
{
    struct caller c = role == ROLE_ADMIN   ? caller_administrator()
                      : role == ROLE_TOKEN ? caller_of_token(token, NULL)
                                           : caller_nameless(NULL);

    c.client = slice_str("client");
    return c;
}

static enum publish_verdict publish_of(enum role role, struct slice token,
                                       struct slice topic)
{
    const struct caller c = caller_of(role, token);

    return auth_publish(role, &c, topic);
}

static uint8_t subscribe_of(enum role role, struct slice token,
                            struct slice filter)
{
    const struct caller c = caller_of(role, token);

    return auth_subscribe(&c, filter);
}

static void token_clients_publish_under_their_token_only(void **state)
{
    static const struct {
        const char *topic;
        enum publish_verdict verdict;
    } rows[] = {
        {"tok/lamp", PUBLISH_STORE},
        {"tok/a/b/c", PUBLISH_STORE},
        {"other/lamp", PUBLISH_FOREIGN},
        {"tokk/lamp", PUBLISH_FOREIGN},
        {"to/lamp", PUBLISH_FOREIGN},
        {"/tok/lamp", PUBLISH_FOREIGN},
        {"$SYS/x", PUBLISH_FOREIGN},
        {"$SYS/broker/connection/host.name/state", PUBLISH_DROP},
        {"$SYS/broker/connection/a/b/state", PUBLISH_DROP},
        {"$SYS/broker/connection//state", PUBLISH_FOREIGN},
        {"$SYS/broker/connection/state", PUBLISH_FOREIGN},
        {"$SYS/broker/connection/a/states", PUBLISH_FOREIGN},
        {"$SYS/broker/clients/a/state", PUBLISH_FOREIGN},
        {"$events/tok/a/b", PUBLISH_EVENT},
        {"$events/tok/a/b/c", PUBLISH_EVENT},
        {"$events/other/a/b", PUBLISH_FOREIGN},
        {"$events/tok/a", PUBLISH_INVALID},
        {"$events/tok/a/", PUBLISH_INVALID},
        {"$events/tok/a.b/c", PUBLISH_INVALID},
        {"$events/tok/revoked/b", PUBLISH_RESERVED},
        {"$events/tok/key_revoked/b", PUBLISH_RESERVED},
        {"$events/tok/changed/b", PUBLISH_RESERVED},
        {"$events/tok/edit/b", PUBLISH_RESERVED},
        {"$events/tok/delete/b", PUBLISH_RESERVED},
        {"$events/tok/purge/b", PUBLISH_RESERVED},
        {"$events/tok/message/b", PUBLISH_RESERVED},
        {"$confab/ping", PUBLISH_FOREIGN},
        {"tok", PUBLISH_INVALID},
        {"tok/", PUBLISH_INVALID},
        {"tok//a", PUBLISH_INVALID},
        {"tok/$a", PUBLISH_INVALID},
        {"tok/a\tb", PUBLISH_INVALID},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (publish_of(ROLE_TOKEN, slice_str("tok"),
                       slice_str(rows[i].topic)) != rows[i].verdict)
            fail_msg("%s", rows[i].topic);
}

static void nameless_clients_have_all_topics_but_dollar(void **state)
{
    const struct slice none = slice_of(NULL, 0);
    (void)state;

    assert_int_equal(publish_of(ROLE_NAMELESS, none, slice_str("a")),
                     PUBLISH_STORE);
    assert_int_equal(publish_of(ROLE_NAMELESS, none, slice_str("any/thing")),
                     PUBLISH_STORE);
    assert_int_equal(publish_of(ROLE_NAMELESS, none, slice_str("$other/x")),
                     PUBLISH_DROP);
    assert_int_equal(publish_of(ROLE_NAMELESS, none, slice_str("$SYS/x")),
                     PUBLISH_FOREIGN);
    assert_int_equal(publish_of(ROLE_NAMELESS, none,
                                slice_str("$SYS/broker/connection/a/state")),
                     PUBLISH_DROP);
    assert_int_equal(publish_of(ROLE_NAMELESS, none,
                                slice_str("$confab/ping")),
                     PUBLISH_DROP);
}

static void administrators_order_and_tell_events(void **state)
{
    static const struct {
        const char *topic;
        enum publish_verdict verdict;
    } rows[] = {
        {"tok/lamp", PUBLISH_STORE},
        {"sensors", PUBLISH_STORE},
        {"$confab/ping", PUBLISH_COMMAND},
        {"$events/tok/typing/room", PUBLISH_EVENT},
        {"$events/tok", PUBLISH_INVALID},
        {"$events/not a token/x", PUBLISH_INVALID},
        {"$other/x", PUBLISH_INVALID},
        {"$SYS/broker/uptime", PUBLISH_FOREIGN},
        {"$SYS", PUBLISH_FOREIGN},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (publish_of(ROLE_ADMIN, slice_of(NULL, 0),
                       slice_str(rows[i].topic)) != rows[i].verdict)
            fail_msg("%s", rows[i].topic);
}

static void filters_must_name_the_token(void **state)
{
    static const struct {
        enum role role;
        const char *filter;
        unsigned reason;
    } rows[] = {
        {ROLE_TOKEN, "tok/#", 0},
        {ROLE_TOKEN, "tok/+/a", 0},
        {ROLE_TOKEN, "tok", 0},
        {ROLE_TOKEN, "$events/tok/#", 0},
        {ROLE_TOKEN, "$events/tok/typing/+", 0},
        {ROLE_TOKEN, "#", 0x87},
        {ROLE_TOKEN, "+/a", 0x87},
        {ROLE_TOKEN, "other/#", 0x87},
        {ROLE_TOKEN, "$events/#", 0x87},
        {ROLE_TOKEN, "$events/+/x", 0x87},
        {ROLE_TOKEN, "$events/other/x", 0x87},
        {ROLE_TOKEN, "$SYS/#", 0x87},
        {ROLE_TOKEN, "tok/#/a", 0x8f},
        {ROLE_TOKEN, "tok/a+", 0x8f},
        {ROLE_TOKEN, "$share/g/tok/#", 0},
        {ROLE_TOKEN, "$share/g/$events/tok/#", 0},
        {ROLE_TOKEN, "$share/g/other/#", 0x87},
        {ROLE_TOKEN, "$share/g/#", 0x87},
        {ROLE_TOKEN, "$share/tok/", 0x8f},
        {ROLE_TOKEN, "$share//tok/a", 0x8f},
        {ROLE_TOKEN, "$share/+/tok/a", 0x8f},
        {ROLE_TOKEN, "$share/g#/tok/a", 0x8f},
        {ROLE_TOKEN, "$share/g/tok/#/a", 0x8f},
        {ROLE_TOKEN, "$share/g", 0x8f},
        {ROLE_TOKEN, "tok/caf\xc3\xa9/#", 0},
        {ROLE_TOKEN, "tok/a\x01/#", 0x8f},
        {ROLE_TOKEN, "tok/a\x7f", 0x8f},
        {ROLE_TOKEN, "tok/\xc2\x85/+", 0x8f},            /* U+0085 */
        {ROLE_TOKEN, "tok/\xef\xbf\xbf/#", 0x8f},        /* U+FFFF */
        {ROLE_TOKEN, "tok/\xf0\x9f\xbf\xbe", 0x8f},      /* U+1FFFE */
        {ROLE_TOKEN, "$share/g/tok/\xef\xb7\x90", 0x8f}, /* U+FDD0 */
        {ROLE_TOKEN, "$share/\x01/tok/a", 0x8f},
        {ROLE_NAMELESS, "a\x01/#", 0x8f},
        {ROLE_ADMIN, "a\x01/#", 0x8f},
        {ROLE_NAMELESS, "#", 0},
        {ROLE_NAMELESS, "+/a", 0},
        {ROLE_NAMELESS, "$SYS/#", 0},
        {ROLE_NAMELESS, "$events/tok/#", 0},
        {ROLE_NAMELESS, "$events/#", 0x87},
        {ROLE_NAMELESS, "$events/+/x", 0x87},
        {ROLE_NAMELESS, "$events", 0x87},
        {ROLE_NAMELESS, "$confab/#", 0x87},
        {ROLE_ADMIN, "#", 0},
        {ROLE_ADMIN, "$events/#", 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (subscribe_of(rows[i].role, slice_str("tok"),
                         slice_str(rows[i].filter)) != rows[i].reason)
            fail_msg("%s", rows[i].filter);
}

static void the_largest_packet_follows_from_the_plan(void **state)
{
    struct config c;
    (void)state;

    config_defaults(&c);
    assert_int_equal(auth_packet_max(&c, config_plan(&c, slice_str("free"))),
                     10240 + PACKET_OVERHEAD_MAX);
    /* administrators carry what any plan allows */
    assert_int_equal(auth_packet_max(&c, NULL), 1048576 + PACKET_OVERHEAD_MAX);
    c.plans[0].payload_max = 0; /* no limit: then ours */
    assert_int_equal(auth_packet_max(&c, &c.plans[0]),
                     AUTH_PAYLOAD_MAX + PACKET_OVERHEAD_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_clients_publish_under_their_token_only),
        cmocka_unit_test(nameless_clients_have_all_topics_but_dollar),
        cmocka_unit_test(administrators_order_and_tell_events),
        cmocka_unit_test(filters_must_name_the_token),
        cmocka_unit_test(the_largest_packet_follows_from_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
