/* `$SYS`: samples are taken by hand, so the test owns the clock. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/admin/sys.h"
#include "test/unit/store/by_hand.h"

#define SECOND_US INT64_C(1000000)

static struct by_hand h;

static void sample_at(int64_t second)
{
    h.sampler.started_us = 0;
    sys_sample(&h.hub, second * SECOND_US);
}

static struct peer nameless(const char *client_id)
{
    struct peer p = by_hand_stranger(&h);
    char text[128];

    snprintf(text, sizeof(text), "10[ ('MQTT') 04 02 0000 ('%s') ]",
             client_id);
    says(&p, text);
    hears(&p, "20 02 00 00");
    return p;
}

static struct peer nameless5(const char *client_id)
{
    struct peer p = by_hand_stranger(&h);
    char text[128];
    uint8_t body[128];
    size_t len;

    snprintf(text, sizeof(text), "10[ ('MQTT') 05 02 0000 [] ('%s') ]",
             client_id);
    says(&p, text);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    return p;
}

static void subscribe(struct peer *p, const char *filter)
{
    char text[128];

    snprintf(text, sizeof(text), "82[ 0001 ('%s') 02 ]", filter);
    says(p, text);
    hears(p, "90 03 0001 02");
}

/* A PINGRESP is the next thing it hears. */
static void has_heard_all(struct peer *p)
{
    says(p, "c000");
    hears(p, "d0 00");
}

static const char *value(enum sys_topic topic)
{
    return h.hub.sys->values.text[topic];
}

static void a_new_subscription_gets_the_values_at_once(void **state)
{
    (void)state;
    sample_at(5);
    struct peer p = nameless("p");

    subscribe(&p, "$SYS/broker/uptime");
    hears(&p, "31[ ('$SYS/broker/uptime') '5 seconds' ]");
    /* without a wildcard, with one, and once more */
    says(&p, "82[ 0002 ('$SYS/+/uptime') 00 ]");
    hears(&p, "90 03 0002 00 31[ ('$SYS/broker/uptime') '5 seconds' ]");
    says(&p, "82[ 0003 ('$SYS/+/uptime') 00 ]");
    hears(&p, "90 03 0003 00 31[ ('$SYS/broker/uptime') '5 seconds' ]");
    has_heard_all(&p);
    peer_close(&p);
}

static void later_only_what_changed_is_sent(void **state)
{
    (void)state;
    sample_at(10);
    struct peer p = nameless("p"), q = nameless("q");

    says(&p, "82[ 0001 ('$SYS/broker/uptime') 00 "
             "('$SYS/broker/retained messages/count') 00 ]");
    hears(&p, "90 04 0001 00 00 31[ ('$SYS/broker/uptime') '10 seconds' ] "
              "31[ ('$SYS/broker/retained messages/count') '0' ]");
    subscribe(&q, "$SYS/broker/uptime");
    hears(&q, "31[ ('$SYS/broker/uptime') '10 seconds' ]");
    sample_at(20);
    hears(&p, "30[ ('$SYS/broker/uptime') '20 seconds' ]");
    hears(&q, "30[ ('$SYS/broker/uptime') '20 seconds' ]");
    sample_at(20);
    has_heard_all(&p);
    peer_close(&p);
    peer_close(&q);
}

/* It is not told what it missed between two visits. */
static void who_comes_back_hears_each_value_once(void **state)
{
    (void)state;
    sample_at(30);
    struct peer p = nameless("p");

    subscribe(&p, "$SYS/broker/uptime");
    hears(&p, "31[ ('$SYS/broker/uptime') '30 seconds' ]");
    says(&p, "a2[ 0002 ('$SYS/broker/uptime') ]");
    hears(&p, "b0 02 0002");
    assert_int_equal(atomic_load(&h.hub.sys->subscriptions), 0);
    sample_at(40);
    has_heard_all(&p);
    subscribe(&p, "$SYS/broker/uptime");
    hears(&p, "31[ ('$SYS/broker/uptime') '40 seconds' ]");
    has_heard_all(&p);
    peer_close(&p);
}

static void a_group_shares_what_changed(void **state)
{
    (void)state;
    sample_at(50);
    struct peer p = nameless("p");

    subscribe(&p, "$share/g/$SYS/broker/uptime");
    sample_at(60);
    hears(&p, "30[ ('$SYS/broker/uptime') '60 seconds' ]");
    peer_close(&p);
}

static void tokens_do_not_see_it(void **state)
{
    (void)state;
    sample_at(70);
    struct peer p = by_hand_guest(&h, "p", "tok");

    says(&p, "82[ 0001 ('$SYS/#') 00 ('$SYS/broker/uptime') 00 "
             "('$share/g/$SYS/#') 00 ('tok/#') 00 ]");
    hears(&p, "90 06 0001 80 80 80 00");
    assert_int_equal(atomic_load(&h.hub.sys->subscriptions), 0);
    sample_at(80);
    has_heard_all(&p);
    peer_close(&p);
}

static void no_leading_wildcard_matches_it(void **state)
{
    (void)state;
    sample_at(90);
    struct peer p = nameless("p");

    says(&p, "82[ 0001 ('#') 00 ('+/broker/uptime') 00 ]");
    hears(&p, "90 04 0001 00 00");
    sample_at(100);
    has_heard_all(&p);
    peer_close(&p);
}

static void nobody_publishes_there(void **state)
{
    struct store_stats before, after;
    struct peer p = nameless5("p");
    uint8_t body[128];
    size_t len;
    (void)state;

    assert_int_equal(store_stats(h.store, &before), STORE_OK);
    says(&p, "32[ ('$SYS/broker/uptime') 0001 [] 'x' ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x40);
    assert_int_equal(body[2], 0x87);
    says(&p, "33[ ('$SYS') 0002 [] 'x' ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x40);
    assert_int_equal(body[2], 0x87);
    has_heard_all(&p);
    assert_int_equal(store_stats(h.store, &after), STORE_OK);
    assert_int_equal(before.head, after.head);
    peer_close(&p);
}

static void values_are_never_stored(void **state)
{
    struct store_stats before, after;
    (void)state;

    assert_int_equal(store_stats(h.store, &before), STORE_OK);
    sample_at(110);
    struct peer p = nameless("p");
    subscribe(&p, "$SYS/broker/uptime");
    hears(&p, "31[ ('$SYS/broker/uptime') '110 seconds' ]");
    assert_int_equal(store_stats(h.store, &after), STORE_OK);
    assert_int_equal(before.head, after.head);
    assert_int_equal(after.retained, before.retained);
    peer_close(&p);
}

static void traffic_is_counted(void **state)
{
    uint8_t body[64];
    size_t len;
    (void)state;

    struct peer p = nameless("counted");
    sample_at(120);
    const struct sys_values before = h.hub.sys->values;
    says(&p, "82[ 0001 ('t/x') 00 ]");
    hears(&p, "90 03 0001 00");
    says(&p, "33[ ('t/x') 0002 '12345' ]");
    /* the message and its PUBACK, in whatever order */
    hears_packet(&p, body, sizeof(body), &len);
    hears_packet(&p, body, sizeof(body), &len);
    sample_at(130);
#define GREW(topic, by)                                                       \
    assert_int_equal(strtoul(value(topic), NULL, 10),                         \
                     strtoul(before.text[topic], NULL, 10) + by)
    GREW(SYS_MESSAGES_RECEIVED, 2);
    GREW(SYS_MESSAGES_SENT, 3);
    GREW(SYS_PUBLISH_RECEIVED, 1);
    GREW(SYS_PUBLISH_SENT, 1);
    GREW(SYS_PUBLISH_BYTES_RECEIVED, 5);
    GREW(SYS_PUBLISH_BYTES_SENT, 5);
    GREW(SYS_BYTES_RECEIVED, 10 + 14);
    GREW(SYS_BYTES_SENT, 5 + 12 + 4);
    GREW(SYS_SUBSCRIPTIONS, 1);
    GREW(SYS_MESSAGES_STORED, 1);
    GREW(SYS_STORE_COUNT, 1);
    GREW(SYS_RETAINED, 1);
    GREW(SYS_CLIENTS_EXPIRED, 0);
#undef GREW
    /* 2 in 10 s are 12 a minute */
    assert_string_not_equal(value(SYS_FIRST_LOAD + SYS_LOAD_MESSAGES_RECEIVED),
                            "0.00");
    peer_close(&p);
}

static void turn_until(enum sys_topic topic, const char *text)
{
    for (int i = 0; i < 100000; i++) {
        by_hand_turn(&h);
        sample_at(140 + i);
        if (strcmp(value(topic), text) == 0)
            return;
    }
    fail_msg("value is %s, not %s", value(topic), text);
}

static void clients_are_counted_connected_or_not(void **state)
{
    (void)state;
    turn_until(SYS_CLIENTS_CONNECTED, "0");
    struct peer p = nameless("gone"), q = nameless5("stays");
    struct peer kept = by_hand_stranger(&h);
    uint8_t body[64];
    size_t len;

    says(&kept, "10[ ('MQTT') 05 00 0000 [ 11 00000e10 ] ('kept') ]");
    assert_int_equal(hears_packet(&kept, body, sizeof(body), &len), 0x20);
    sample_at(140);
    assert_string_equal(value(SYS_CLIENTS_CONNECTED), "3");
    assert_string_equal(value(SYS_CLIENTS_DISCONNECTED), "0");
    says(&p, "e000");
    says(&kept, "e000");
    hears_end(&p);
    hears_end(&kept);
    turn_until(SYS_CLIENTS_DISCONNECTED, "1");
    assert_string_equal(value(SYS_CLIENTS_CONNECTED), "1");
    assert_string_equal(value(SYS_CLIENTS_ACTIVE), "1");
    assert_string_equal(value(SYS_CLIENTS_INACTIVE), "1");
    assert_string_equal(value(SYS_CLIENTS_TOTAL), "2");
    assert_string_equal(value(SYS_CLIENTS_MAXIMUM), "3");
    peer_close(&p);
    peer_close(&q);
    peer_close(&kept);
}

static void loads_are_damped_like_mosquittos(void **state)
{
    (void)state;
    assert_true(fabs(sys_damp(0, 60, 60, 1) - 60 * (1 - exp(-1))) < 1e-9);
    assert_true(fabs(sys_damp(10, 10, 7, 5) - 10) < 1e-9);
    assert_true(fabs(sys_damp(100, 0, 300, 5) - 100 * exp(-1)) < 1e-9);
    assert_true(fabs(sys_damp(100, 0, 0, 15) - 100) < 1e-9);
}

static void without_a_sample_there_is_nothing(void **state)
{
    struct by_hand other;
    (void)state;

    by_hand_begin(&other, 1);
    struct peer p = by_hand_stranger(&other);
    says(&p, "10[ ('MQTT') 04 02 0000 ('p') ]");
    hears(&p, "20 02 00 00");
    says(&p, "82[ 0001 ('$SYS/#') 00 ]");
    hears(&p, "90 03 0001 00");
    has_heard_all(&p);
    peer_close(&p);
    by_hand_end(&other);
}

static int begin(void **state)
{
    (void)state;
    by_hand_begin(&h, 2);
    return 0;
}

static int end(void **state)
{
    (void)state;
    by_hand_end(&h);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_subscription_gets_the_values_at_once),
        cmocka_unit_test(later_only_what_changed_is_sent),
        cmocka_unit_test(who_comes_back_hears_each_value_once),
        cmocka_unit_test(a_group_shares_what_changed),
        cmocka_unit_test(tokens_do_not_see_it),
        cmocka_unit_test(no_leading_wildcard_matches_it),
        cmocka_unit_test(nobody_publishes_there),
        cmocka_unit_test(values_are_never_stored),
        cmocka_unit_test(traffic_is_counted),
        cmocka_unit_test(clients_are_counted_connected_or_not),
        cmocka_unit_test(loads_are_damped_like_mosquittos),
        cmocka_unit_test(without_a_sample_there_is_nothing),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
