/* What a server makes of the sessions of one that was killed: at the very moment
 * the test chose, and before anything else happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "broker/session/session_save.h"
#include "broker/share/share_save.h"
#include "test/unit/store/by_hand.h"

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
    "10[ ('MQTT') 05 8c 0000 [ 11 00000e10 ] ('" id "') [ 18 " delay " ] "    \
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
    struct session_save save = {
        .identity = identity,
        .number = session_number(h, identity),
        .ends = true,
        .expiry_s = 3600,
        .ended_us = clock_real_us() - 2000000,
        .will_due_us = clock_real_us() - 1000000,
    };
    struct command c = {.kind = COMMAND_SESSION_SAVE, .args = &save};

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

/* ---- subscriptions that are replaced --------------------------------------- */

#define NARROW(id)                                                            \
    "10[ ('MQTT') 05 80 0000 [ 11 00000e10 21 0001 ] ('" id "') ('t') ]"

static void append(struct by_hand *h, const char *topic, const char *text)
{
    by_hand_append(h, topic, 1, slice_str(text));
}

/* `a` was killed: p's session goes on in `b`. */
static void crashes(struct by_hand *a, struct by_hand *b, unsigned workers,
                    struct peer *p, const char *connect)
{
    by_hand_after_crash(a, b, workers);
    peer_close(p);
    *p = joins(b, connect);
}

static void ends(struct by_hand *h, size_t count, struct peer *p)
{
    peer_close(p);
    while (count-- > 0)
        by_hand_end(&h[count]);
}

/* A second filter's message, unacknowledged, stands in the way of the position
 * where `busy`. */
static void check_raised(unsigned workers, bool busy)
{
    struct by_hand h[3];

    by_hand_begin(&h[0], workers);
    struct peer p = joins(&h[0], KEPT("a"));
    says(&p, "82[ 0001 [] ('t/a') 00 ('t/b') 01 ]");
    hears(&p, "90[ 0001 [] 00 01 ]");
    if (busy)
        append(&h[0], "t/b", "b");
    append(&h[0], "t/a", "1");
    append(&h[0], "t/a", "2");
    hears(&p, busy ? "32[ ('t/b') 0001 [] 'b' ] "
                     "30[ ('t/a') [] '1' ] 30[ ('t/a') [] '2' ]"
                   : "30[ ('t/a') [] '1' ] 30[ ('t/a') [] '2' ]");
    says(&p, "82[ 0002 [] ('t/a') 01 ]");
    hears(&p, "90[ 0002 [] 01 ]");
    crashes(&h[0], &h[1], workers, &p, KEPT("a"));
    if (busy) {
        hears(&p, "32[ ('t/b') 0001 [] 'b' ]");
        says(&p, "40 02 0001");
    }
    append(&h[1], "t/a", "3");
    hears(&p,
          busy ? "32[ ('t/a') 0002 [] '3' ]" : "32[ ('t/a') 0001 [] '3' ]");
    says(&p, "82[ 0003 [] ('t/x') 01 ]");
    hears(&p, "90[ 0003 [] 01 ]");
    ends(h, 2, &p);
}

static void a_raised_qos_does_not_bring_back_what_came_before(void **state)
{
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        check_raised(worker_counts[i], false);
        check_raised(worker_counts[i], true);
    }
}

/* Raised and lowered again: what came with QoS 0 is still not kept. */
static void a_qos_raised_and_lowered_again_brings_nothing_back(void **state)
{
    struct by_hand h[2];
    (void)state;

    by_hand_begin(&h[0], 1);
    struct peer p = joins(&h[0], KEPT("a"));
    says(&p, "82[ 0001 [] ('t/a') 00 ]");
    hears(&p, "90[ 0001 [] 00 ]");
    append(&h[0], "t/a", "1");
    hears(&p, "30[ ('t/a') [] '1' ]");
    says(&p, "82[ 0002 [] ('t/a') 01 ] 82[ 0003 [] ('t/a') 00 ] "
             "82[ 0004 [] ('t/a') 02 ]");
    hears(&p, "90[ 0002 [] 01 ] 90[ 0003 [] 00 ] 90[ 0004 [] 02 ]");
    crashes(&h[0], &h[1], 1, &p, KEPT("a"));
    append(&h[1], "t/a", "2");
    hears(&p, "32[ ('t/a') 0001 [] '2' ]");
    ends(h, 2, &p);
}

/* What waits for a client comes with the QoS it was kept with, whatever the
 * client asks for when it is back: at once, when it has taken one of three, and
 * over another crash. */
static void check_lowered(unsigned workers, const char *options)
{
    struct by_hand h[2];
    char text[256];

    by_hand_begin(&h[0], workers);
    struct peer p = joins(&h[0], NARROW("a"));
    says(&p, "82[ 0001 [] ('t/a') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    peer_close(&p);
    let_the_writer_pass(&h[0]);
    append(&h[0], "t/a", "1");
    append(&h[0], "t/a", "2");
    append(&h[0], "t/a", "3");
    p = by_hand_stranger(&h[0]);
    snprintf(text, sizeof(text), "%s 82[ 0002 [] ('t/a') %s ]", NARROW("a"),
             options);
    says(&p, text);
    uint8_t body[64];
    size_t len;
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    /* SUBACK and the first message, in either order. */
    bool suback = false, first = false;
    for (int i = 0; i < 2; i++) {
        const uint8_t type = hears_packet(&p, body, sizeof(body), &len) >> 4;
        suback |= type == 9;
        first |= type == 3;
    }
    assert_true(suback && first);
    says(&p, "40 02 0001");
    hears(&p, "32[ ('t/a') 0002 [] '2' ]");
    crashes(&h[0], &h[1], workers, &p, NARROW("a"));
    /* Whether the acknowledgement is on disk or not. */
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len) & 0xf6, 0x32);
    while (body[len - 1] != '3') {
        const uint8_t ack[] = {0x40, 2, body[5], body[6]};
        says_bytes(&p, ack, sizeof(ack));
        assert_int_equal(hears_packet(&p, body, sizeof(body), &len) & 0xf6,
                         0x32);
    }
    ends(h, 2, &p);
}

static void a_lowered_qos_does_not_lose_what_waits(void **state)
{
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        check_lowered(worker_counts[i], "00");
        check_lowered(worker_counts[i], "20"); /* Retain Handling 2 */
    }
}

static void no_local_does_not_lose_what_waits(void **state)
{
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct by_hand h;

        by_hand_begin(&h, worker_counts[i]);
        struct peer p = joins(&h, NARROW("a"));
        says(&p, "82[ 0001 [] ('t/a') 01 ]");
        hears(&p, "90[ 0001 [] 01 ]");
        says(&p, "32[ ('t/a') 0002 [] '1' ]");
        hears(&p, "40 02 0002 32[ ('t/a') 0001 [] '1' ]");
        says(&p, "32[ ('t/a') 0003 [] '2' ]");
        hears(&p, "40 02 0003");
        /* The second waits for the window. */
        says(&p, "82[ 0004 [] ('t/a') 05 ]");
        hears(&p, "90[ 0004 [] 01 ]");
        says(&p, "40 02 0001");
        hears(&p, "32[ ('t/a') 0002 [] '2' ]");
        says(&p, "40 02 0002 32[ ('t/a') 0005 [] 'mine' ]");
        hears(&p, "40 02 0005");
        append(&h, "t/a", "3");
        hears(&p, "32[ ('t/a') 0003 [] '3' ]");
        peer_close(&p);
        by_hand_end(&h);
    }
}

/* ---- subscriptions that end ------------------------------------------------- */

static size_t subscription_rows(struct by_hand *h, uint64_t number)
{
    struct store_reader *r = store_reader_acquire(h->store);
    struct session_walk walk = {0};
    struct session_subscription row;
    size_t count = 0;

    assert_non_null(r);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    while (store_subscription_next(r, number, &walk, &row) == STORE_OK)
        count++;
    store_reader_release(r);
    return count;
}

/* What waited when it unsubscribed comes over a crash, too; then nothing is left
 * of the subscription. `again`: it had subscribed anew behind that. */
static void check_unsubscribed(unsigned workers, bool again)
{
    struct by_hand h[2];
    const struct slice identity = slice_of("t\0a", 3);

    by_hand_begin(&h[0], workers);
    struct peer p = joins(&h[0], NARROW("a"));
    says(&p, "82[ 0001 [] ('t/a') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    append(&h[0], "t/a", "1");
    append(&h[0], "t/a", "2");
    append(&h[0], "t/a", "3");
    hears(&p, "32[ ('t/a') 0001 [] '1' ]");
    says(&p, "a2[ 0002 [] ('t/a') ]");
    hears(&p, "b0[ 0002 [] 00 ]");
    append(&h[0], "t/a", "between");
    if (again) {
        says(&p, "82[ 0003 [] ('t/a') 01 ]");
        hears(&p, "90[ 0003 [] 01 ]");
    }
    crashes(&h[0], &h[1], workers, &p, NARROW("a"));
    uint8_t body[64];
    size_t len;
    char got[5] = "";
    append(&h[1], "t/a", "4");
    for (int i = 0; i < (again ? 4 : 3); i++) {
        assert_int_equal(hears_packet(&p, body, sizeof(body), &len) & 0xf6,
                         0x32);
        got[i] = (char)body[len - 1];
        const uint8_t ack[] = {0x40, 2, body[5], body[6]};
        says_bytes(&p, ack, sizeof(ack));
    }
    assert_string_equal(got, again ? "1234" : "123");
    says(&p, "82[ 0009 [] ('t/x') 01 ]");
    hears(&p, "90[ 0009 [] 01 ]");
    /* Saved twice, a tick each: its position, then without the row. */
    const size_t left = again ? 2 : 1;
    const uint64_t number = session_number(&h[1], identity);
    const int64_t deadline_us = clock_mono_us() + 10000000;
    while (subscription_rows(&h[1], number) != left)
        if (clock_mono_us() < deadline_us)
            let_the_writer_pass(&h[1]);
        else
            fail_msg("the row of the subscription that ended is still there");
    ends(h, 2, &p);
}

static void what_waits_for_an_unsubscribed_session_survives(void **state)
{
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        check_unsubscribed(worker_counts[i], false);
        check_unsubscribed(worker_counts[i], true);
    }
}

/* ---- shared subscriptions ---------------------------------------------------- */

static void append2(struct by_hand *h, const char *text)
{
    by_hand_append(h, "t/q", 2, slice_str(text));
}

/* All that was taken with QoS 2 and completed; the group's position is not on
 * disk yet. */
static void a_completed_message_of_a_group_does_not_come_again(void **state)
{
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct by_hand h[2];

        by_hand_begin(&h[0], worker_counts[i]);
        struct peer p = joins(&h[0], KEPT("a"));
        says(&p, "82[ 0001 [] ('$share/g/t/q') 02 ]");
        hears(&p, "90[ 0001 [] 02 ]");
        append2(&h[0], "1");
        append2(&h[0], "2");
        hears(&p, "34[ ('t/q') 0001 [] '1' ] 34[ ('t/q') 0002 [] '2' ]");
        says(&p, "50 02 0001 50 02 0002");
        hears(&p, "62 02 0001 62 02 0002");
        says(&p, "70 02 0001 70 02 0002 c0 00");
        hears(&p, "d0 00");
        crashes(&h[0], &h[1], worker_counts[i], &p, KEPT("a"));
        /* What a crash takes back of PUBCOMP is PUBREL again. */
        hears(&p, "62 02 0001 62 02 0002");
        says(&p, "70 02 0001 70 02 0002");
        append2(&h[1], "3");
        hears(&p, "34[ ('t/q') 0003 [] '3' ]");
        ends(h, 2, &p);
    }
}

/* It is the session's it was sent to (MQTT-4.8.2-5), and nobody else's. */
static void what_is_in_flight_to_one_member_does_not_go_to_another(
    void **state)
{
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct by_hand h[2];

        by_hand_begin(&h[0], worker_counts[i]);
        struct peer other = joins(&h[0], KEPT("b"));
        says(&other, "82[ 0001 [] ('$share/g/t/q') 02 ]");
        hears(&other, "90[ 0001 [] 02 ]");
        says(&other, "e0 00");
        hears_end(&other);
        let_the_writer_pass(&h[0]);
        struct peer p = joins(&h[0], KEPT("a"));
        says(&p, "82[ 0001 [] ('$share/g/t/q') 02 ]");
        hears(&p, "90[ 0001 [] 02 ]");
        append2(&h[0], "1");
        hears(&p, "34[ ('t/q') 0001 [] '1' ]");
        peer_close(&other);
        crashes(&h[0], &h[1], worker_counts[i], &p, KEPT("b"));
        append2(&h[1], "2");
        hears(&p, "34[ ('t/q') 0001 [] '2' ]");
        struct peer q = joins(&h[1], KEPT("a"));
        hears(&q, "3c[ ('t/q') 0001 [] '1' ]");
        peer_close(&q);
        ends(h, 2, &p);
    }
}

#define TAKES_TWO(id)                                                         \
    "10[ ('MQTT') 05 80 0000 [ 11 00000e10 21 0002 ] ('" id "') ('t') ]"

/* From now on nothing is saved by the clock. */
static void stop_ticks(struct by_hand *h)
{
    by_hand_turn(h); /* the turn that starts them */
    for (unsigned i = 0; i <= h->hub.count; i++) {
        struct worker *w = h->workers[i];
        ev_timer_stop(w->loop, &w->save_tick);
        ev_timer_set(&w->save_tick, 1e6, 0.);
        ev_timer_start(w->loop, &w->save_tick);
    }
}

/* What is in flight to whom. */
static void save_sessions(struct by_hand *h)
{
    for (unsigned i = 0; i <= h->hub.count; i++)
        session_save_turn(h->workers[i], true);
    let_the_writer_pass(h);
}

/* How far groups are. */
static void save_groups(struct by_hand *h)
{
    for (unsigned i = 0; i <= h->hub.count; i++)
        share_save_all(h->workers[i], false);
    let_the_writer_pass(h);
}

static uint64_t group_position(struct by_hand *h, struct slice name)
{
    struct store_reader *r = store_reader_acquire(h->store);
    struct group_row row;

    assert_non_null(r);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    assert_int_equal(store_group(r, name, &row), STORE_OK);
    store_reader_release(r);
    return row.position;
}

/* Of what was given up to the saved position there are no notes any more. So an
 * older message that comes back and is in flight to another member must not take
 * the position back: all behind it would be given once more after a crash. */
static void the_saved_position_of_a_group_never_goes_back(void **state)
{
    static const char group_name[] = "t\0g\0t/q";
    const struct slice name = slice_of(group_name, sizeof(group_name) - 1);
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct by_hand h[2];

        by_hand_begin(&h[0], worker_counts[i]);
        struct peer b = joins(&h[0], TAKES_TWO("b"));
        says(&b, "82[ 0001 [] ('$share/g/t/q') 02 ]");
        hears(&b, "90[ 0001 [] 02 ]");
        append(&h[0], "t/q", "0");
        append(&h[0], "t/q", "1");
        hears(&b, "32[ ('t/q') 0001 [] '0' ] 32[ ('t/q') 0002 [] '1' ]");
        struct peer a = joins(&h[0], KEPT("a"));
        says(&a, "82[ 0001 [] ('$share/g/t/q') 02 ]");
        hears(&a, "90[ 0001 [] 02 ]");
        append2(&h[0], "2");
        append2(&h[0], "3");
        hears(&a, "34[ ('t/q') 0001 [] '2' ] 34[ ('t/q') 0002 [] '3' ]");
        says(&a, "50 02 0001 50 02 0002");
        hears(&a, "62 02 0001 62 02 0002");
        says(&a, "70 02 0001 70 02 0002 c0 00");
        hears(&a, "d0 00");
        stop_ticks(&h[0]);
        save_sessions(&h[0]);
        says(&b, "40 02 0001 c0 00"); /* its group is told what is on disk */
        hears(&b, "d0 00");
        let_the_writer_pass(&h[0]);
        save_groups(&h[0]);
        const uint64_t position = group_position(&h[0], name);
        assert_int_equal(position, 4);
        /* Its session ends: what it leaves behind is the other's. */
        says(&b, "e0[ 00 [ 11 00000000 ] ]");
        hears_end(&b);
        hears(&a, "32[ ('t/q') 0003 [] '1' ]");
        let_the_writer_pass(&h[0]);
        assert_int_equal(group_position(&h[0], name), position);
        peer_close(&b);
        crashes(&h[0], &h[1], worker_counts[i], &a, KEPT("a"));
        hears(&a, "32[ ('t/q') 0001 [] '1' ]");
        append2(&h[1], "4");
        hears(&a, "34[ ('t/q') 0002 [] '4' ]");
        ends(h, 2, &a);
    }
}

/* QoS 1 that is not on disk as in flight comes again. */
static void what_no_session_has_is_given_again(void **state)
{
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct by_hand h[2];

        by_hand_begin(&h[0], worker_counts[i]);
        struct peer p = joins(&h[0], KEPT("a"));
        says(&p, "82[ 0001 [] ('$share/g/t/q') 01 ]");
        hears(&p, "90[ 0001 [] 01 ]");
        append2(&h[0], "1");
        hears(&p, "32[ ('t/q') 0001 [] '1' ]");
        crashes(&h[0], &h[1], worker_counts[i], &p, KEPT("a"));
        uint8_t body[64];
        size_t len;
        assert_int_equal(hears_packet(&p, body, sizeof(body), &len) & 0xf7,
                         0x32);
        assert_int_equal(body[len - 1], '1');
        ends(h, 2, &p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_will_due_at_once_comes_though_its_client_is_back_at_once),
        cmocka_unit_test(a_will_that_fell_due_while_the_server_was_down_comes),
        cmocka_unit_test(a_will_whose_delay_runs_is_cancelled_by_a_return),
        cmocka_unit_test(a_raised_qos_does_not_bring_back_what_came_before),
        cmocka_unit_test(a_qos_raised_and_lowered_again_brings_nothing_back),
        cmocka_unit_test(a_lowered_qos_does_not_lose_what_waits),
        cmocka_unit_test(no_local_does_not_lose_what_waits),
        cmocka_unit_test(what_waits_for_an_unsubscribed_session_survives),
        cmocka_unit_test(a_completed_message_of_a_group_does_not_come_again),
        cmocka_unit_test(
            what_is_in_flight_to_one_member_does_not_go_to_another),
        cmocka_unit_test(the_saved_position_of_a_group_never_goes_back),
        cmocka_unit_test(what_no_session_has_is_given_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
