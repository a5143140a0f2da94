/* Names as long and as deep as MQTT allows, and the oldest protocol, against a
 * real broker over TCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/filter_shape.h"
#include "base/topic.h"
#include "test/unit/broker/broker_fixture.h"
#include "test/unit/broker/packet_notation.h"

#define LONGEST 65535

static struct broker_fixture b;

/* A packet put together from text in the notation and long names. */
struct packet {
    uint8_t head; /* first byte */
    uint8_t body[6 * 65536];
    size_t len;
};

static struct packet *begin_packet(uint8_t head)
{
    struct packet *p = malloc(sizeof(*p));

    p->head = head;
    p->len = 0;
    return p;
}

static void put(struct packet *p, const char *notation)
{
    struct packet_bytes bytes = packet_write_down(notation);

    memcpy(p->body + p->len, bytes.data, bytes.len);
    p->len += bytes.len;
    packet_bytes_release(&bytes);
}

static void put_name(struct packet *p, struct slice name)
{
    p->body[p->len++] = (uint8_t)(name.len >> 8);
    p->body[p->len++] = (uint8_t)name.len;
    memcpy(p->body + p->len, name.data, name.len);
    p->len += name.len;
}

static size_t put_length(uint8_t *to, size_t v)
{
    size_t n = 0;

    do {
        to[n++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
        v >>= 7;
    } while (v > 0);
    return n;
}

static void says_packet(struct peer *to, struct packet *p)
{
    uint8_t head[5] = {p->head};
    const size_t n = 1 + put_length(head + 1, p->len);

    says_bytes(to, head, n);
    says_bytes(to, p->body, p->len);
    free(p);
}

static void hears_this(struct peer *from, struct packet *p)
{
    static uint8_t body[sizeof(p->body)];
    size_t len;

    assert_int_equal(hears_packet(from, body, sizeof(body), &len), p->head);
    assert_int_equal(len, p->len);
    assert_memory_equal(body, p->body, len);
    free(p);
}

static struct slice long_name(const char *beginning)
{
    static char name[LONGEST];

    memset(name, 'n', sizeof(name));
    memcpy(name, beginning, strlen(beginning));
    return slice_of(name, sizeof(name));
}

static struct slice deep_name(unsigned levels)
{
    static char name[2 * TOPIC_LEVELS_MAX + 2];

    for (unsigned i = 0; i < levels; i++) {
        name[2 * i] = 'd';
        name[2 * i + 1] = '/';
    }
    return slice_of(name, 2 * levels - 1);
}

static struct packet *subscribe_to(struct slice filter, const char *options)
{
    struct packet *p = begin_packet(0x82);

    put(p, "0001 []");
    put_name(p, filter);
    put(p, options);
    return p;
}

static struct packet *publish_to(uint8_t head, struct slice topic,
                                 const char *rest)
{
    struct packet *p = begin_packet(head);

    put_name(p, topic);
    put(p, rest);
    return p;
}

/* Live, retained, and from the log: it comes as it was sent. */
static void travels(struct slice topic)
{
    struct peer s = peer_tcp(broker_mqtt_port(b.broker));
    struct peer q = device5(&b, NULL, "q"), old = device311(&b, NULL, "old");
    uint8_t body[64];
    size_t len;

    says(&s, "10[ ('MQTT') 05 02 0000 [ 21 0001 ] ('s') ]");
    assert_int_equal(hears_packet(&s, body, sizeof(body), &len), 0x20);
    says_packet(&s, subscribe_to(topic, "01"));
    hears(&s, "90[ 0001 [] 01 ]");
    says(&old, "82[ 0001 ('#') 00 ]");
    hears(&old, "90[ 0001 00 ]");

    says_packet(&q, publish_to(0x33, topic, "0001 [] 'one'"));
    says_packet(&q, publish_to(0x32, topic, "0002 [] 'two'"));
    hears(&q, "40 02 0001 40 02 0002");
    hears_this(&old, publish_to(0x30, topic, "'one'"));
    hears_this(&old, publish_to(0x30, topic, "'two'"));
    hears_this(&s, publish_to(0x32, topic, "0001 [] 'one'"));
    says(&s, "40 02 0001"); /* Receive Maximum 1: the next one from the log */
    hears_this(&s, publish_to(0x32, topic, "0002 [] 'two'"));
    says(&s, "40 02 0002");
    says_packet(&s, subscribe_to(topic, "00"));
    hears(&s, "90[ 0001 [] 00 ]");
    hears_this(&s, publish_to(0x31, topic, "[] 'one'"));

    says_packet(&q, publish_to(0x33, topic, "0003 []")); /* cleans up */
    hears(&q, "40 02 0003");
    peer_close(&s);
    peer_close(&q);
    peer_close(&old);
}

static void topics_may_be_as_long_as_mqtt_allows(void **state)
{
    (void)state;
    travels(long_name("long/"));
}

static void topics_may_have_200_levels_and_not_one_more(void **state)
{
    struct peer p = device5(&b, NULL, "p");
    uint8_t body[256];
    size_t len;
    (void)state;

    travels(deep_name(TOPIC_LEVELS_MAX));
    says_packet(&p, publish_to(0x32, deep_name(TOPIC_LEVELS_MAX + 1),
                               "0001 [] 'x'"));
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x40);
    assert_int_equal(body[2], 0x90);
    says_packet(&p, subscribe_to(deep_name(TOPIC_LEVELS_MAX + 1), "00"));
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x90);
    assert_int_equal(body[len - 1], 0x8f); /* behind the Reason String */
    peer_close(&p);
}

/* Client id, will topic, will and password of 65,535 bytes, a token of 64. */
static void a_connect_may_have_all_its_fields_full(void **state)
{
    static const char token[] = "0123456789012345678901234567890123456789"
                                "012345678901234567890123";
    struct peer s, p, q;
    uint8_t body[64];
    size_t len;
    (void)state;

    for (int version = 4; version <= 5; version++) {
        const bool is_5 = version == 5;
        struct packet *connect = begin_packet(0x10);
        put(connect, is_5 ? "('MQTT') 05 c6 0000 []" : "('MQTT') 04 c6 0000");
        put_name(connect, long_name("client"));
        put(connect, is_5 ? "[]" : "");
        put(connect, "('0123456789012345678901234567890123456789"
                     "012345678901234567890123/will')");
        put_name(connect, long_name("will"));
        put_name(connect, slice_of(token, 64));
        put_name(connect, long_name("password"));

        s = device5(&b, token, "s");
        says(&s, "82[ 0001 [] ('0123456789012345678901234567890123456789"
                 "012345678901234567890123/#') 00 ]");
        hears(&s, "90[ 0001 [] 00 ]");
        p = peer_tcp(broker_mqtt_port(b.broker));
        says_packet(&p, connect);
        assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
        assert_int_equal(body[1], 0);
        peer_close(&p);

        struct packet *will = begin_packet(0x30);
        put(will, "('0123456789012345678901234567890123456789"
                  "012345678901234567890123/will') []");
        memcpy(will->body + will->len, long_name("will").data, LONGEST);
        will->len += LONGEST;
        hears_this(&s, will);
        peer_close(&s);
    }
    /* a will topic of that length is nobody's thing */
    struct packet *connect = begin_packet(0x10);
    put(connect, "('MQTT') 05 86 0000 [] ('c') []");
    put_name(connect, long_name("t/"));
    put(connect, "('x') ('t')");
    q = peer_tcp(broker_mqtt_port(b.broker));
    says_packet(&q, connect);
    assert_int_equal(hears_packet(&q, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[1], 0x90);
    peer_close(&q);
}

static void mqtt_3_1_has_all_of_3_1_1(void **state)
{
    struct peer s = peer_tcp(broker_mqtt_port(b.broker));
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    (void)state;

    says(&s, "10[ ('MQIsdp') 03 82 0000 ('a client id of more than 23 bytes') "
             "('three') ]");
    hears(&s, "20 02 00 00");
    says(&p, "10[ ('MQIsdp') 03 a6 0000 ('p') ('three/will') ('gone') "
             "('three') ]");
    hears(&p, "20 02 00 00");
    says(&s, "82[ 0001 ('three/#') 02 ('other/#') 00 ]");
    hears(&s, "90[ 0001 02 80 ]");
    says(&p, "30[ ('three/a') '0' ] 33[ ('three/a') 0001 '1' ] "
             "34[ ('three/a') 0002 '2' ]");
    hears(&p, "40 02 0001 50 02 0002");
    says(&p, "62 02 0002");
    hears(&p, "70 02 0002");
    hears(&s, "30[ ('three/a') '0' ] 32[ ('three/a') 0001 '1' ] "
              "34[ ('three/a') 0002 '2' ]");
    says(&s, "40 02 0001 50 02 0002");
    hears(&s, "62 02 0002");
    says(&s, "70 02 0002 82[ 0002 ('three/+') 00 ]");
    hears(&s, "90[ 0002 00 ] 31[ ('three/a') '1' ]");
    says(&s, "a2[ 0003 ('three/+') ] c000");
    hears(&s, "b0 02 0003 d000");
    peer_close(&p);
    hears(&s, "30[ ('three/will') 'gone' ]");
    says(&s, "e000");
    hears_end(&s);
    peer_close(&s);
}

static void filters_may_not_branch_without_bound(void **state)
{
    struct peer p = device5(&b, "branch", "p");
    uint8_t body[256];
    size_t len;
    unsigned taken = 0;
    (void)state;

    for (unsigned mask = 1; mask <= FILTER_SHAPES_MAX + 1; mask++) {
        char text[128], filter[32] = "";
        for (unsigned i = 0; i < 8; i++)
            strcat(filter, mask >> i & 1 ? "/+" : "/a");
        snprintf(text, sizeof(text), "82[ 0001 [] ('branch%s') 20 ]", filter);
        says(&p, text);
        assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x90);
        taken += body[len - 1] < 0x80;
    }
    assert_int_equal(taken, FILTER_SHAPES_MAX);
    assert_int_equal(body[len - 1], 0x97);
    /* what is there may be subscribed to again, and many more of its kind */
    says(&p, "82[ 0002 [] ('branch/+/a/a/a/a/a/a/a') 21 ('branch/+/b') 20 ]");
    hears(&p, "90[ 0002 [] 01 00 ]");
    peer_close(&p);
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
        cmocka_unit_test(topics_may_be_as_long_as_mqtt_allows),
        cmocka_unit_test(topics_may_have_200_levels_and_not_one_more),
        cmocka_unit_test(a_connect_may_have_all_its_fields_full),
        cmocka_unit_test(mqtt_3_1_has_all_of_3_1_1),
        cmocka_unit_test(filters_may_not_branch_without_bound),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
