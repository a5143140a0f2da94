/* CONNECT and the end of connections, against a real broker over TCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "test/unit/broker/broker_fixture.h"

static struct broker_fixture b;

static struct peer stranger(void)
{
    return peer_tcp(broker_mqtt_port(b.broker));
}

#define CONNECT_5 "10[ ('MQTT') 05 02 0000 [] ('c') ]"
/* Maximum Packet Size 1 MiB + 128 KiB, Topic Alias Maximum 16 */
#define LIMITS "27 00120000 22 0010"

static void connack_says_what_a_client_must_not_use(void **state)
{
    struct peer p = stranger();
    (void)state;

    says(&p, CONNECT_5);
    hears(&p, "20[ 00 00 [" LIMITS "] ]");
    says(&p, "e000");
    hears_end(&p);
    peer_close(&p);
}

static void a_session_expiry_the_plan_cuts_short_is_told(void **state)
{
    struct peer p;
    (void)state;

    broker_fixture_stop(&b);
    broker_fixture_plan(&b, "local")->session_expiry = 30;
    broker_fixture_start(&b);
    p = stranger();
    says(&p, "10[ ('MQTT') 05 02 0000 [ 11 0000003c ] ('cut') ]");
    hears(&p, "20[ 00 00 [ 11 0000001e " LIMITS "] ]");
    peer_close(&p);
    p = stranger();
    says(&p, "10[ ('MQTT') 05 02 0000 [ 11 0000001d ] ('cut') ]");
    hears(&p, "20[ 00 00 [" LIMITS "] ]");
    peer_close(&p);
    broker_fixture_stop(&b);
    broker_fixture_plan(&b, "local")->session_expiry = 0;
    broker_fixture_start(&b);
}

static void a_shorter_keep_alive_is_told(void **state)
{
    struct peer p, q;
    (void)state;

    broker_fixture_stop(&b);
    b.config.mqtt_keep_alive_max = 30;
    broker_fixture_start(&b);
    p = stranger();
    says(&p, "10[ ('MQTT') 05 02 0000 [] ('k') ]");
    hears(&p, "20[ 00 00 [" LIMITS " 13 001e] ]");
    peer_close(&p);
    p = stranger();
    says(&p, "10[ ('MQTT') 05 02 001e [] ('k') ]");
    hears(&p, "20[ 00 00 [" LIMITS "] ]");
    peer_close(&p);
    q = stranger(); /* MQTT 3 cannot be told, so its own holds */
    says(&q, "10[ ('MQTT') 04 02 0000 ('k') ]");
    hears(&q, "20 02 00 00");
    peer_close(&q);
    broker_fixture_stop(&b);
    b.config.mqtt_keep_alive_max = 0;
    broker_fixture_start(&b);
}

static void long_client_ids_are_as_good_as_short_ones(void **state)
{
    static char packet[70000];
    const size_t id = 65535, body = 10 + 1 + 2 + id + 2 + 1;
    struct peer p;
    size_t at = 0;
    (void)state;

    packet[at++] = 0x10;
    for (size_t v = body; v > 0; v >>= 7)
        packet[at++] = (char)((v & 0x7f) | (v > 127 ? 0x80 : 0));
    memcpy(packet + at, "\0\4MQTT\5\x80\0\0\0\xff\xff", 13);
    memset(packet + at + 13, 'x', id);
    memcpy(packet + at + 13 + id, "\0\1t", 3);
    for (int i = 0; i < 2; i++) {
        p = stranger();
        says_bytes(&p, packet, at + body);
        hears(&p, "20[ 00 00 [" LIMITS "] ]");
        says(&p, "e000");
        hears_end(&p);
        peer_close(&p);
    }
}

static void the_older_protocols_are_spoken(void **state)
{
    struct peer p = stranger(), q = stranger();
    (void)state;

    says(&p, "10[ ('MQTT') 04 02 0000 ('c4') ]");
    hears(&p, "20 02 00 00");
    says(&q, "10[ ('MQIsdp') 03 02 0000 ('c3') ]");
    hears(&q, "20 02 00 00");
    says(&p, "c000");
    hears(&p, "d000");
    peer_close(&p);
    peer_close(&q);
}

static void a_missing_client_id_is_made_up(void **state)
{
    struct peer p = stranger();
    uint8_t body[128];
    size_t len;
    (void)state;

    says(&p, "10[ ('MQTT') 05 02 0000 [] () ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    /* … Maximum Packet Size, Assigned Client Identifier of 24 digits */
    assert_int_equal(body[3 + 5], 0x12);
    assert_int_equal(body[3 + 7], 24);
    peer_close(&p);

    p = stranger(); /* 3.1.1 allows none only with a clean session */
    says(&p, "10[ ('MQTT') 04 00 0000 () ]");
    hears(&p, "20 02 00 02");
    hears_end(&p);
    peer_close(&p);
}

static void other_bytes_than_connect_close_at_once(void **state)
{
    static const char *const rows[] = {
        "'GET / HTTP/1.1\r\n\r\n'", "00", "ff", "c000", "e000", "30[ ('a') ]",
        "1603010200" /* TLS */,
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer p = stranger();
        says(&p, rows[i]);
        hears_end(&p);
        peer_close(&p);
    }
}

static void a_bad_connect_is_told_why(void **state)
{
    static const struct {
        const char *says;
        unsigned code;
    } rows[] = {
        {"10[ ('MQTT') 05 03 0000 [] ('c') ]", 0x81},
        {"10[ ('MQTT') 05 02 0000 [ 15 ('m') ] ('c') ]", 0x8c},
        {"10[ ('MQTT') 05 82 0000 [] ('c') ('no token') ]", 0x86},
        /* a will: foreign topic, no thing, reserved property */
        {"10[ ('MQTT') 05 86 0000 [] ('c') [] ('o/w') ('x') ('t') ]", 0x87},
        {"10[ ('MQTT') 05 86 0000 [] ('c') [] ('t//w') ('x') ('t') ]", 0x90},
        {"10[ ('MQTT') 05 86 0000 [] ('c') [ 26 ('confab-id') ('1') ] ('t/w') "
         "('x') ('t') ]",
         0x83},
    };
    uint8_t body[512];
    size_t len;
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer p = stranger();
        says(&p, rows[i].says);
        assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
        assert_int_equal(body[1], rows[i].code);
        assert_int_equal(body[3], 0x1f); /* Reason String */
        assert_in_range(body[5], 10, 255);
        hears_end(&p);
        peer_close(&p);
    }
}

static void a_connect_may_come_byte_by_byte(void **state)
{
    static const char bytes[] = "\x10\x0e\0\4MQTT\5\2\0\0\0\0\1c";
    struct peer p = stranger();
    (void)state;

    for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
        says_bytes(&p, bytes + i, 1);
        usleep(2000);
    }
    hears(&p, "20[ 00 00 [" LIMITS "] ]");
    peer_close(&p);
}

static void what_follows_connect_in_one_write_is_served(void **state)
{
    (void)state;

    /* Many ids, so that some have to change the worker. */
    for (int i = 0; i < 16; i++) {
        struct peer p = stranger();
        char text[128];
        snprintf(
            text, sizeof(text),
            "10[ ('MQTT') 04 02 0000 ('id-%d') ] 82[ 0001 ('a') 00 ] c000", i);
        says(&p, text);
        hears(&p, "20 02 00 00  90 03 0001 00  d0 00");
        peer_close(&p);
    }
}

static void a_connect_larger_than_384_KiB_is_not_waited_for(void **state)
{
    struct peer p = stranger();
    (void)state;

    says(&p, "10 81 80 18"); /* 393,217 bytes are to come */
    hears_end(&p);
    peer_close(&p);
}

static void a_second_connect_is_an_error(void **state)
{
    struct peer p = device5(&b, "t", "twice");
    uint8_t body[128];
    size_t len;
    (void)state;

    says(&p, CONNECT_5);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x82);
    hears_end(&p);
    peer_close(&p);
}

static void the_same_client_id_takes_over_within_its_token(void **state)
{
    struct peer old = device5(&b, "t", "same"),
                older = device311(&b, "t", "x");
    struct peer other = device5(&b, "u", "same");
    uint8_t body[128];
    size_t len;
    (void)state;

    struct peer p = device5(&b, "t", "same"), q = device311(&b, "t", "x");
    assert_int_equal(hears_packet(&old, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x8e);
    hears_end(&old);
    hears_end(&older);
    says(&other, "c000");
    hears(&other, "d000");
    peer_close(&old);
    peer_close(&older);
    peer_close(&other);
    peer_close(&p);
    peer_close(&q);
}

static void keep_alive_is_enforced(void **state)
{
    struct peer p = stranger();
    uint8_t body[128];
    size_t len;
    (void)state;

    says(&p, "10[ ('MQTT') 05 02 0002 [] ('sleepy') ]");
    hears(&p, "20[ 00 00 [" LIMITS "] ]");
    usleep(1800000);
    says(&p, "c000"); /* that counts */
    hears(&p, "d000");
    usleep(1800000);
    hears_nothing(&p, 1);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x8d);
    hears_end(&p);
    peer_close(&p);
}

/* A will, published when the connection ends in that way. */
static void check_will(const char *client_id, const char *last_words,
                       bool expected)
{
    struct peer watcher = device311(&b, "wills", "watcher"), p = stranger();
    char text[256];

    says(&watcher, "82[ 0001 ('wills/#') 01 ]");
    hears(&watcher, "90 03 0001 01");
    snprintf(text, sizeof(text),
             "10[ ('MQTT') 05 8e 0000 [] ('%s') [] ('wills/w') ('gone') "
             "('wills') ]",
             client_id);
    says(&p, text);
    hears(&p, "20[ 00 00 [" LIMITS "] ]");
    if (last_words == NULL) {
        peer_reset(&p);
    } else {
        says(&p, last_words);
        peer_close(&p);
    }
    if (expected)
        hears(&watcher, "32[ ('wills/w') 0001 'gone' ]");
    else
        hears_nothing(&watcher, 100);
    peer_close(&watcher);
}

static void a_will_is_published_unless_the_client_takes_leave(void **state)
{
    (void)state;
    check_will("w1", NULL, true);          /* reset */
    check_will("w2", "", true);            /* closed without a word */
    check_will("w3", "f0 00", true);       /* protocol error */
    check_will("w4", "e0 02 04 00", true); /* DISCONNECT with will */
    check_will("w5", "e000", false);
    check_will("w6", "e0 01 00", false);
}

static void an_early_end_is_no_client(void **state)
{
    const uint64_t before = status_number(&b, "\"accepted\":");
    (void)state;

    for (int i = 0; i < 50; i++) {
        struct peer p = stranger();
        if (i % 2)
            says(&p, "10 0e 0004 'MQ'");
        if (i % 3)
            peer_close(&p);
        else
            peer_reset(&p);
    }
    for (int i = 0; i < 3000; i++) {
        if (status_number(&b, "\"now\":") == 0 &&
            status_number(&b, "\"accepted\":") == before + 50)
            return;
        usleep(10000);
    }
    fail_msg("%s", "connections are left over");
}

static void stopping_says_goodbye_and_publishes_wills(void **state)
{
    struct peer p = stranger(), watcher = device5(&b, "wills", "watcher");
    uint8_t body[128];
    size_t len;
    (void)state;

    says(&watcher, "82[ 0001 [] ('wills/last') 00 ]");
    hears(&watcher, "90[ 0001 [] 00 ]");
    says(&p, "10[ ('MQTT') 05 86 0000 [] ('p') [] ('wills/last') ('bye') "
             "('wills') ]");
    hears(&p, "20[ 00 00 [" LIMITS "] ]");
    broker_fixture_stop(&b);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x8b);
    hears_end(&p);
    hears(&watcher, "30[ ('wills/last') [] 'bye' ]");
    assert_int_equal(hears_packet(&watcher, body, sizeof(body), &len), 0xe0);
    peer_close(&p);
    peer_close(&watcher);
    broker_fixture_start(&b);
}

static void a_stale_socket_is_replaced_and_other_files_are_not(void **state)
{
    const struct broker_opts opts = {.data_dir = b.dir};
    struct config_error error = {""};
    struct broker *second;
    FILE *file;
    (void)state;

    /* in use: the running broker answers */
    assert_false(broker_start(&b.config, b.store, &opts, &second, &error));
    assert_non_null(strstr(error.text, "another server"));
    broker_fixture_stop(&b);

    file = fopen(b.socket, "w"); /* no socket */
    fclose(file);
    const struct store_opts store = {.map_size = 64 << 20};
    assert_int_equal(store_open(b.dir, &store, &b.store, NULL), STORE_OK);
    assert_false(broker_start(&b.config, b.store, &opts, &second, &error));
    assert_non_null(strstr(error.text, "not a socket"));
    unlink(b.socket);
    store_close(b.store);
    broker_fixture_start(&b);
}

static void a_taken_port_is_named(void **state)
{
    struct broker_fixture other;
    struct config_error error = {""};
    const struct store_opts store = {.map_size = 64 << 20};
    (void)state;

    broker_fixture_prepare(&other);
    snprintf(other.config.mqtt_listen, sizeof(other.config.mqtt_listen),
             "127.0.0.1:%u", broker_mqtt_port(b.broker));
    const struct broker_opts opts = {.data_dir = other.dir};
    assert_int_equal(store_open(other.dir, &store, &other.store, NULL),
                     STORE_OK);
    assert_false(broker_start(&other.config, other.store, &opts, &other.broker,
                              &error));
    assert_non_null(strstr(error.text, "mqtt.listen 127.0.0.1:"));
    assert_non_null(strstr(error.text, "in use"));
    store_close(other.store);
    broker_fixture_remove(&other);
}

/* Who was refused keeps its place for the moment until the server has seen it
 * go. */
static void wait_until_open(uint64_t connections)
{
    const int64_t until_us = clock_mono_us() + INT64_C(30000000);

    while (status_number(&b, "\"now\":") > connections) {
        assert_true(clock_mono_us() < until_us);
        usleep(2000);
    }
}

static void limits_on_connections_are_kept(void **state)
{
    struct peer p, q, r;
    uint8_t body[128];
    size_t len;
    (void)state;

    broker_fixture_stop(&b);
    broker_fixture_plan(&b, "local")->connections = 1;
    b.config.limits_connections = 3;
    broker_fixture_start(&b);
    p = device5(&b, "t", "1");
    q = stranger();
    says(&q, "10[ ('MQTT') 04 82 0000 ('2') ('t') ]");
    hears(&q, "20 02 00 03");
    peer_close(&q);
    wait_until_open(1);
    q = stranger();
    says(&q, "10[ ('MQTT') 05 82 0000 [] ('2') ('t') ]");
    assert_int_equal(hears_packet(&q, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[1], 0x97);
    hears_end(&q);
    peer_close(&q);
    wait_until_open(1);
    /* the same client again does not count twice */
    q = device5(&b, "t", "1");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0xe0);
    peer_close(&p);
    peer_close(&q);
    wait_until_open(0);

    p = device5(&b, "a", "1");
    q = device5(&b, "b", "1");
    r = device5(&b, "c", "1");
    struct peer one_more = stranger();
    hears_end(&one_more);
    struct peer admin = administrator(&b, "admin"); /* never shut out */
    peer_close(&one_more);
    peer_close(&admin);
    peer_close(&p);
    peer_close(&q);
    peer_close(&r);

    broker_fixture_stop(&b);
    broker_fixture_plan(&b, "local")->connections = 0;
    b.config.limits_connections = 0;
    broker_fixture_start(&b);
}

static int begin(void **state)
{
    (void)state;
    broker_fixture_prepare(&b);
    broker_fixture_start(&b);
    return 0;
}

static int end(void **state)
{
    (void)state;
    broker_fixture_stop(&b);
    broker_fixture_remove(&b);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connack_says_what_a_client_must_not_use),
        cmocka_unit_test(a_session_expiry_the_plan_cuts_short_is_told),
        cmocka_unit_test(a_shorter_keep_alive_is_told),
        cmocka_unit_test(long_client_ids_are_as_good_as_short_ones),
        cmocka_unit_test(the_older_protocols_are_spoken),
        cmocka_unit_test(a_missing_client_id_is_made_up),
        cmocka_unit_test(other_bytes_than_connect_close_at_once),
        cmocka_unit_test(a_bad_connect_is_told_why),
        cmocka_unit_test(a_connect_may_come_byte_by_byte),
        cmocka_unit_test(what_follows_connect_in_one_write_is_served),
        cmocka_unit_test(a_connect_larger_than_384_KiB_is_not_waited_for),
        cmocka_unit_test(a_second_connect_is_an_error),
        cmocka_unit_test(the_same_client_id_takes_over_within_its_token),
        cmocka_unit_test(keep_alive_is_enforced),
        cmocka_unit_test(a_will_is_published_unless_the_client_takes_leave),
        cmocka_unit_test(an_early_end_is_no_client),
        cmocka_unit_test(stopping_says_goodbye_and_publishes_wills),
        cmocka_unit_test(a_stale_socket_is_replaced_and_other_files_are_not),
        cmocka_unit_test(a_taken_port_is_named),
        cmocka_unit_test(limits_on_connections_are_kept),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
