#include "bridge/stream/subscriptions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/link/link.h"

/* In place of the link: what it was asked for, as text. */
static char asked[512];
static int room; /* how many more it takes */

static bool take(char sign, struct slice filter)
{
    const size_t len = strlen(asked);

    if (room == 0)
        return false;
    room--;
    snprintf(asked + len, sizeof(asked) - len, "%c%.*s ", sign,
             (int)filter.len, (const char *)filter.data);
    return true;
}

bool link_subscribe(struct link *l, struct slice filter)
{
    (void)l;
    return take('+', filter);
}

bool link_unsubscribe(struct link *l, struct slice filter)
{
    (void)l;
    return take('-', filter);
}

static void check_asked(const char *expected)
{
    assert_string_equal(asked, expected);
    asked[0] = 0;
}

static int some_link; /* never looked into */

static struct subscriptions *start(void)
{
    struct subscriptions *ss = subscriptions_new(2);

    assert_non_null(ss);
    asked[0] = 0;
    room = 100;
    subscriptions_set_link(ss, (struct link *)&some_link);
    subscriptions_up(ss);
    return ss;
}

static struct link_subscription *hold(struct subscriptions *ss,
                                      const char *filter, unsigned streamer)
{
    struct link_subscription *sub =
        subscriptions_hold(ss, slice_str(filter), streamer);

    assert_non_null(sub);
    return sub;
}

static void answer(struct subscriptions *ss, const char *filter, bool ok)
{
    subscriptions_answered(ss, slice_str(filter), ok, 0);
}

static bool stands(struct subscriptions *ss, struct link_subscription *sub)
{
    return subscription_stands(ss, sub, subscriptions_moment(ss));
}

static void a_filter_is_asked_for_once_and_given_up_late(void **state)
{
    struct subscriptions *ss = start();

    (void)state;
    struct link_subscription *a = hold(ss, "t/a", 0);
    assert_ptr_equal(a, hold(ss, "t/a", 1));
    check_asked("+t/a ");
    answer(ss, "t/a", true);
    subscriptions_release(ss, a, 0, 100);
    subscriptions_release(ss, a, 1, 200);
    subscriptions_tend(ss, 199 + SUBSCRIPTION_LINGER_US);
    check_asked("");
    assert_ptr_equal(a, hold(ss, "t/a", 0)); /* back in time */
    subscriptions_tend(ss, 300 + SUBSCRIPTION_LINGER_US);
    check_asked("");
    subscriptions_release(ss, a, 0, 400);
    subscriptions_tend(ss, 400 + SUBSCRIPTION_LINGER_US);
    check_asked("-t/a ");
    subscriptions_free(ss);
}

static void it_is_not_given_up_before_it_was_answered(void **state)
{
    struct subscriptions *ss = start();

    (void)state;
    subscriptions_release(ss, hold(ss, "t/a", 0), 0, 0);
    subscriptions_tend(ss, 10 * SUBSCRIPTION_LINGER_US);
    check_asked("+t/a ");
    answer(ss, "t/a", true);
    subscriptions_tend(ss, 10 * SUBSCRIPTION_LINGER_US);
    check_asked("-t/a ");
    subscriptions_free(ss);
}

static void it_stands_from_a_moment_after_the_suback(void **state)
{
    struct subscriptions *ss = start();
    struct link_subscription *a = hold(ss, "t/a", 0);
    const uint64_t before = subscriptions_moment(ss);

    (void)state;
    assert_false(stands(ss, a));
    answer(ss, "t/a", true);
    assert_true(stands(ss, a));
    /* A snapshot taken before may lack what came in between. */
    assert_false(subscription_stands(ss, a, before));
    answer(ss, "t/unknown", true);
    subscriptions_free(ss);
}

static void a_lost_connection_is_asked_again_for_what_is_read(void **state)
{
    struct subscriptions *ss = start();
    struct link_subscription *a = hold(ss, "t/a", 0);
    struct link_subscription *b = hold(ss, "t/b/#", 0);

    (void)state;
    check_asked("+t/a +t/b/# ");
    answer(ss, "t/a", true);
    answer(ss, "t/b/#", true);
    subscriptions_release(ss, b, 0, 0);
    subscriptions_down(ss);
    assert_false(stands(ss, a));
    assert_int_equal(subscriptions_streamers(ss, slice_str("t/b/x")), 0);
    struct link_subscription *c = hold(ss, "t/c", 0);
    check_asked("");
    subscriptions_up(ss);
    check_asked("+t/a +t/c ");
    assert_false(stands(ss, a));
    answer(ss, "t/a", true);
    assert_true(stands(ss, a));
    assert_false(stands(ss, c));
    subscriptions_free(ss);
}

static void a_link_without_room_is_asked_again(void **state)
{
    struct subscriptions *ss = start();

    (void)state;
    room = 1;
    hold(ss, "t/a", 0);
    hold(ss, "t/b", 0);
    hold(ss, "t/c", 0);
    check_asked("+t/a ");
    room = 1;
    answer(ss, "t/a", true);
    check_asked("+t/b ");
    room = 1;
    subscriptions_tend(ss, 0);
    check_asked("+t/c ");
    subscriptions_free(ss);
}

static void a_link_told_of_late_is_asked_for_all(void **state)
{
    struct subscriptions *ss = subscriptions_new(2);

    (void)state;
    asked[0] = 0;
    room = 100;
    hold(ss, "t/a", 0);
    subscriptions_up(ss);
    check_asked("");
    subscriptions_set_link(ss, (struct link *)&some_link);
    check_asked("+t/a ");
    subscriptions_free(ss);
}

static void a_refused_filter_is_asked_for_again_later(void **state)
{
    struct subscriptions *ss = start();
    struct link_subscription *a = hold(ss, "t/a", 0);

    (void)state;
    check_asked("+t/a ");
    answer(ss, "t/a", false);
    assert_false(stands(ss, a));
    subscriptions_tend(ss, SUBSCRIPTION_RETRY_US - 1);
    check_asked("");
    subscriptions_tend(ss, SUBSCRIPTION_RETRY_US);
    check_asked("+t/a ");
    answer(ss, "t/a", true);
    assert_true(stands(ss, a));
    subscriptions_release(ss, a, 0, 0);
    subscriptions_free(ss);
}

static void a_filter_refused_again_and_again_is_asked_for_less_often(
    void **state)
{
    struct subscriptions *ss = start();
    struct link_subscription *a = hold(ss, "t/a", 0);
    int64_t now_us = 0, pause_us = SUBSCRIPTION_RETRY_US;

    (void)state;
    check_asked("+t/a ");
    for (int i = 0; i < 10; i++) {
        subscriptions_answered(ss, slice_str("t/a"), false, now_us);
        subscriptions_tend(ss, now_us + pause_us - 1);
        check_asked("");
        now_us += pause_us;
        subscriptions_tend(ss, now_us);
        check_asked("+t/a ");
        pause_us = pause_us * 2 < SUBSCRIPTION_RETRY_MOST_US
                       ? pause_us * 2
                       : SUBSCRIPTION_RETRY_MOST_US;
    }
    subscriptions_release(ss, a, 0, 0);
    subscriptions_free(ss);
}

/* Shapes nobody reads must not keep out those that somebody wants. */
static void a_filter_with_plus_does_not_linger(void **state)
{
    struct subscriptions *ss = start();
    struct link_subscription *plus = hold(ss, "t/+/a", 0);
    struct link_subscription *hash = hold(ss, "t/#", 0);

    (void)state;
    check_asked("+t/+/a +t/# ");
    answer(ss, "t/+/a", true);
    answer(ss, "t/#", true);
    subscriptions_release(ss, plus, 0, 0);
    subscriptions_release(ss, hash, 0, 0);
    subscriptions_tend(ss, 1);
    check_asked("-t/+/a ");
    subscriptions_tend(ss, SUBSCRIPTION_LINGER_US);
    check_asked("-t/# ");
    subscriptions_free(ss);
}

static void a_topic_names_the_streamers_that_read_it(void **state)
{
    struct subscriptions *ss = start();
    struct link_subscription *all = hold(ss, "t/#", 1);

    (void)state;
    hold(ss, "t/a", 0);
    hold(ss, "t/+/b", 0);
    hold(ss, "u/x", SUBSCRIPTIONS_NOBODY);
    assert_int_equal(subscriptions_streamers(ss, slice_str("t/a")), 3);
    assert_int_equal(subscriptions_streamers(ss, slice_str("t/c/b")), 3);
    assert_int_equal(subscriptions_streamers(ss, slice_str("t/c")), 2);
    assert_int_equal(subscriptions_streamers(ss, slice_str("u/x")), 0);
    assert_int_equal(subscriptions_streamers(ss, slice_str("v/x")), 0);
    hold(ss, "t/#", 1);
    subscriptions_release(ss, all, 1, 0);
    assert_int_equal(subscriptions_streamers(ss, slice_str("t/c")), 2);
    subscriptions_release(ss, all, 1, 0);
    assert_int_equal(subscriptions_streamers(ss, slice_str("t/c")), 0);
    subscriptions_free(ss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_is_asked_for_once_and_given_up_late),
        cmocka_unit_test(it_is_not_given_up_before_it_was_answered),
        cmocka_unit_test(it_stands_from_a_moment_after_the_suback),
        cmocka_unit_test(a_lost_connection_is_asked_again_for_what_is_read),
        cmocka_unit_test(a_link_without_room_is_asked_again),
        cmocka_unit_test(a_link_told_of_late_is_asked_for_all),
        cmocka_unit_test(a_refused_filter_is_asked_for_again_later),
        cmocka_unit_test(
            a_filter_refused_again_and_again_is_asked_for_less_often),
        cmocka_unit_test(a_filter_with_plus_does_not_linger),
        cmocka_unit_test(a_topic_names_the_streamers_that_read_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
