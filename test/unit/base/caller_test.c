#include "base/caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct row {
    enum caller_action action;
    const char *topic;
    bool granted;
};

static void check(const struct caller *c, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (caller_may(c, rows[i].action, slice_str(rows[i].topic)) !=
            rows[i].granted)
            fail_msg("%d %s", rows[i].action, rows[i].topic);
}

static void a_token_may_all_below_itself_and_nothing_else(void **state)
{
    static const struct row rows[] = {
        {CALLER_PUBLISH, "tok/a", true},
        {CALLER_PUBLISH, "tok/a/b/c", true},
        {CALLER_MANAGE, "tok/a", true},
        {CALLER_ADMIN, "tok/a", false},
        {CALLER_PUBLISH, "token/a", false},
        {CALLER_PUBLISH, "to/a", false},
        {CALLER_PUBLISH, "/tok/a", false},
        {CALLER_SUBSCRIBE, "tok", true},
        {CALLER_SUBSCRIBE, "tok/#", true},
        {CALLER_SUBSCRIBE, "tok/+/a", true},
        {CALLER_SUBSCRIBE, "#", false},
        {CALLER_SUBSCRIBE, "+", false},
        {CALLER_SUBSCRIBE, "+/a", false},
        {CALLER_SUBSCRIBE, "other/#", false},
        {CALLER_SUBSCRIBE, "$share/g/tok/#", true},
        {CALLER_SUBSCRIBE, "$share/tok/other/#", false},
        {CALLER_SUBSCRIBE, "$share/g/#", false},
        {CALLER_SUBSCRIBE, "$share/g", false},
        {CALLER_SUBSCRIBE, "$events/tok/#", true},
        {CALLER_SUBSCRIBE, "$events/tok/typing/+", true},
        {CALLER_SUBSCRIBE, "$events/tok", false},
        {CALLER_SUBSCRIBE, "$events/other/typing/a", false},
        {CALLER_SUBSCRIBE, "$events/+/typing/a", false},
        {CALLER_SUBSCRIBE, "$events/#", false},
        {CALLER_PUBLISH, "$events/tok/typing/a", true},
        {CALLER_PUBLISH, "$events/other/typing/a", false},
        {CALLER_MANAGE, "$events/tok/typing/a", false},
        {CALLER_SUBSCRIBE, "$SYS/#", false},
        {CALLER_SUBSCRIBE, "$confab/#", false},
        {CALLER_PUBLISH, "$confab/ping", false},
    };
    const struct caller c = caller_of_token(slice_str("tok"), NULL);
    (void)state;

    check(&c, rows, COUNT(rows));
}

static void a_filter_must_not_be_wider_than_one_right(void **state)
{
    static const struct right rights[] = {
        {CALLER_SUBSCRIBE, "rooms/+/state"}, {CALLER_SUBSCRIBE, "public/#"},
        {CALLER_PUBLISH, "rooms/7"},         {CALLER_SUBSCRIBE, "a/b"},
        {CALLER_SUBSCRIBE, "a/c"},           {CALLER_SUBSCRIBE, "one/+"},
    };
    static const struct row rows[] = {
        {CALLER_SUBSCRIBE, "tok/rooms/7/state", true},
        {CALLER_SUBSCRIBE, "tok/rooms/+/state", true},
        {CALLER_SUBSCRIBE, "tok/rooms/#", false},
        {CALLER_SUBSCRIBE, "tok/rooms/+/+", false},
        {CALLER_SUBSCRIBE, "tok/+/7/state", false},
        {CALLER_SUBSCRIBE, "tok/rooms/7/state/x", false},
        {CALLER_SUBSCRIBE, "tok/rooms/7", false},
        {CALLER_SUBSCRIBE, "tok/public", true},
        {CALLER_SUBSCRIBE, "tok/public/#", true},
        {CALLER_SUBSCRIBE, "tok/public/+/x", true},
        {CALLER_SUBSCRIBE, "tok/publicly", false},
        {CALLER_SUBSCRIBE, "tok/+", false},
        {CALLER_SUBSCRIBE, "tok/#", false},
        {CALLER_SUBSCRIBE, "tok", false},
        {CALLER_SUBSCRIBE, "tok/a/+", false},
        {CALLER_SUBSCRIBE, "tok/one/+", true},
        {CALLER_SUBSCRIBE, "tok/one/#", false},
        {CALLER_SUBSCRIBE, "tok/one", false},
        {CALLER_SUBSCRIBE, "$share/g/tok/public/#", true},
        {CALLER_SUBSCRIBE, "$share/g/tok/#", false},
        {CALLER_PUBLISH, "tok/rooms/7", true},
        {CALLER_PUBLISH, "tok/rooms/8", false},
        {CALLER_PUBLISH, "tok/public/x", false},
        {CALLER_MANAGE, "tok/rooms/7", false},
        {CALLER_PUBLISH, "$events/tok/typing/rooms/7", true},
        {CALLER_PUBLISH, "$events/tok/typing/rooms/8", false},
        {CALLER_PUBLISH, "$events/tok/typing/public/x", false},
        {CALLER_SUBSCRIBE, "$events/tok/typing/public/x", true},
        {CALLER_SUBSCRIBE, "$events/tok/+/public/#", true},
        {CALLER_SUBSCRIBE, "$events/tok/typing/rooms/7", false},
        {CALLER_SUBSCRIBE, "$events/tok/typing/#", false},
        {CALLER_SUBSCRIBE, "$events/tok/#", false},
    };
    const struct caller c = {.tenant = slice_str("tok"),
                             .rights = rights,
                             .right_count = COUNT(rights)};
    (void)state;

    check(&c, rows, COUNT(rows));
}

static void a_right_can_name_the_user_and_the_client(void **state)
{
    static const struct right rights[] = {
        {CALLER_PUBLISH, "users/%u/#"},
        {CALLER_PUBLISH, "devices/%c"},
    };
    static const struct row rows[] = {
        {CALLER_PUBLISH, "tok/users/ann", true},
        {CALLER_PUBLISH, "tok/users/ann/mood", true},
        {CALLER_PUBLISH, "tok/users/bob/mood", false},
        {CALLER_PUBLISH, "tok/users/%u/mood", false},
        {CALLER_PUBLISH, "tok/devices/lamp-1", true},
        {CALLER_PUBLISH, "tok/devices/lamp-2", false},
    };
    static const struct row none[] = {
        {CALLER_PUBLISH, "tok/users/a/b", false},
        {CALLER_PUBLISH, "tok/users/+", false},
        {CALLER_PUBLISH, "tok/users/", false},
        {CALLER_PUBLISH, "tok/users", false},
        {CALLER_PUBLISH, "tok/devices/", false},
        {CALLER_PUBLISH, "tok/devices/#", false},
    };
    static const char *const bad[] = {"a/b", "+", "", "#"};
    struct caller c = {.tenant = slice_str("tok"),
                       .user = slice_str("ann"),
                       .client = slice_str("lamp-1"),
                       .rights = rights,
                       .right_count = COUNT(rights)};
    (void)state;

    check(&c, rows, COUNT(rows));
    for (size_t i = 0; i < COUNT(bad); i++) {
        c.user = c.client = slice_str(bad[i]);
        check(&c, none, COUNT(none));
    }
    c.user = c.client = slice_of(NULL, 0);
    check(&c, none, COUNT(none));
}

static void who_has_no_name_may_all_but_dollar(void **state)
{
    static const struct row rows[] = {
        {CALLER_PUBLISH, "a", true},
        {CALLER_PUBLISH, "any/thing", true},
        {CALLER_PUBLISH, "$SYS/x", false},
        {CALLER_PUBLISH, "$events/tok/x/y", true},
        {CALLER_PUBLISH, "$events/not a token/x/y", false},
        {CALLER_PUBLISH, "$confab/ping", false},
        {CALLER_SUBSCRIBE, "#", true},
        {CALLER_SUBSCRIBE, "+/a", true},
        {CALLER_SUBSCRIBE, "$share/g/#", true},
        {CALLER_SUBSCRIBE, "$SYS/#", true},
        {CALLER_SUBSCRIBE, "$events/tok/#", true},
        {CALLER_SUBSCRIBE, "$events", false},
        {CALLER_SUBSCRIBE, "$events/#", false},
        {CALLER_SUBSCRIBE, "$events/+/x", false},
        {CALLER_SUBSCRIBE, "$confab/#", false},
        {CALLER_ADMIN, "a", false},
    };
    const struct caller c = caller_nameless(NULL);
    (void)state;

    check(&c, rows, COUNT(rows));
}

static void an_administrator_may_all(void **state)
{
    static const struct row rows[] = {
        {CALLER_PUBLISH, "$confab/ping", true},
        {CALLER_PUBLISH, "$events/tok/x/y", true},
        {CALLER_PUBLISH, "tok/a", true},
        {CALLER_SUBSCRIBE, "#", true},
        {CALLER_SUBSCRIBE, "$events/#", true},
        {CALLER_SUBSCRIBE, "$share/g/$events/#", true},
        {CALLER_MANAGE, "tok/a", true},
        {CALLER_ADMIN, "tok", true},
    };
    static const struct row of_tenant[] = {
        {CALLER_ADMIN, "tok/a", true},
        {CALLER_PUBLISH, "tok/a", true},
        {CALLER_ADMIN, "other/a", false},
        {CALLER_SUBSCRIBE, "#", false},
        {CALLER_PUBLISH, "$confab/ping", false},
    };
    struct caller c = caller_administrator();
    (void)state;

    check(&c, rows, COUNT(rows));
    c.tenant = slice_str("tok"); /* of one tenant */
    check(&c, of_tenant, COUNT(of_tenant));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_may_all_below_itself_and_nothing_else),
        cmocka_unit_test(a_filter_must_not_be_wider_than_one_right),
        cmocka_unit_test(a_right_can_name_the_user_and_the_client),
        cmocka_unit_test(who_has_no_name_may_all_but_dollar),
        cmocka_unit_test(an_administrator_may_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
