#include "test/unit/broker/packet_notation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* `*b` must live as long as the result. */
static struct packet_subscribe subscribe_of(const char *text,
                                            const struct packet_terms *terms,
                                            struct packet_bytes *b)
{
    struct packet_subscribe s;
    struct packet_error e;

    *b = packet_write_down(text);
    const struct packet_frame f = packet_only_frame(b);
    const bool accepted = f.type == PACKET_SUBSCRIBE
                              ? packet_decode_subscribe(&f, terms, &s, &e)
                              : packet_decode_unsubscribe(&f, terms, &s, &e);
    if (!accepted)
        fail_msg("0x%02x %s", e.reason, e.text);
    return s;
}

static void filters_come_in_order_with_their_options(void **state)
{
    struct packet_bytes b;
    struct packet_subscribe s =
        subscribe_of("82[000a [0b ffffff7f 26('k')('v')]"
                     "   ('a/+') 00 ('b/#') 2e ('$share/g/c') 19]",
                     &terms_5, &b);
    struct packet_filter f;
    (void)state;

    assert_int_equal(s.packet_id, 10);
    assert_int_equal(s.subscription_id, 268435455);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.user.size, 7);

    assert_true(packet_filter_next(&s.filters, &f));
    packet_check_text(f.filter, "a/+");
    assert_int_equal(f.qos, 0);
    assert_false(f.no_local);
    assert_false(f.retain_as_published);
    assert_int_equal(f.retain_handling, 0);

    assert_true(packet_filter_next(&s.filters, &f));
    packet_check_text(f.filter, "b/#");
    assert_int_equal(f.qos, 2);
    assert_true(f.no_local);
    assert_true(f.retain_as_published);
    assert_int_equal(f.retain_handling, 2);

    assert_true(packet_filter_next(&s.filters, &f));
    packet_check_text(f.filter, "$share/g/c");
    assert_int_equal(f.qos, 1);
    assert_false(f.no_local);
    assert_true(f.retain_as_published);
    assert_int_equal(f.retain_handling, 1);
    assert_false(packet_filter_next(&s.filters, &f));
    packet_bytes_release(&b);
}

static void a_3_1_1_subscription_has_only_a_qos(void **state)
{
    struct packet_bytes b;
    struct packet_subscribe s =
        subscribe_of("82[0001 ('a') 01 ('b') 02]", &terms_311, &b);
    struct packet_filter f;
    (void)state;

    assert_int_equal(s.count, 2);
    assert_int_equal(s.subscription_id, 0);
    assert_true(packet_filter_next(&s.filters, &f));
    assert_int_equal(f.qos, 1);
    assert_true(packet_filter_next(&s.filters, &f));
    packet_check_text(f.filter, "b");
    assert_int_equal(f.qos, 2);
    assert_false(f.no_local || f.retain_as_published || f.retain_handling);
    assert_false(packet_filter_next(&s.filters, &f));
    packet_bytes_release(&b);
}

/* It must not get its own messages back, and has to know which are retained. */
static void what_a_bridge_subscribes_to_is_no_local_and_as_published(
    void **state)
{
    static const struct packet_terms bridge = {
        .version = PACKET_V311,
        .maximum_qos = 2,
        .maximum_packet_size = UINT32_MAX,
        .bridge = true,
    };
    struct packet_bytes b;
    struct packet_filter f;
    struct packet_subscribe s =
        subscribe_of("82[0001 ('a') 01 ('$share/g/a') 02]", &bridge, &b);
    (void)state;

    assert_true(packet_filter_next(&s.filters, &f));
    assert_int_equal(f.qos, 1);
    assert_true(f.no_local);
    assert_true(f.retain_as_published);
    assert_int_equal(f.retain_handling, 0);
    assert_true(packet_filter_next(&s.filters, &f));
    assert_int_equal(f.qos, 2);
    assert_false(f.no_local); /* MQTT-3.8.3-4 */
    assert_true(f.retain_as_published);
    packet_bytes_release(&b);
}

static void unsubscribe_has_filters_without_options(void **state)
{
    struct packet_bytes b;
    struct packet_subscribe s =
        subscribe_of("a2[000b [26('k')('v')] ('a') ('b/c')]", &terms_5, &b);
    struct packet_filter f;
    (void)state;

    assert_int_equal(s.packet_id, 11);
    assert_int_equal(s.count, 2);
    assert_true(packet_filter_next(&s.filters, &f));
    packet_check_text(f.filter, "a");
    assert_true(packet_filter_next(&s.filters, &f));
    packet_check_text(f.filter, "b/c");
    assert_false(packet_filter_next(&s.filters, &f));
    packet_bytes_release(&b);

    s = subscribe_of("a2[000b ('a')]", &terms_311, &b);
    assert_int_equal(s.count, 1);
    packet_bytes_release(&b);
}

static void a_malformed_subscribe_is_refused_as_a_whole(void **state)
{
    static const struct packet_refusal rows[] = {
        {"empty", "82[]", &terms_5, 0x81},
        {"no property length", "82[0001]", &terms_5, 0x81},
        {"MQTT-2.2.1-3 packet identifier 0", "82[0000 [] ('a') 00]", &terms_5,
         0x82},
        {"MQTT-2.3.1-1 of 3.1.1", "82[0000 ('a') 00]", &terms_311, 0x82},
        {"MQTT-3.8.3-2 no filter", "82[0001 []]", &terms_5, 0x82},
        {"MQTT-3.8.3-3 of 3.1.1", "82[0001]", &terms_311, 0x82},
        {"filter without options", "82[0001 [] ('a')]", &terms_5, 0x81},
        {"filter cut off", "82[0001 [] 0003 'a']", &terms_5, 0x81},
        {"the second filter cut off", "82[0001 [] ('a') 00 0003 'b']",
         &terms_5, 0x81},
        {"MQTT-3.8.3-1 filter is not UTF-8", "82[0001 [] (ff) 00]", &terms_5,
         0x81},
        {"MQTT-4.7.3-2 NUL in a filter", "82[0001 [] ('a' 00) 00]", &terms_5,
         0x81},
        {"MQTT-4.7.3-1 empty filter", "82[0001 [] () 00]", &terms_5, 0x81},
        {"MQTT-4.7.3-1 of 3.1.1", "82[0001 () 00]", &terms_311, 0x81},
        {"MQTT-3.8.3-5 reserved bit 6", "82[0001 [] ('a') 40]", &terms_5,
         0x81},
        {"MQTT-3.8.3-5 reserved bit 7", "82[0001 [] ('a') 80]", &terms_5,
         0x81},
        {"MQTT-3-8.3-4 of 3.1.1 reserved bits", "82[0001 ('a') 04]",
         &terms_311, 0x81},
        {"MQTT-3-8.3-4 of 3.1.1 QoS 3", "82[0001 ('a') 03]", &terms_311, 0x82},
        {"§3.8.3.1 QoS 3", "82[0001 [] ('a') 03]", &terms_5, 0x82},
        {"§3.8.3.1 Retain Handling 3", "82[0001 [] ('a') 30]", &terms_5, 0x82},
        {"MQTT-3.8.3-4 No Local on a shared subscription",
         "82[0001 [] ('$share/g/a') 04]", &terms_5, 0x82},
        {"a fault in the last filter refuses all",
         "82[0001 [] ('a') 00 ('b') 00 ('c') 03]", &terms_5, 0x82},
        {"§3.8.2.1.2 Subscription Identifier 0", "82[0001 [0b 00] ('a') 00]",
         &terms_5, 0x82},
        {"§3.8.2.1.2 Subscription Identifier twice",
         "82[0001 [0b 01 0b 02] ('a') 00]", &terms_5, 0x82},
        {"Subscription Identifier of five bytes",
         "82[0001 [0b 8080808001] ('a') 00]", &terms_5, 0x81},
        {"MQTT-1.5.5-1 padded Subscription Identifier",
         "82[0001 [0b 8100] ('a') 00]", &terms_5, 0x81},
        {"§2.2.2.2 property of another packet", "82[0001 [1f('r')] ('a') 00]",
         &terms_5, 0x81},

        {"UNSUBSCRIBE: packet identifier 0", "a2[0000 [] ('a')]", &terms_5,
         0x82},
        {"MQTT-3.10.3-2 no filter", "a2[0001 []]", &terms_5, 0x82},
        {"MQTT-3.10.3-2 of 3.1.1", "a2[0001]", &terms_311, 0x82},
        {"MQTT-3.10.3-1 filter is not UTF-8", "a2[0001 [] (ff)]", &terms_5,
         0x81},
        {"UNSUBSCRIBE: empty filter", "a2[0001 [] ()]", &terms_5, 0x81},
        {"UNSUBSCRIBE: half a length", "a2[0001 [] ('a') 00]", &terms_5, 0x81},
        {"§2.2.2.2 UNSUBSCRIBE with a Subscription Identifier",
         "a2[0001 [0b 01] ('a')]", &terms_5, 0x81},
    };
    (void)state;

    packet_check_refusals(rows, sizeof(rows) / sizeof(rows[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_come_in_order_with_their_options),
        cmocka_unit_test(a_3_1_1_subscription_has_only_a_qos),
        cmocka_unit_test(
            what_a_bridge_subscribes_to_is_no_local_and_as_published),
        cmocka_unit_test(unsubscribe_has_filters_without_options),
        cmocka_unit_test(a_malformed_subscribe_is_refused_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
