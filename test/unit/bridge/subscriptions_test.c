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
static char asked[512]; /* as much as fits */
static int room;        /* how many more it takes */
static int subscribed;  /* and not unsubscribed since */

static bool take(char sign, struct slice filter)
{
    const size_t len = strlen(asked);

    if (room == 0)
        return false;
    room--;
    subscribed += sign == '+' ? 1 : -1;
    if (len + filter.len + 3 <= sizeof(asked))
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
    subscribed = 0;
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

/* Follows and unfollows `token`/f0, f1, … at the times 0, 1, … */
static void churn(struct subscriptions *ss, const char *token, int count)
{
    char filter[32];

    for (int i = 0; i < count; i++) {
        snprintf(filter, sizeof(filter), "%s/f%d", token, i);
        struct link_subscription *sub = hold(ss, filter, 0);
        answer(ss, filter, true);
        subscriptions_release(ss, sub, 0, i);
    }
}

static void only_so_many_filters_of_a_token_linger(void **state)
{
    struct subscriptions *ss = start();

    (void)state;
    room = 100000;
    struct link_subscription *other = hold(ss, "u/a", 0);
    answer(ss, "u/a", true);
    subscriptions_release(ss, other, 0, 0);
    churn(ss, "t", SUBSCRIPTIONS_LINGERING_OF_TOKEN);
    assert_int_equal(subscribed, SUBSCRIPTIONS_LINGERING_OF_TOKEN + 1);
    struct link_subscription *read = hold(ss, "t/f0", 0); /* no longer idle */
    churn(ss, "t", 10 * SUBSCRIPTIONS_LINGERING_OF_TOKEN);
    assert_int_equal(subscribed, SUBSCRIPTIONS_LINGERING_OF_TOKEN + 2);
    asked[0] = 0;
    hold(ss, "u/a", 0);     /* the other token's is there still */
    hold(ss, "t/f2559", 0); /* and so is the newest */
    check_asked("");
    hold(ss, "t/f2", 0); /* the oldest has gone */
    check_asked("+t/f2 ");
    subscriptions_release(ss, read, 0, 0);
    subscriptions_free(ss);
}

static void only_so_many_filters_linger_in_all(void **state)
{
    struct subscriptions *ss = start();
    char token[16];

    (void)state;
    room = 100000;
    for (int i = 0; i < 100; i++) {
        snprintf(token, sizeof(token), "t%d", i);
        churn(ss, token, 200);
    }
    assert_int_equal(subscribed, SUBSCRIPTIONS_LINGERING_MAX);
    subscriptions_tend(ss, 200 + SUBSCRIPTION_LINGER_US);
    assert_int_equal(subscribed, 0);
    subscriptions_free(ss);
}

/* The link's queue is full: what waited for room and is not wanted any more is
 * neither kept nor sent. */
static void what_was_never_asked_for_is_forgotten_at_once(void **state)
{
    struct subscriptions *ss = start();

    (void)state;
    room = 0;
    struct link_subscription *sub = hold(ss, "t/a", 0);
    hold(ss, "t/b", 0);
    subscriptions_release(ss, sub, 0, 0);
    room = 100;
    answer(ss, "t/other", true); /* there is room again */
    check_asked("+t/b ");
    subscriptions_free(ss);
}

/* While those that are given up do not fit into the link's queue, no new filter
 * gets in before them. */
static void giving_up_comes_before_asking(void **state)
{
    struct subscriptions *ss = start();
    char token[16];

    (void)state;
    room = SUBSCRIPTIONS_LINGERING_MAX + 1;
    for (int i = 0; i < 17; i++) {
        snprintf(token, sizeof(token), "t%d", i);
        churn(ss, token, i < 16 ? 256 : 1);
    }
    assert_int_equal(subscribed, SUBSCRIPTIONS_LINGERING_MAX + 1);
    asked[0] = 0;
    hold(ss, "u/a", 0);
    check_asked("");
    room = 2;
    subscriptions_tend(ss, 1);
    check_asked("-t0/f0 +u/a ");
    subscriptions_free(ss);
}

static void refused_filters_are_all_asked_for_again_however_many(void **state)
{
    struct subscriptions *ss = start();
    char filter[32];

    (void)state;
    room = 100000;
    for (int i = 0; i < 1000; i++) {
        snprintf(filter, sizeof(filter), "t/f%d", i);
        hold(ss, filter, 0);
        answer(ss, filter, false);
    }
    subscribed = 0;
    subscriptions_tend(ss, SUBSCRIPTION_RETRY_US - 1);
    assert_int_equal(subscribed, 0);
    subscriptions_tend(ss, SUBSCRIPTION_RETRY_US);
    assert_int_equal(subscribed, 1000);
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
        cmocka_unit_test(only_so_many_filters_of_a_token_linger),
        cmocka_unit_test(only_so_many_filters_linger_in_all),
        cmocka_unit_test(what_was_never_asked_for_is_forgotten_at_once),
        cmocka_unit_test(giving_up_comes_before_asking),
        cmocka_unit_test(refused_filters_are_all_asked_for_again_however_many),
        cmocka_unit_test(a_topic_names_the_streamers_that_read_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
