/* What MQTT 5 says of a delivery: identifiers, aliases, sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/broker/broker_fixture.h"

static struct broker_fixture b;

/* v5 with these properties in CONNECT, as token t; CONNACK is heard. */
static struct peer with(const char *properties, const char *id)
{
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    char text[256];
    uint8_t body[64];
    size_t len;

    snprintf(text, sizeof(text),
             "10[ ('MQTT') 05 82 0000 [ %s ] ('%s') ('t') ]", properties, id);
    says(&p, text);
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[1], 0);
    return p;
}

static void a_message_carries_all_identifiers_of_its_matches(void **state)
{
    struct peer p = with("", "p"), q = with("", "q");
    (void)state;

    says(&p, "82[ 0001 [ 0b 07 ] ('t/i/#') 00 ] "
             "82[ 0002 [ 0b ffffff7f ] ('t/i/+') 02 ] "
             "82[ 0003 [] ('t/i/x') 01 ]");
    hears(&p, "90[ 0001 [] 00 ] 90[ 0002 [] 02 ] 90[ 0003 [] 01 ]");
    says(&q, "34[ ('t/i/x') 0001 [] 'm' ]");
    hears(&q, "50 02 0001");
    /* one delivery, the highest QoS; the order of identifiers means nothing */
    uint8_t body[64];
    size_t len;
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x34);
    assert_int_equal(len, 2 + 5 + 2 + 1 + 7 + 1);
    const char *one = "\x0b\x07\x0b\xff\xff\xff\x7f";
    const char *other = "\x0b\xff\xff\xff\x7f\x0b\x07";
    assert_true(memcmp(body + 10, one, 7) == 0 ||
                memcmp(body + 10, other, 7) == 0);
    says(&p, "50 02 0001");
    hears(&p, "62 02 0001");
    says(&p, "70 02 0001");
    /* replaced by the next SUBSCRIBE, also by none */
    says(&p, "82[ 0004 [ 0b 09 ] ('t/i/#') 20 ] 82[ 0005 [] ('t/i/+') 20 ]");
    hears(&p, "90[ 0004 [] 00 ] 90[ 0005 [] 00 ]");
    says(&q, "30[ ('t/i/y') [] 'n' ]");
    hears(&p, "30[ ('t/i/y') [ 0b 09 ] 'n' ]");
    /* an identifier of 0 is an error */
    says(&q, "82[ 0001 [ 0b 00 ] ('t/i') 00 ]");
    assert_int_equal(hears_packet(&q, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x82);
    peer_close(&p);
    peer_close(&q);
}

static void retained_messages_carry_the_identifier_of_their_subscription(
    void **state)
{
    struct peer p = with("", "p"), q = with("", "q");
    (void)state;

    says(&q, "33[ ('t/ri') 0001 [] 'r' ]");
    hears(&q, "40 02 0001");
    says(&p, "82[ 0001 [ 0b 05 ] ('t/ri') 00 ]");
    hears(&p, "90[ 0001 [] 00 ] 31[ ('t/ri') [ 0b 05 ] 'r' ]");
    says(&p, "82[ 0002 [ 0b 06 ] ('t/ri/#') 00 ]");
    hears(&p, "90[ 0002 [] 00 ] 31[ ('t/ri') [ 0b 06 ] 'r' ]");
    peer_close(&p);
    peer_close(&q);
}

static void redelivery_keeps_the_identifiers(void **state)
{
    struct peer p = with("11 00000e10", "keeps"), q = with("", "q");
    uint8_t body[64];
    size_t len;
    (void)state;

    says(&p, "82[ 0001 [ 0b 05 ] ('t/ki') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    says(&q, "32[ ('t/ki') 0001 [] 'm' ]");
    hears(&q, "40 02 0001");
    hears(&p, "32[ ('t/ki') 0001 [ 0b 05 ] 'm' ]");
    peer_close(&p);
    broker_fixture_stop(&b);
    broker_fixture_start(&b);
    p = peer_tcp(broker_mqtt_port(b.broker));
    says(&p, "10[ ('MQTT') 05 80 0000 [ 11 00000e10 ] ('keeps') ('t') ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    assert_int_equal(body[0], 1);
    hears(&p, "3a[ ('t/ki') 0001 [ 0b 05 ] 'm' ]");
    says(&p, "40 02 0001");
    peer_close(&p);
    peer_close(&q);
}

static void a_clients_alias_stands_for_its_topic(void **state)
{
    struct peer p = with("", "p"), s = with("", "s");
    uint8_t body[64];
    size_t len;
    (void)state;

    says(&s, "82[ 0001 [] ('t/al/#') 00 ]");
    hears(&s, "90[ 0001 [] 00 ]");
    says(
        &p,
        "32[ ('t/al/1') 0001 [ 23 0010 ] 'a' ] 32[ () 0002 [ 23 0010 ] 'b' ] "
        "32[ ('t/al/2') 0003 [ 23 0010 ] 'c' ] 32[ () 0004 [ 23 0010 ] 'd' ]");
    hears(&p, "40 02 0001 40 02 0002 40 02 0003 40 02 0004");
    hears(&s, "30[ ('t/al/1') [] 'a' ] 30[ ('t/al/1') [] 'b' ] "
              "30[ ('t/al/2') [] 'c' ] 30[ ('t/al/2') [] 'd' ]");
    /* not beyond the connection (MQTT-3.3.2-7) */
    peer_close(&p);
    p = with("", "p");
    says(&p, "30[ () [ 23 0010 ] 'x' ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0xe0);
    assert_int_equal(body[0], 0x82);
    peer_close(&p);
    peer_close(&s);
}

static void topics_get_aliases_where_the_client_takes_them(void **state)
{
    struct peer p = with("22 0002", "p"), q = with("", "q");
    (void)state;

    says(&p, "82[ 0001 [] ('t/ao/#') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    says(&q, "32[ ('t/ao/1') 0001 [] '1' ] 30[ ('t/ao/1') [] '2' ] "
             "30[ ('t/ao/2') [] '3' ] 30[ ('t/ao/3') [] '4' ] "
             "30[ ('t/ao/2') [] '5' ] 30[ ('t/ao/1') [] '6' ]");
    hears(&q, "40 02 0001");
    hears(&p, "32[ ('t/ao/1') 0001 [ 23 0001 ] '1' ] 30[ () [ 23 0001 ] '2' ] "
              "30[ ('t/ao/2') [ 23 0002 ] '3' ] 30[ ('t/ao/3') [] '4' ] "
              "30[ () [ 23 0002 ] '5' ] 30[ () [ 23 0001 ] '6' ]");
    peer_close(&p);
    peer_close(&q);
}

static void what_is_too_large_is_skipped_and_no_error(void **state)
{
    struct peer p = with("27 00000018 22 0001", "p"), q = with("", "q");
    (void)state;

    says(&p, "82[ 0001 [ 0b 01 ] ('t/size') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    /* 24 bytes: the alias is left out to make room */
    says(&q, "30[ ('t/size') [] '0123456789' ] "
             "30[ ('t/size') [] '01234567890123456789' ] "
             "30[ ('t/size') [] '9' ]");
    hears(&p, "30[ ('t/size') [ 0b 01 ] '0123456789' ] "
              "30[ ('t/size') [ 23 0001 0b 01 ] '9' ]");
    /* its alias makes it fit */
    says(&q, "30[ ('t/size') [] '01234567890123' ]");
    hears(&p, "30[ () [ 23 0001 0b 01 ] '01234567890123' ]");
    peer_close(&p);
    peer_close(&q);
}

static void a_refusing_pubrec_frees_the_id(void **state)
{
    struct peer p = with("21 0001", "p"), q = with("", "q");
    (void)state;

    says(&p, "82[ 0001 [] ('t/no') 02 ]");
    hears(&p, "90[ 0001 [] 02 ]");
    says(&q, "34[ ('t/no') 0001 [] '1' ] 34[ ('t/no') 0002 [] '2' ]");
    hears(&q, "50 02 0001 50 02 0002");
    hears(&p, "34[ ('t/no') 0001 [] '1' ]");
    says(&p, "50 03 0001 83");
    hears(&p, "34[ ('t/no') 0002 [] '2' ]");
    says(&p, "50 02 0002");
    hears(&p, "62 02 0002");
    says(&p, "70 02 0002");
    /* ids nobody knows: PUBREL says so, PUBACK and PUBCOMP are nothing */
    says(&p, "50 02 0063 40 02 0063 70 02 0063 c0 00");
    hears(&p, "62 03 0063 92 d0 00");
    peer_close(&p);
    peer_close(&q);
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
        cmocka_unit_test(a_message_carries_all_identifiers_of_its_matches),
        cmocka_unit_test(
            retained_messages_carry_the_identifier_of_their_subscription),
        cmocka_unit_test(redelivery_keeps_the_identifiers),
        cmocka_unit_test(a_clients_alias_stands_for_its_topic),
        cmocka_unit_test(topics_get_aliases_where_the_client_takes_them),
        cmocka_unit_test(what_is_too_large_is_skipped_and_no_error),
        cmocka_unit_test(a_refusing_pubrec_frees_the_id),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
