/* What a client sends takes effect in the order in which it sent it, however many
 * packets come in one segment; and DISCONNECT does not take answers with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/store/by_hand.h"

static const unsigned worker_counts[] = {1, 3};

/* v5; `session` is its CONNECT's flags and properties. */
static struct peer joins_as(struct by_hand *h, const char *session)
{
    struct peer p = by_hand_stranger(h);
    char text[128];
    uint8_t body[64];
    size_t len;

    snprintf(text, sizeof(text), "10[ ('MQTT') 05 %s ('c') ('t') ]", session);
    says(&p, text);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[1], 0);
    return p;
}

#define CLEAN "82 0000 []"
#define KEPT "80 0000 [ 11 00000e10 ]"

/* `test` for one and several workers, for sessions that are stored and others;
 * each in a broker of its own. */
static void in_every_way(void (*test)(struct by_hand *h, struct peer *p))
{
    for (size_t i = 0; i < 4; i++) {
        struct by_hand h;

        by_hand_begin(&h, worker_counts[i / 2]);
        struct peer p = joins_as(&h, i % 2 == 0 ? CLEAN : KEPT);
        test(&h, &p);
        peer_close(&p);
        by_hand_end(&h);
    }
}

/* ---- PUBLISH, then SUBSCRIBE ----------------------------------------------- */

static void retained_then_subscribed(struct by_hand *h, struct peer *p)
{
    (void)h;
    /* QoS 1, 0 and 2: what is retained came before the subscription, and greets
     * it as what it is (MQTT-3.3.1-9). */
    says(p, "33[ ('t/r') 0001 [] '1' ] 82[ 0002 [] ('t/r') 01 ]");
    hears(p, "40 02 0001 90[ 0002 [] 01 ] 33[ ('t/r') 0001 [] '1' ]");
    says(p, "31[ ('t/r0') [] '2' ] 82[ 0003 [] ('t/r0') 01 ]");
    hears(p, "90[ 0003 [] 01 ] 31[ ('t/r0') [] '2' ]");
    says(p, "35[ ('t/r2') 0004 [] '3' ] 82[ 0005 [] ('t/r2') 01 ]");
    hears(p, "50 02 0004 90[ 0005 [] 01 ] 33[ ('t/r2') 0002 [] '3' ]");
}

static void what_was_retained_before_a_subscription_greets_it(void **state)
{
    (void)state;
    in_every_way(retained_then_subscribed);
}

static void published_then_subscribed(struct by_hand *h, struct peer *p)
{
    (void)h;
    /* Retain Handling 2 wants nothing retained (MQTT-3.3.1-11), and a message
     * that is not retained has passed. What follows is live. */
    says(p, "33[ ('t/h') 0001 [] '1' ] 82[ 0002 [] ('t/h') 21 ] "
            "32[ ('t/p') 0003 [] '2' ] 82[ 0004 [] ('t/p') 01 ] "
            "31[ ('t/h') [] 'live' ]");
    hears(p, "40 02 0001 90[ 0002 [] 01 ] 40 02 0003 90[ 0004 [] 01 ] "
             "30[ ('t/h') [] 'live' ]");
}

static void what_was_published_before_a_subscription_is_not_live(void **state)
{
    (void)state;
    in_every_way(published_then_subscribed);
}

/* A SUBSCRIBE with nothing before it does not wait for the writer. */
static void alone(struct by_hand *h, struct peer *p)
{
    (void)h;
    says(p, "32[ ('t/a') 0001 [] '1' ]");
    hears(p, "40 02 0001");
    for (int i = 0; i < 3; i++) /* fanned out, too */
        by_hand_turn(h);
    const uint64_t before = h->workers[0]->credits.commands;
    says(p, "82[ 0002 [] ('t/#') 00 ]");
    hears(p, "90[ 0002 [] 00 ]");
    assert_int_equal(h->workers[0]->credits.commands, before);
}

static void a_subscribe_behind_nothing_asks_nobody(void **state)
{
    struct by_hand h;
    (void)state;

    by_hand_begin(&h, 1);
    struct peer p = joins_as(&h, CLEAN);
    alone(&h, &p);
    peer_close(&p);
    by_hand_end(&h);
}

/* ---- PUBLISH, then UNSUBSCRIBE or another SUBSCRIBE ------------------------- */

static void published_then_unsubscribed(struct by_hand *h, struct peer *p)
{
    (void)h;
    says(p, "82[ 0001 [] ('t/u') 00 ]");
    hears(p, "90[ 0001 [] 00 ]");
    says(p, "30[ ('t/u') [] '1' ] 30[ ('t/u') [] '2' ] a2[ 0002 [] ('t/u') ] "
            "30[ ('t/u') [] 'after' ] c0 00");
    hears(p, "30[ ('t/u') [] '1' ] 30[ ('t/u') [] '2' ]");
    /* PINGRESP may be first where the store is asked about the subscription. */
    uint8_t body[16];
    size_t len, unsubacks = 0, pongs = 0;
    for (int i = 0; i < 2; i++) {
        const uint8_t first = hears_packet(p, body, sizeof(body), &len);
        unsubacks += first == 0xb0;
        pongs += first == 0xd0;
    }
    assert_int_equal(unsubacks, 1);
    assert_int_equal(pongs, 1);
    /* None of 'after', which would be before the answer to this. */
    says(p, "32[ ('t/x') 0003 [] 'x' ]");
    hears(p, "40 02 0003");
}

static void what_was_published_before_an_unsubscribe_is_delivered(void **state)
{
    (void)state;
    in_every_way(published_then_unsubscribed);
}

static void published_then_changed(struct by_hand *h, struct peer *p)
{
    (void)h;
    says(p, "82[ 0001 [] ('t/c') 01 ]");
    hears(p, "90[ 0001 [] 01 ]");
    /* No Local from now on, not for what was published before. */
    says(p, "32[ ('t/c') 0002 [] '1' ] 82[ 0003 [] ('t/c') 24 ] "
            "32[ ('t/c') 0004 [] '2' ]");
    hears(p, "40 02 0002 32[ ('t/c') 0001 [] '1' ] 90[ 0003 [] 00 ] "
             "40 02 0004");
    says(p, "40 02 0001 c0 00");
    hears(p, "d0 00");
}

static void what_was_published_before_a_change_comes_as_it_was_asked_for(
    void **state)
{
    (void)state;
    in_every_way(published_then_changed);
}

/* ---- DISCONNECT ------------------------------------------------------------- */

static void said_with_disconnect(struct by_hand *h, struct peer *p)
{
    (void)h;
    says(p, "82[ 0001 [] ('t/in') 01 ] 32[ ('t/out') 0002 [] '1' ] "
            "34[ ('t/out') 0003 [] '2' ] a2[ 0004 [] ('t/in') ] e0 00");
    hears(p, "90[ 0001 [] 01 ] 40 02 0002 50 02 0003 b0[ 0004 [] 00 ]");
    hears_end(p);
}

static void answers_owed_before_a_disconnect_come(void **state)
{
    (void)state;
    in_every_way(said_with_disconnect);
}

static void connected_and_gone(struct by_hand *h, const char *session)
{
    struct peer p = by_hand_stranger(h);
    char text[192];
    uint8_t body[64];
    size_t len;

    snprintf(text, sizeof(text),
             "10[ ('MQTT') 05 %s ('gone') ('t') ] 82[ 0001 [] ('t/in') 01 ] "
             "32[ ('t/out') 0002 [] '1' ] e0 00",
             session);
    says(&p, text);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    hears(&p, "90[ 0001 [] 01 ] 40 02 0002");
    hears_end(&p);
    peer_close(&p);
}

static void all_in_one_segment(struct by_hand *h, struct peer *p)
{
    (void)p;
    connected_and_gone(h, CLEAN);
    connected_and_gone(h, KEPT);
}

static void a_whole_life_in_one_segment_is_answered(void **state)
{
    (void)state;
    in_every_way(all_in_one_segment);
}

/* DISCONNECT removes the will at once, whoever comes while answers are owed
 * (MQTT-3.14.4-3). */
static void a_takeover_of_one_that_leaves_publishes_no_will(void **state)
{
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct by_hand h;
        uint8_t body[64];
        size_t len;

        by_hand_begin(&h, worker_counts[i]);
        struct peer watcher = by_hand_guest(&h, "watcher", "t");
        says(&watcher, "82[ 0001 ('t/w') 00 ]");
        hears(&watcher, "90[ 0001 00 ]");
        struct peer p = by_hand_stranger(&h), q = by_hand_stranger(&h);
        says(&p, "10[ ('MQTT') 04 84 0000 ('c') ('t/w') ('gone') ('t') ]");
        hears(&p, "20 02 00 00");
        says(&p, "32[ ('t/x') 0001 'x' ] e0 00");
        by_hand_turn(&h); /* they are read, and PUBACK is still owed */
        says(&q, "10[ ('MQTT') 05 82 0000 [] ('c') ('t') ]");
        assert_int_equal(hears_packet(&q, body, sizeof(body), &len), 0x20);
        says(&q, "30[ ('t/w') [] 'after' ]");
        hears(&watcher, "30[ ('t/w') 'after' ]");
        peer_close(&p);
        peer_close(&q);
        peer_close(&watcher);
        by_hand_end(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_retained_before_a_subscription_greets_it),
        cmocka_unit_test(what_was_published_before_a_subscription_is_not_live),
        cmocka_unit_test(a_subscribe_behind_nothing_asks_nobody),
        cmocka_unit_test(
            what_was_published_before_an_unsubscribe_is_delivered),
        cmocka_unit_test(
            what_was_published_before_a_change_comes_as_it_was_asked_for),
        cmocka_unit_test(answers_owed_before_a_disconnect_come),
        cmocka_unit_test(a_whole_life_in_one_segment_is_answered),
        cmocka_unit_test(a_takeover_of_one_that_leaves_publishes_no_will),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
