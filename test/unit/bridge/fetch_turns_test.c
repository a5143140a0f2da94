#include "bridge/outgoing/fetch_turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct fetch_turns turns;
static struct fetch_turn all[32];

static void wait_in_line(size_t i, const char *owner, const char *host)
{
    assert_true(fetch_turns_wait(&turns, &all[i], owner, host));
}

/* The number of whoever is next; -1: nobody. */
static int next(void)
{
    const struct fetch_turn *t = fetch_turns_next(&turns);

    return t == NULL ? -1 : (int)(t - all);
}

static void leave(size_t i)
{
    fetch_turns_leave(&turns, &all[i]);
}

static void assert_empty(void)
{
    assert_int_equal(turns.waiting, 0);
    assert_int_equal(turns.under_way, 0);
    assert_null(turns.lanes);
    assert_null(turns.hosts);
    assert_null(turns.owners);
}

static void a_lane_keeps_its_order_and_lanes_take_turns(void **state)
{
    (void)state;
    fetch_turns_init(&turns, 100, 100, 100);
    wait_in_line(0, "a", "x");
    wait_in_line(1, "a", "x");
    wait_in_line(2, "a", "x");
    wait_in_line(3, "b", "x");
    wait_in_line(4, "b", "x");
    wait_in_line(5, "a", "y");
    assert_int_equal(next(), 0);
    assert_int_equal(next(), 3);
    assert_int_equal(next(), 5);
    assert_int_equal(next(), 1);
    assert_int_equal(next(), 4);
    assert_int_equal(next(), 2);
    assert_int_equal(next(), -1);
    for (size_t i = 0; i < 6; i++)
        leave(i);
    assert_empty();
}

static void a_busy_host_is_passed_over(void **state)
{
    (void)state;
    fetch_turns_init(&turns, 100, 2, 100);
    for (size_t i = 0; i < 4; i++)
        wait_in_line(i, i % 2 == 0 ? "a" : "b", "dead");
    wait_in_line(4, "a", "alive");
    assert_int_equal(next(), 0);
    assert_int_equal(next(), 1);
    assert_int_equal(next(), 4);
    assert_int_equal(next(), -1);
    leave(1);
    assert_int_equal(next(), 2);
    assert_int_equal(next(), -1);
    for (size_t i = 0; i < 5; i++)
        if (i != 1)
            leave(i);
    assert_empty();
}

static void a_busy_owner_is_passed_over(void **state)
{
    (void)state;
    fetch_turns_init(&turns, 100, 100, 1);
    wait_in_line(0, "a", "x");
    wait_in_line(1, "a", "y");
    wait_in_line(2, "b", "x");
    assert_int_equal(next(), 0);
    assert_int_equal(next(), 2);
    assert_int_equal(next(), -1);
    leave(0);
    assert_int_equal(next(), 1);
    leave(1);
    leave(2);
    assert_empty();
}

static void all_together_are_bounded(void **state)
{
    (void)state;
    fetch_turns_init(&turns, 2, 100, 100);
    for (size_t i = 0; i < 3; i++)
        wait_in_line(i, "a", "x");
    assert_int_equal(next(), 0);
    assert_int_equal(next(), 1);
    assert_int_equal(next(), -1);
    leave(0);
    assert_int_equal(next(), 2);
    leave(1);
    leave(2);
    assert_empty();
}

static void who_waits_may_leave(void **state)
{
    (void)state;
    fetch_turns_init(&turns, 100, 1, 100);
    for (size_t i = 0; i < 3; i++)
        wait_in_line(i, "a", "x");
    assert_int_equal(next(), 0);
    leave(1);
    assert_int_equal(turns.waiting, 1);
    leave(0);
    assert_int_equal(next(), 2);
    leave(2);
    assert_empty();
}

/* "a" + "bx" is not "ab" + "x". */
static void owner_and_host_are_apart(void **state)
{
    (void)state;
    fetch_turns_init(&turns, 100, 1, 1);
    wait_in_line(0, "a", "bx");
    wait_in_line(1, "ab", "x");
    wait_in_line(2, "", "abx");
    assert_int_equal(next(), 0);
    assert_int_equal(next(), 1);
    assert_int_equal(next(), 2);
    for (size_t i = 0; i < 3; i++)
        leave(i);
    assert_empty();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_keeps_its_order_and_lanes_take_turns),
        cmocka_unit_test(a_busy_host_is_passed_over),
        cmocka_unit_test(a_busy_owner_is_passed_over),
        cmocka_unit_test(all_together_are_bounded),
        cmocka_unit_test(who_waits_may_leave),
        cmocka_unit_test(owner_and_host_are_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
