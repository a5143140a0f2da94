/* PUBLISH and its answers, against a real broker over TCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/trace.h"
#include "test/unit/broker/broker_fixture.h"

static struct broker_fixture b;

/* DISCONNECT with that code, and the end. */
static void hears_disconnect(struct peer *p, unsigned code)
{
    uint8_t body[256];
    size_t len;

    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], code);
    assert_int_equal(body[2], 0x1f); /* Reason String */
    hears_end(p);
    peer_close(p);
}

/* PUBACK of that packet with that code. */
static void hears_puback(struct peer *p, unsigned packet_id, unsigned code)
{
    uint8_t body[256] = {0};
    size_t len;

    assert_int_equal(hears_packet(p, body, sizeof(body), &len), 0x40);
    assert_int_equal(body[0] << 8 | body[1], packet_id);
    assert_int_equal(len > 2 ? body[2] : 0, code);
    if (code >= 0x80)
        assert_int_equal(body[4], 0x1f); /* Reason String */
}

static uint64_t count_of(const char *topic)
{
    struct store_reader *r = store_reader_acquire(b.store);
    struct thing_row row = {0};

    assert_int_equal(store_reader_begin(r), STORE_OK);
    if (store_thing(r, slice_str(topic), &row) != STORE_OK)
        row.count = 0;
    store_reader_release(r);
    return row.count;
}

static void puback_means_stored(void **state)
{
    struct peer p = device5(&b, "t", "p"), q = device311(&b, "t", "q");
    (void)state;

    says(&p, "32[ ('t/stored') 0001 [] 'x' ]");
    hears(&p, "40 02 0001");
    assert_int_equal(count_of("t/stored"), 1);
    says(&q, "32[ ('t/stored') 0001 'y' ]");
    hears(&q, "40 02 0001");
    assert_int_equal(count_of("t/stored"), 2);
    peer_close(&p);
    peer_close(&q);
}

/* From the socket to the disk and to a subscriber: no caller of a hop forgets to
 * look whether anybody traces. */
static void nobody_pays_for_traces_that_nobody_reads(void **state)
{
    struct peer p = device5(&b, "t", "p"), q = device5(&b, "t", "q");
    (void)state;

    says(&q, "82[ 0001 [] ('t/untraced') 01 ]");
    hears(&q, "90[ 0001 [] 01 ]");
    says(&p, "32[ ('t/untraced') 0001 [] 'x' ]");
    hears(&p, "40 02 0001");
    hears(&q, "32[ ('t/untraced') 0001 [] 'x' ]");
    assert_int_equal(trace_calls(), 0);
    peer_close(&p);
    peer_close(&q);
}

static void pubacks_come_in_the_order_of_the_publishes(void **state)
{
    struct peer p = device5(&b, "t", "p");
    (void)state;

    /* what is refused at once waits for what is on its way to the disk */
    says(&p, "32[ ('t/a') 0001 [] 'x' ] 32[ ('o/a') 0002 [] 'x' ]"
             "32[ ('t/a') 0003 [] 'x' ] 32[ ('t//') 0004 [] 'x' ]"
             "32[ ('t/a') 0005 [] 'x' ]");
    hears_puback(&p, 1, 0);
    hears_puback(&p, 2, 0x87);
    hears_puback(&p, 3, 0);
    hears_puback(&p, 4, 0x90);
    hears_puback(&p, 5, 0);
    peer_close(&p);
}

static void reserved_properties_are_refused_and_others_forwarded(void **state)
{
    struct peer p = device5(&b, "t", "p");
    (void)state;

    says(&p, "82[ 0001 [] ('t/props') 00 ]");
    hears(&p, "90[ 0001 [] 00 ]");
    says(&p, "32[ ('t/props') 0002 [ 26 ('confab-seq') ('9') ] 'no' ]");
    hears_puback(&p, 2, 0x83);
    says(&p, "30[ ('t/props') [ 26 ('a') ('b') 26 ('confab-x') () ] 'no' ]");
    /* content type between two user properties; expiry is told as it is left */
    says(&p,
         "30[ ('t/props') [ 26 ('b') ('2') 03 ('text/x') 26 ('a') ('1') "
         "26 ('b') ('1') 02 00000064 01 01 08 ('r/t') 09 (00ff) ] 'yes' ]");
    hears(&p, "30[ ('t/props') [ 01 01 02 00000064 08 ('r/t') 09 (00ff) "
              "03 ('text/x') 26 ('b') ('2') 26 ('a') ('1') 26 ('b') ('1') ] "
              "'yes' ]");
    assert_int_equal(count_of("t/props"), 1);
    peer_close(&p);
}

static void what_a_client_was_told_not_to_do_ends_it(void **state)
{
    static const struct {
        const char *says;
        unsigned code;
    } rows[] = {
        {"30[ ('t/a') [ 23 0011 ] 'x' ]", 0x94}, /* topic alias above 16 */
        {"30[ ('t/a') [ 23 0000 ] 'x' ]", 0x94},
        {"30[ () [ 23 0003 ] 'x' ]", 0x82},    /* one that was never set */
        {"30[ ('t/+') [] 'x' ]", 0x90},        /* wildcard */
        {"30[ () [] 'x' ]", 0x82},             /* neither topic nor alias */
        {"30[ ('t/a') [ 01 01 ] ff ]", 0x99},  /* not the UTF-8 it says */
        {"30[ ('t/a') [ 0b 01 ] 'x' ]", 0x82}, /* subscription id */
        {"30 81 80 48 00", 0x95},              /* 1 MiB + 128 KiB + 1 */
        {"f0 00", 0x82},                       /* AUTH */
        {"f0 02 18 00", 0x82},
        {"20 02 00 00", 0x82}, /* CONNACK */
        {"00 00", 0x81},
        {"c0 01 00", 0x81},
        {"c1 00", 0x81},
        {"36[ ('t/a') 0001 [] 'x' ]", 0x81}, /* QoS 3 */
        {"32[ ('t/a') 0000 [] 'x' ]", 0x82}, /* packet id 0 */
        {"30[ ('t/a') ]", 0x81},             /* no property length */
        {"30 ff ff ff ff 01", 0x81},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer p = device5(&b, "t", "p");
        says(&p, rows[i].says);
        hears_disconnect(&p, rows[i].code);
    }
}

static void an_old_client_is_just_closed(void **state)
{
    static const char *const rows[] = {
        "34[ ('o/a') 0001 'x' ]",
        "32[ ('o/a') 0001 'x' ]",
        "32[ ('t//') 0001 'x' ]",
        "f0 00",
        "c0 01 00",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer p = device311(&b, "t", "p");
        says(&p, rows[i]);
        hears_end(&p);
        peer_close(&p);
    }
}

static void before_an_old_client_is_closed_it_hears_what_was_stored(
    void **state)
{
    struct peer p = device311(&b, "t", "p");
    (void)state;

    says(&p, "32[ ('t/a') 0001 'x' ] 32[ ('o/a') 0002 'x' ]");
    hears(&p, "40 02 0001");
    hears_end(&p);
    peer_close(&p);
}

static void dollar_topics_of_the_nameless_are_forgotten(void **state)
{
    struct peer p = device311(&b, NULL, "p");
    (void)state;

    says(&p, "32[ ('$other/x') 0001 'x' ] 30[ ('$other/x') 'x' ] c000");
    hears(&p, "40 02 0001 d0 00");
    assert_int_equal(count_of("$other/x"), 0);
    peer_close(&p);
}

static void pubrel_for_nothing_is_answered(void **state)
{
    struct peer p = device5(&b, "t", "p");
    (void)state;

    says(&p, "62 02 0007");
    hears(&p, "70 03 0007 92");
    says(&p, "40 02 0007 c000"); /* PUBACK for nothing: no harm */
    hears(&p, "d0 00");
    peer_close(&p);
}

static void receipts_say_where_it_went(void **state)
{
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    uint8_t body[256];
    char text[256];
    size_t len;
    (void)state;

    says(&p, "10[ ('MQTT') 05 82 0000 [ 26 ('confab') ('receipts') 26 "
             "('confab') ('stamp') ] ('p') ('t') ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    says(&p, "82[ 0001 [] ('t/r') 00 ] 32[ ('t/r') 0002 [] 'x' ]");
    hears(&p, "90[ 0001 [] 00 ]");
    /* PUBACK and PUBLISH say the same; either may be first */
    for (int i = 0; i < 2; i++) {
        const uint8_t first = hears_packet(&p, body, sizeof(body), &len);
        size_t at = 0;
        for (size_t j = 0; j < len && j < sizeof(body); j++)
            text[at++] =
                (char)(body[j] >= ' ' && body[j] < 127 ? body[j] : '.');
        text[at] = '\0';
        assert_true(first == 0x40 || first == 0x30);
        assert_non_null(strstr(text, "confab-id"));
        assert_non_null(strstr(text, "confab-seq..1"));
        assert_non_null(strstr(text, "confab-at"));
    }
    peer_close(&p);
}

static void the_plan_decides_how_much_is_in_flight(void **state)
{
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    (void)state;

    peer_close(&p);
    broker_fixture_stop(&b);
    broker_fixture_plan(&b, "local")->inflight = 2;
    broker_fixture_start(&b);
    p = peer_tcp(broker_mqtt_port(b.broker));
    says(&p, "10[ ('MQTT') 05 82 0000 [] ('p') ('t') ]");
    hears(&p, "20[ 00 00 [ 21 0002 27 00120000 22 0010 ] ]");
    says(&p, "32[ ('t/a') 0001 [] 'x' ] 32[ ('t/a') 0002 [] 'x' ]");
    hears(&p, "40 02 0001 40 02 0002");
    says(&p, "32[ ('t/a') 0001 [] 'x' ] 32[ ('t/a') 0002 [] 'x' ] "
             "32[ ('t/a') 0003 [] 'x' ]");
    hears_disconnect(&p, 0x93);
    broker_fixture_stop(&b);
    broker_fixture_plan(&b, "local")->inflight = 0;
    broker_fixture_start(&b);
}

static void limits_of_the_plan_are_told_in_words(void **state)
{
    struct plan *plan;
    struct peer p, q;
    uint8_t body[256];
    char text[257];
    size_t len;
    (void)state;

    broker_fixture_stop(&b);
    plan = broker_fixture_plan(&b, "local");
    plan->payload_max = 10;
    plan->writes_per_hour = 2;
    broker_fixture_start(&b);
    p = device5(&b, "limited", "p");
    says(&p, "32[ ('limited/a') 0001 [] '12345678901' ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x40);
    assert_int_equal(body[2], 0x97);
    memcpy(text, body, len);
    text[len] = '\0';
    assert_non_null(strstr(text + 7, "larger than"));
    says(&p, "32[ ('limited/a') 0002 [] '1' ] 32[ ('limited/a') 0003 [] '1' ]"
             "32[ ('limited/a') 0004 [] '1' ]");
    hears(&p, "40 02 0002 40 02 0003");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x40);
    assert_int_equal(body[2], 0x97);
    memcpy(text, body + 4, len - 4);
    for (size_t i = 0; i < len - 4; i++)
        text[i] = text[i] == '\0' ? ' ' : text[i];
    text[len - 4] = '\0';
    assert_non_null(strstr(text, "confab-retry-after"));

    /* 3.1.1: the PUBACK is held back, and nothing more is read */
    q = device311(&b, "limited", "q");
    says(&q, "32[ ('limited/a') 0001 '1' ]");
    hears_nothing(&q, 200);
    says(&q, "c000");
    hears_nothing(&q, 200);
    peer_close(&p);
    peer_close(&q);
    assert_int_equal(count_of("limited/a"), 2);

    broker_fixture_stop(&b);
    plan->payload_max = 1048576;
    plan->writes_per_hour = 0;
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
        cmocka_unit_test(puback_means_stored),
        cmocka_unit_test(nobody_pays_for_traces_that_nobody_reads),
        cmocka_unit_test(pubacks_come_in_the_order_of_the_publishes),
        cmocka_unit_test(reserved_properties_are_refused_and_others_forwarded),
        cmocka_unit_test(what_a_client_was_told_not_to_do_ends_it),
        cmocka_unit_test(an_old_client_is_just_closed),
        cmocka_unit_test(
            before_an_old_client_is_closed_it_hears_what_was_stored),
        cmocka_unit_test(dollar_topics_of_the_nameless_are_forgotten),
        cmocka_unit_test(pubrel_for_nothing_is_answered),
        cmocka_unit_test(receipts_say_where_it_went),
        cmocka_unit_test(the_plan_decides_how_much_is_in_flight),
        cmocka_unit_test(limits_of_the_plan_are_told_in_words),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
