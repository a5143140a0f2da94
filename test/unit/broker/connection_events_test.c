/* What a connection tells the layers above it, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "broker/client/backlog.h"
#include "broker/client/session_filter.h"
#include "test/unit/store/by_hand.h"

static struct by_hand h;
static const struct connection_events *real;
static struct connection_events counted;
static unsigned ended, ended_with_will, held_over, writable, caught_up,
    greeted;

static void on_ended(struct connection *c, bool with_will)
{
    ended++;
    ended_with_will += with_will;
    /* As a write that fails meanwhile would. */
    connection_close(c, CLOSE_HANGUP, NULL);
    real->ended(c, with_will);
}

static void on_hold_over(struct connection *c)
{
    held_over++;
    c->held = false;
}

static void on_writable(struct connection *c)
{
    writable++;
    real->writable(c);
}

static void on_caught_up(struct connection *c)
{
    caught_up++;
    real->caught_up(c);
}

static void on_greeted(struct connection *c, struct slice filter)
{
    greeted++;
    real->greeted(c, filter);
}

static int begin(void **state)
{
    (void)state;
    by_hand_begin(&h, 1);
    real = h.workers[0]->events;
    counted = *real;
    counted.ended = on_ended;
    counted.hold_over = on_hold_over;
    counted.writable = on_writable;
    counted.caught_up = on_caught_up;
    counted.greeted = on_greeted;
    h.workers[0]->events = &counted;
    ended = ended_with_will = held_over = writable = caught_up = greeted = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    by_hand_end(&h);
    return 0;
}

static struct connection *last(void)
{
    return TAILQ_LAST(&h.workers[0]->connections, connection_list);
}

static void a_connection_ends_once_however_often_it_is_closed(void **state)
{
    struct peer p = by_hand_guest(&h, "c", "t");
    struct connection *c = last();
    (void)state;

    connection_close(c, CLOSE_PROTOCOL, "first");
    connection_close(c, CLOSE_HANGUP, NULL);
    connection_end(c);
    assert_int_equal(ended, 1);
    assert_int_equal(ended_with_will, 1);
    assert_int_equal(counter_read(&h.workers[0]->closed[CLOSE_PROTOCOL]), 1);
    assert_int_equal(counter_read(&h.workers[0]->closed[CLOSE_HANGUP]), 0);
    peer_close(&p);
}

static void its_will_is_due_only_if_it_was_open_and_the_reason_says_so(
    void **state)
{
    struct peer p = by_hand_guest(&h, "c", "t");
    struct peer stranger = by_hand_stranger(&h);
    (void)state;

    connection_close(last(), CLOSE_HANGUP, NULL); /* no CONNECT came */
    assert_int_equal(ended, 1);
    assert_int_equal(ended_with_will, 0);
    says(&p, "e000"); /* DISCONNECT */
    while (ended < 2)
        by_hand_turn(&h);
    assert_int_equal(ended_with_will, 0);
    peer_close(&p);
    peer_close(&stranger);
}

static void a_hold_is_over_once(void **state)
{
    struct peer p = by_hand_guest(&h, "c", "t");
    struct connection *c = last();
    (void)state;

    connection_hold(c, 3600);
    assert_true(c->stalled);
    ev_invoke(h.workers[0]->loop, &c->timer, EV_TIMER);
    assert_int_equal(held_over, 1);
    assert_false(c->stalled);
    ev_invoke(h.workers[0]->loop, &c->timer, EV_TIMER); /* keep-alive's now */
    assert_int_equal(held_over, 1);
    peer_close(&p);
}

static void groups_are_told_of_room_only_where_they_wait_for_it(void **state)
{
    struct peer p = by_hand_guest(&h, "c", "t");
    (void)state;

    backlog_wake(last());
    assert_int_equal(writable, 0);
    assert_false(last()->in_backlog); /* it is owed nothing */
    peer_close(&p);
}

/* The retained message of a new subscription, then what makes it live again. */
static void a_backlog_says_when_it_is_given(void **state)
{
    struct peer p = by_hand_guest(&h, "c", "t");
    (void)state;

    says(&p, "82[ 0001 ('t/#') 00 ]");
    hears(&p, "90 03 0001 00");
    while (greeted == 0)
        by_hand_turn(&h);
    assert_int_equal(greeted, 1);
    assert_int_equal(caught_up, 0);
    assert_true(TAILQ_EMPTY(&last()->scans));
    peer_close(&p);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_connection_ends_once_however_often_it_is_closed),
        CASE(its_will_is_due_only_if_it_was_open_and_the_reason_says_so),
        CASE(a_hold_is_over_once),
        CASE(groups_are_told_of_room_only_where_they_wait_for_it),
        CASE(a_backlog_says_when_it_is_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
