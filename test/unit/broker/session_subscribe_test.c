/* SUBSCRIBE and what comes of it, against a real broker over TCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/broker/broker_fixture.h"

static struct broker_fixture b;

static void granted_is_what_is_asked(void **state)
{
    struct peer p = device5(&b, "t", "s"), q = device311(&b, "t", "q");
    (void)state;

    says(&p, "82[ 0001 [] ('t/0') 00 ('t/1') 01 ('t/2') 02 ('o/#') 00 "
             "('t/#/x') 00 ('$share/g/t/#') 02 ]");
    hears(&p, "90[ 0001 [ 1f ('filter 4: topic filters must begin with your "
              "token, or with $events/<token>') ] 00 01 02 87 8f 02 ]");
    says(&q,
         "82[ 0001 ('t/0') 00 ('t/2') 02 ('o/#') 00 ('$share/g/o/#') 00 ]");
    hears(&q, "90[ 0001 00 02 80 80 ]");
    says(&p, "a2[ 0002 [] ('t/0') ('t/zero') ('t/1') ]");
    hears(&p, "b0[ 0002 [] 00 11 00 ]");
    says(&q, "a2[ 0002 ('t/0') ('t/zero') ]");
    hears(&q, "b0 02 0002");
    peer_close(&p);
    peer_close(&q);
}

static void overlapping_filters_give_one_message_with_the_highest_qos(
    void **state)
{
    struct peer p = device5(&b, "t", "s"), q = device5(&b, "t", "q");
    (void)state;

    says(&p, "82[ 0001 [] ('t/#') 00 ('t/o/+') 01 ('t/o/x') 00 ]");
    hears(&p, "90[ 0001 [] 00 01 00 ]");
    says(&q, "32[ ('t/o/x') 0001 [] 'm' ]");
    hears(&q, "40 02 0001");
    hears(&p, "32[ ('t/o/x') 0001 [] 'm' ]");
    says(&p, "40 02 0001");
    says(&q, "30[ ('t/o/x') [] 'n' ]");
    hears(&p, "30[ ('t/o/x') [] 'n' ]");
    hears_nothing(&p, 50);
    peer_close(&p);
    peer_close(&q);
}

static void no_local_means_not_my_own(void **state)
{
    struct peer p = device5(&b, "t", "s"), q = device5(&b, "t", "q");
    (void)state;

    says(&p, "82[ 0001 [] ('t/nl') 04 ]");
    hears(&p, "90[ 0001 [] 00 ]");
    says(&p, "32[ ('t/nl') 0002 [] 'mine' ]");
    hears(&p, "40 02 0002");
    says(&q, "30[ ('t/nl') [] 'theirs' ]");
    hears(&p, "30[ ('t/nl') [] 'theirs' ]");
    hears_nothing(&p, 50);
    peer_close(&p);
    peer_close(&q);
}

static void retained_messages_greet(void **state)
{
    struct peer p = device5(&b, "t", "s"), q = device5(&b, "t", "q");
    (void)state;

    says(&q, "33[ ('t/ret/a') 0001 [] 'one' ] 33[ ('t/ret/a') 0002 [] 'two' ]"
             "33[ ('t/ret/b') 0003 [] 'three' ]");
    hears(&q, "40 02 0001 40 02 0002 40 02 0003");
    says(&p, "82[ 0001 [] ('t/ret/a') 01 ]");
    hears(&p, "90[ 0001 [] 01 ] 33[ ('t/ret/a') 0001 [] 'two' ]");
    /* wildcard; Retain Handling 2: none, 1: when new */
    says(&p, "82[ 0002 [] ('t/ret/+') 00 ]");
    hears(&p, "90[ 0002 [] 00 ] 31[ ('t/ret/a') [] 'two' ] "
              "31[ ('t/ret/b') [] 'three' ]");
    says(&p, "82[ 0003 [] ('t/ret/+') 10 ('t/ret/#') 20 ]");
    hears(&p, "90[ 0003 [] 00 00 ]");
    hears_nothing(&p, 50);
    /* live it has no retain flag, unless asked for */
    says(&p, "a2[ 0004 [] ('t/ret/a') ('t/ret/#') ]");
    hears(&p, "b0[ 0004 [] 00 00 ]");
    says(&q, "31[ ('t/ret/a') [] 'live' ]");
    hears(&p, "30[ ('t/ret/a') [] 'live' ]");
    says(&p, "82[ 0005 [] ('t/ret/+') 28 ]");
    hears(&p, "90[ 0005 [] 00 ]");
    says(&q, "31[ ('t/ret/a') [] 'published' ]");
    hears(&p, "31[ ('t/ret/a') [] 'published' ]");
    /* an empty one removes it */
    says(&q, "33[ ('t/ret/a') 0004 [] ]");
    hears(&q, "40 02 0004");
    hears(&p, "31[ ('t/ret/a') [] ]");
    says(&p, "82[ 0006 [] ('t/ret/a') 00 ]");
    hears(&p, "90[ 0006 [] 00 ]");
    hears_nothing(&p, 50);
    peer_close(&p);
    peer_close(&q);
}

static void hundreds_of_retained_messages_come_as_they_are_taken(void **state)
{
    enum { MANY = 700 };
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    struct peer q = device311(&b, "many", "q");
    uint8_t body[128];
    char text[128];
    size_t len;
    (void)state;

    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "33[ ('many/%04d') 0001 'r' ]", i);
        says(&q, text);
        hears(&q, "40 02 0001");
    }
    says(&p, "10[ ('MQTT') 05 82 0000 [ 21 0003 ] ('s') ('many') ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    says(&p, "82[ 0001 [] ('many/#') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x33);
        snprintf(text, sizeof(text), "many/%04d", i);
        assert_memory_equal(body + 2, text, 9);
        if (i < 2)
            continue;
        if (i == 2) {
            hears_nothing(&p, 50); /* Receive Maximum 3 */
            says(&p, "40 02 0001 40 02 0002");
        }
        const uint8_t ack[] = {0x40, 2, body[11], body[12]};
        says_bytes(&p, ack, sizeof(ack));
    }
    hears_nothing(&p, 50);
    peer_close(&p);
    peer_close(&q);
}

static void the_receive_maximum_of_a_client_is_kept(void **state)
{
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    struct peer q = device5(&b, "t", "q");
    uint8_t body[128];
    size_t len;
    (void)state;

    says(&p, "10[ ('MQTT') 05 82 0000 [ 21 0002 ] ('s') ('t') ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    says(&p, "82[ 0001 [] ('t/w') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    says(&q, "32[ ('t/w') 0001 [] '1' ] 32[ ('t/w') 0002 [] '2' ] "
             "32[ ('t/w') 0003 [] '3' ] 32[ ('t/w') 0004 [] '4' ]"
             "30[ ('t/w') [] '5' ]");
    hears(&q, "40 02 0001 40 02 0002 40 02 0003 40 02 0004");
    hears(&p, "32[ ('t/w') 0001 [] '1' ] 32[ ('t/w') 0002 [] '2' ]");
    hears_nothing(&p, 50);
    says(&p, "40 02 0001");
    hears(&p, "32[ ('t/w') 0003 [] '3' ]");
    hears_nothing(&p, 50);
    says(&p, "40 02 0003 40 02 0002");
    hears(&p, "32[ ('t/w') 0004 [] '4' ] 30[ ('t/w') [] '5' ]");
    says(&p, "40 02 0004");
    says(&q, "30[ ('t/w') [] '6' ]"); /* live again */
    hears(&p, "30[ ('t/w') [] '6' ]");
    peer_close(&p);
    peer_close(&q);
}

static void what_a_client_cannot_take_is_skipped(void **state)
{
    struct peer p = peer_tcp(broker_mqtt_port(b.broker));
    struct peer q = device5(&b, "t", "q");
    uint8_t body[128];
    size_t len;
    (void)state;

    says(&p, "10[ ('MQTT') 05 82 0000 [ 27 00000028 26 ('confab') ('stamp') ] "
             "('s') ('t') ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    says(&p, "82[ 0001 [] ('t/big') 00 ]");
    hears(&p, "90[ 0001 [] 00 ]");
    says(&q, "30[ ('t/big') [] 'more than forty bytes, whatever is in it' ]"
             "30[ ('t/big') [] 'no stamp fits' ]");
    hears(&p, "30[ ('t/big') [] 'no stamp fits' ]");
    peer_close(&p);
    peer_close(&q);
}

static void expired_messages_are_not_sent(void **state)
{
    struct peer p = device5(&b, "t", "s"), q = device5(&b, "t", "q");
    uint8_t body[64];
    size_t len;
    (void)state;

    says(&q, "33[ ('t/exp/1') 0001 [ 02 00000001 ] 'short' ] "
             "33[ ('t/exp/2') 0002 [ 02 00000064 ] 'long' ]");
    hears(&q, "40 02 0001 40 02 0002");
    usleep(1100000);
    says(&p, "82[ 0001 [] ('t/exp/+') 00 ]");
    hears(&p, "90[ 0001 [] 00 ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x31);
    assert_memory_equal(body, "\0\7t/exp/2\5\2\0\0\0", 14);
    assert_in_range(body[14], 1, 99); /* of 100 s, a busy machine takes some */
    assert_int_equal(len, 19);
    assert_memory_equal(body + 15, "long", 4);
    hears_nothing(&p, 50);
    peer_close(&p);
    peer_close(&q);
}

static void large_payloads_go_by_reference_with_their_packet_id(void **state)
{
    enum { LARGE = 200000 };
    struct peer p = device5(&b, "t", "s"), r = device5(&b, "t", "r");
    struct peer q = device5(&b, "t", "q");
    uint8_t *body = malloc(LARGE + 64), *packet = malloc(LARGE + 64);
    size_t len;
    (void)state;

    says(&p, "82[ 0001 [] ('t/large') 01 ]");
    hears(&p, "90[ 0001 [] 01 ]");
    says(&r, "82[ 0001 [] ('t/large') 00 ]");
    hears(&r, "90[ 0001 [] 00 ]");
    const size_t body_len = 2 + 7 + 2 + 1 + LARGE;
    const uint8_t head[] = {0x32,
                            (uint8_t)(body_len & 127) | 128,
                            (uint8_t)(body_len >> 7 & 127) | 128,
                            (uint8_t)(body_len >> 14),
                            0,
                            7,
                            't',
                            '/',
                            'l',
                            'a',
                            'r',
                            'g',
                            'e',
                            0,
                            1,
                            0};
    memcpy(packet, head, sizeof(head));
    for (int i = 0; i < LARGE; i++)
        packet[sizeof(head) + (size_t)i] = (uint8_t)(i * 7);
    for (int round = 1; round <= 3; round++) {
        says_bytes(&q, packet, sizeof(head) + LARGE);
        hears(&q, "40 02 0001");
        assert_int_equal(hears_packet(&p, body, LARGE + 64, &len), 0x32);
        assert_int_equal(len, body_len);
        assert_int_equal(body[9] << 8 | body[10], round);
        assert_memory_equal(body + 12, packet + sizeof(head), LARGE);
        assert_int_equal(hears_packet(&r, body, LARGE + 64, &len), 0x30);
        assert_int_equal(len, body_len - 2);
        assert_memory_equal(body + 10, packet + sizeof(head), LARGE);
    }
    free(body);
    free(packet);
    peer_close(&p);
    peer_close(&q);
    peer_close(&r);
}

static void filters_have_a_bound(void **state)
{
    struct peer p = device5(&b, "t", "s");
    uint8_t body[256];
    size_t len;
    char text[512], deep[256] = "t";
    int refused = 0;
    (void)state;

    for (int i = 0; i < 100; i++)
        memcpy(deep + 1 + 2 * i, "/a", 3);
    for (int i = 0; i < 400 && !refused; i++) {
        /* a hundred levels each: 4 MiB of cost are some 300 of them */
        snprintf(text, sizeof(text), "82[ 0001 [] ('%s/%d') 20 ]", deep, i);
        says(&p, text);
        assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x90);
        refused = body[len - 1] == 0x97 ? i : 0;
    }
    assert_in_range(refused, 100, 399);
    assert_int_equal(body[3], 0x1f); /* Reason String */
    says(&p, "e000");
    hears_end(&p);
    peer_close(&p);

    /* who wants no words gets none */
    p = peer_tcp(broker_mqtt_port(b.broker));
    says(&p, "10[ ('MQTT') 05 82 0000 [ 17 00 ] ('s') ('t') ]");
    assert_int_equal(hears_packet(&p, body, sizeof(body), &len), 0x20);
    says(&p, "82[ 0001 [] ('o/#') 00 ]");
    hears(&p, "90[ 0001 [] 87 ]");
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
        cmocka_unit_test(granted_is_what_is_asked),
        cmocka_unit_test(
            overlapping_filters_give_one_message_with_the_highest_qos),
        cmocka_unit_test(no_local_means_not_my_own),
        cmocka_unit_test(retained_messages_greet),
        cmocka_unit_test(hundreds_of_retained_messages_come_as_they_are_taken),
        cmocka_unit_test(the_receive_maximum_of_a_client_is_kept),
        cmocka_unit_test(what_a_client_cannot_take_is_skipped),
        cmocka_unit_test(expired_messages_are_not_sent),
        cmocka_unit_test(large_payloads_go_by_reference_with_their_packet_id),
        cmocka_unit_test(filters_have_a_bound),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
