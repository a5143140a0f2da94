/* What a server makes of the sessions of one that was killed: at the very moment
 * the test chose, and before anything else happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "test/unit/by_hand.h"

static const unsigned worker_counts[] = {1, 3};

/* CONNECT of `who` (client id and what follows it); CONNACK is heard. */
static struct peer joins(struct by_hand *h, const char *connect)
{
    struct peer p = by_hand_stranger(h);
    uint8_t body[64];
    size_t len;

    says(&p, connect);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[1], 0);
    return p;
}

/* ---- wills ---------------------------------------------------------------- */

#define KEPT(id) "10[ ('MQTT') 05 80 0000 [ 11 00000e10 ] ('" id "') ('t') ]"
#define KEPT_WITH_WILL(id, delay)                                             \
    "10[ ('MQTT') 05 8c 0000 [ 11 00000e10 ] ('" id "') [ 18 " delay " ] "     \
    "('t/will/" id "') ('gone') ('t') ]"

/* How many messages `topic` has. */
static uint64_t messages(struct by_hand *h, const char *topic)
{
    struct store_reader *r = store_reader_acquire(h->store);
    struct record last;

    assert_non_null(r);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    const bool found = store_latest(r, slice_str(topic), &last) == STORE_OK;
    const uint64_t count = found ? last.m.seq : 0;
    store_reader_release(r);
    return count;
}

/* Everything that was given to the writer before is on disk. */
static void let_the_writer_pass(struct by_hand *h)
{
    for (int i = 0; i < 3; i++) {
        struct command c = {.kind = COMMAND_PING};
        by_hand_turn(h);
        by_hand_run(h, &c);
    }
}

static uint64_t session_number(struct by_hand *h, struct slice identity)
{
    struct store_reader *r = store_reader_acquire(h->store);
    struct session_row row;

    assert_non_null(r);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    assert_int_equal(store_session(r, identity, &row), STORE_OK);
    store_reader_release(r);
    return row.number;
}

/* Its connection ended two seconds ago, its will was due one second ago: a
 * moment at which the server was down. */
static void fell_due_meanwhile(struct by_hand *h, struct slice identity)
{
    const struct session_save save = {
        .identity = identity,
        .number = session_number(h, identity),
        .ends = true,
        .expiry_s = 3600,
        .ended_us = clock_real_us() - 2000000,
        .will_due_us = clock_real_us() - 1000000,
    };
    struct command c = {.kind = COMMAND_SESSION_SAVE, .save = &save};

    by_hand_run(h, &c);
}

static void a_will_due_at_once_comes_though_its_client_is_back_at_once(
    void **state)
{
    static const char *const clients[] = {KEPT("a"), KEPT("b"), KEPT("c"),
                                          KEPT("d")};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct by_hand h, after;
        struct peer before[4], back[4];

        by_hand_begin(&h, worker_counts[i]);
        before[0] = joins(&h, KEPT_WITH_WILL("a", "00000000"));
        before[1] = joins(&h, KEPT_WITH_WILL("b", "00000000"));
        before[2] = joins(&h, KEPT_WITH_WILL("c", "00000000"));
        before[3] = joins(&h, KEPT_WITH_WILL("d", "00000000"));
        by_hand_after_crash(&h, &after, worker_counts[i]);
        for (size_t k = 0; k < 4; k++)
            back[k] = joins(&after, clients[k]);
        let_the_writer_pass(&after);
        assert_int_equal(messages(&after, "t/will/a"), 1);
        assert_int_equal(messages(&after, "t/will/b"), 1);
        assert_int_equal(messages(&after, "t/will/c"), 1);
        assert_int_equal(messages(&after, "t/will/d"), 1);
        for (size_t k = 0; k < 4; k++) {
            peer_close(&before[k]);
            peer_close(&back[k]);
        }
        by_hand_end(&after);
        by_hand_end(&h);
    }
}

static void a_will_that_fell_due_while_the_server_was_down_comes(void **state)
{
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct by_hand h, after;

        by_hand_begin(&h, worker_counts[i]);
        struct peer p = joins(&h, KEPT_WITH_WILL("late", "00000001"));
        fell_due_meanwhile(&h, slice_of("t\0late", 6));
        by_hand_after_crash(&h, &after, worker_counts[i]);
        struct peer q = joins(&after, KEPT("late"));
        let_the_writer_pass(&after);
        assert_int_equal(messages(&after, "t/will/late"), 1);
        peer_close(&p);
        peer_close(&q);
        by_hand_end(&after);
        by_hand_end(&h);
    }
}

static void a_will_whose_delay_runs_is_cancelled_by_a_return(void **state)
{
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct by_hand h, after;

        by_hand_begin(&h, worker_counts[i]);
        struct peer p = joins(&h, KEPT_WITH_WILL("soon", "00000e10"));
        by_hand_after_crash(&h, &after, worker_counts[i]);
        struct peer q = joins(&after, KEPT("soon"));
        let_the_writer_pass(&after);
        assert_int_equal(messages(&after, "t/will/soon"), 0);
        peer_close(&p);
        peer_close(&q);
        by_hand_end(&after);
        by_hand_end(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_will_due_at_once_comes_though_its_client_is_back_at_once),
        cmocka_unit_test(
            a_will_that_fell_due_while_the_server_was_down_comes),
        cmocka_unit_test(a_will_whose_delay_runs_is_cancelled_by_a_return),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
