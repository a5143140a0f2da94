#include "test/unit/broker/packet_notation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "broker/wire/reason.h"

/* `*b` must live as long as the result. */
static struct packet_publish publish_of(const char *text,
                                        const struct packet_terms *terms,
                                        struct packet_bytes *b)
{
    struct packet_publish p;
    struct packet_error e;

    *b = packet_write_down(text);
    const struct packet_frame f = packet_only_frame(b);
    if (!packet_decode_publish(&f, terms, &p, &e))
        fail_msg("0x%02x %s", e.reason, e.text);
    return p;
}

static void everything_in_a_publish_is_read_in_one_pass(void **state)
{
    struct packet_bytes b;
    const struct packet_publish p = publish_of(
        "3d[('kitchen/temp') 1234"
        "   [01 01 02 0000003c 23 0007 08('reply') 09(00ff) 03('text/plain')]"
        "   '22.5']",
        &terms_5, &b);
    (void)state;

    assert_int_equal(p.qos, 2);
    assert_true(p.dup);
    assert_true(p.retain);
    assert_int_equal(p.packet_id, 0x1234);
    packet_check_text(p.topic, "kitchen/temp");
    packet_check_text(p.payload, "22.5");
    assert_int_equal(p.topic_alias, 7);
    assert_true(p.properties.has_payload_format);
    assert_int_equal(p.properties.payload_format, 1);
    assert_false(p.payload_not_utf8);
    assert_true(p.properties.has_expiry);
    assert_int_equal(p.properties.expiry_s, 60);
    packet_check_text(p.properties.response_topic, "reply");
    assert_int_equal(p.properties.correlation.len, 2);
    assert_memory_equal(p.properties.correlation.data, "\x00\xff", 2);
    packet_check_text(p.properties.content_type, "text/plain");
    assert_null(p.user.span.data);
    assert_int_equal(p.user.size, 0);
    packet_bytes_release(&b);
}

static void a_publish_without_properties_has_none(void **state)
{
    static const struct {
        const char *packet;
        const struct packet_terms *terms;
    } rows[] = {
        {"30[('t') [] 'x']", &terms_5},
        {"30[('t') 'x']", &terms_311},
        {"30[('t') 'x']", &terms_31},
    };
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct packet_bytes b;
        const struct packet_publish p =
            publish_of(rows[i].packet, rows[i].terms, &b);
        assert_int_equal(p.qos, 0);
        assert_int_equal(p.packet_id, 0);
        assert_int_equal(p.topic_alias, 0);
        packet_check_text(p.topic, "t");
        packet_check_text(p.payload, "x");
        assert_false(p.properties.has_payload_format);
        assert_false(p.properties.has_expiry);
        assert_null(p.properties.content_type.data);
        assert_null(p.properties.response_topic.data);
        assert_null(p.properties.correlation.data);
        assert_null(p.user.span.data);
        packet_bytes_release(&b);
    }
}

static void an_empty_payload_is_a_payload(void **state)
{
    struct packet_bytes b;
    const struct packet_publish p = publish_of("31[('t') []]", &terms_5, &b);
    (void)state;

    assert_non_null(p.payload.data);
    assert_int_equal(p.payload.len, 0);
    packet_bytes_release(&b);
}

/* MQTT-3.3.2-17, MQTT-3.3.2-18 */
static void user_properties_come_as_sent_and_in_order(void **state)
{
    static const char *const expected[][2] = {
        {"b", "1"}, {"a", "2"}, {"b", "1"}, {"", ""}, {"last", "5"}};
    struct packet_bytes b;
    const struct packet_publish p = publish_of(
        "30[('t') [02 00000001 26('b')('1') 26('a')('2') 03('c') 26('b')('1')"
        "          09(26) 26()() 01 00 26('last')('5') 08('r')] 'x']",
        &terms_5, &b);
    struct packet_user_cursor it = packet_user_props(p.user.span);
    struct packet_user_property u;
    size_t size = 0;
    (void)state;

    for (size_t i = 0; i < 5; i++) {
        assert_true(packet_user_props_next(&it, &u));
        packet_check_text(u.name, expected[i][0]);
        packet_check_text(u.value, expected[i][1]);
        assert_int_equal(u.encoded.len, 5 + u.name.len + u.value.len);
        assert_int_equal(*(const uint8_t *)u.encoded.data, 0x26);
        size += u.encoded.len;
    }
    assert_false(packet_user_props_next(&it, &u));
    assert_int_equal(p.user.size, size);
    assert_true(p.user.span.len > size);
    packet_bytes_release(&b);
}

static void user_properties_in_one_run_can_be_copied_as_they_are(void **state)
{
    struct packet_bytes run = packet_write_down("26('a')('1') 26('b')('2')");
    struct packet_bytes b;
    const struct packet_publish p = publish_of(
        "30[('t') [02 00000001 26('a')('1') 26('b')('2') 03('c')] 'x']",
        &terms_5, &b);
    (void)state;

    assert_int_equal(p.user.size, run.len);
    assert_int_equal(p.user.span.len, run.len);
    assert_memory_equal(p.user.span.data, run.data, run.len);
    packet_bytes_release(&run);
    packet_bytes_release(&b);
}

/* MQTT-1.5.4-3 */
static void a_byte_order_mark_stays(void **state)
{
    struct packet_bytes b;
    const struct packet_publish p =
        publish_of("30[(efbbbf 't') [] 'x']", &terms_5, &b);
    (void)state;

    packet_check_text(p.topic, "\xef\xbb\xbft");
    packet_bytes_release(&b);
}

static void a_topic_alias_may_stand_for_the_topic(void **state)
{
    struct packet_bytes b;
    const struct packet_publish p =
        publish_of("30[() [23 000a] 'x']", &terms_5, &b);
    (void)state;

    assert_int_equal(p.topic_alias, 10); /* MQTT-3.3.2-12: up to the maximum */
    assert_int_equal(p.topic.len, 0);
    packet_bytes_release(&b);
}

static void a_payload_that_is_not_the_utf_8_it_says_is_marked(void **state)
{
    static const struct {
        const char *packet;
        bool wrong;
    } rows[] = {
        {"32[('t') 0001 [01 01] 'text']", false},
        {"32[('t') 0001 [01 01] 'te' ff]", true},
        {"32[('t') 0001 [01 01] eda080]", true},
        {"32[('t') 0001 [01 01] 00]", false}, /* a character in a payload */
        {"32[('t') 0001 [01 01]]", false},
        {"32[('t') 0001 [01 00] ff]", false},
        {"32[('t') 0001 [] ff]", false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct packet_bytes b;
        const struct packet_publish p =
            publish_of(rows[i].packet, &terms_5, &b);
        assert_int_equal(p.payload_not_utf8, rows[i].wrong);
        packet_bytes_release(&b);
    }
}

/* MQTT-3.3.2-2: at every place of topics of every short length, among
 * characters whose bytes are near those of the wildcards */
static void a_wildcard_is_found_wherever_it_stands(void **state)
{
    static const char filler[] =
        "*,\"$;3/\xc2\xa3\xc2\xab\xe2\x8b\xa3*,\"$;3/";
    (void)state;

    for (size_t len = 1; len < sizeof(filler); len++) {
        uint8_t packet[64] = {0x30, (uint8_t)(2 + len), 0, (uint8_t)len};
        struct packet_frame f;
        struct packet_publish p;
        struct packet_error e;

        memcpy(packet + 4, filler, len);
        if (!utf8_valid(filler, len))
            continue;
        for (size_t at = 0; at <= len; at++) {
            const uint8_t before = packet[4 + at];
            if (at < len && before >= 0x80)
                continue;
            if (at < len)
                packet[4 + at] = at % 2 ? '+' : '#';
            assert_int_equal(packet_frame(packet, 4 + len, 64, &f, &e),
                             PACKET_WHOLE);
            assert_int_equal(packet_decode_publish(&f, &terms_311, &p, &e),
                             at == len);
            if (at < len)
                assert_int_equal(e.reason, REASON_TOPIC_NAME_INVALID);
            packet[4 + at] = before;
        }
    }
}

static void a_malformed_publish_is_refused(void **state)
{
    static const struct packet_terms qos_1 = {
        .version = PACKET_V5,
        .maximum_qos = 1,
        .maximum_packet_size = UINT32_MAX,
    };
    static const struct packet_refusal rows[] = {
        /* flags */
        {"MQTT-3.3.1-4 QoS 3", "36[('t') 0001 [] 'x']", &terms_5, 0x81},
        {"MQTT-3.3.1-4 of 3.1.1", "36[('t') 0001 'x']", &terms_311, 0x81},
        {"MQTT-3.3.1-2 DUP with QoS 0", "38[('t') [] 'x']", &terms_5, 0x81},
        {"MQTT-3.3.1-2 of 3.1.1", "38[('t') 'x']", &terms_311, 0x81},
        {"§3.3.1.2 above the Maximum QoS", "34[('t') 0001 [] 'x']", &qos_1,
         0x9b},
        /* topic */
        {"MQTT-3.3.2-1 no topic", "30[]", &terms_5, 0x81},
        {"MQTT-3.3.2-1 cut off in the length", "30[00]", &terms_5, 0x81},
        {"MQTT-3.3.2-1 topic longer than the packet", "30[0005 't']",
         &terms_311, 0x81},
        {"MQTT-1.5.4-1 topic is not UTF-8", "30[(80) [] 'x']", &terms_5, 0x81},
        {"MQTT-1.5.4-1 topic is overlong UTF-8", "30[(c0af) [] 'x']", &terms_5,
         0x81},
        {"MQTT-1.5.4-1 topic has a surrogate", "30[(eda080) [] 'x']", &terms_5,
         0x81},
        {"MQTT-1.5.4-1 a surrogate pair is no character either",
         "30[(eda080edb080) [] 'x']", &terms_5, 0x81},
        {"MQTT-1.5.3-1 of 3.1.1", "30[(eda080) 'x']", &terms_311, 0x81},
        {"MQTT-1.5.4-1 above U+10FFFF", "30[(f4908080) [] 'x']", &terms_5,
         0x81},
        {"MQTT-1.5.4-2 NUL in the topic", "30[('a' 00) [] 'x']", &terms_5,
         0x81},
        {"MQTT-1.5.3-2 of 3.1.1", "30[('a' 00) 'x']", &terms_311, 0x81},
        {"MQTT-3.3.2-2 + in the topic", "30[('a/+/b') [] 'x']", &terms_5,
         0x90},
        {"MQTT-3.3.2-2 # in the topic", "30[('a/#') [] 'x']", &terms_5, 0x90},
        {"MQTT-3.3.2-2 even within a level", "30[('a+b') [] 'x']", &terms_5,
         0x90},
        {"MQTT-3.3.2-2 of 3.1.1", "30[('#') 'x']", &terms_311, 0x90},
        {"§3.3.2.1 neither topic nor alias", "30[() [] 'x']", &terms_5, 0x82},
        {"MQTT-4.7.3-1 of 3.1.1: empty topic", "30[() 'x']", &terms_311, 0x90},
        /* packet identifier */
        {"MQTT-2.2.1-3 packet identifier 0", "32[('t') 0000 [] 'x']", &terms_5,
         0x82},
        {"MQTT-2.3.1-1 of 3.1.1", "34[('t') 0000 'x']", &terms_311, 0x82},
        {"no packet identifier", "32[('t')]", &terms_311, 0x81},
        {"half a packet identifier", "32[('t') 00]", &terms_5, 0x81},
        /* properties */
        {"MQTT-2.2.2-1 no property length", "30[('t')]", &terms_5, 0x81},
        {"no property length behind the identifier", "32[('t') 0001]",
         &terms_5, 0x81},
        {"properties longer than the packet", "30[('t') 02 01]", &terms_5,
         0x81},
        {"property length of five bytes", "30[('t') 8080808000 'x']", &terms_5,
         0x81},
        {"MQTT-1.5.5-1 padded property length", "30[('t') 8200 01 00 'x']",
         &terms_5, 0x81},
        {"identifier without a value", "30[('t') [01] 'x']", &terms_5, 0x81},
        {"§2.2.2.2 unknown property", "30[('t') [00] 'x']", &terms_5, 0x81},
        {"§2.2.2.2 unknown property 0x04", "30[('t') [04 00] 'x']", &terms_5,
         0x81},
        {"§2.2.2.2 identifier in two bytes", "30[('t') [8100 00] 'x']",
         &terms_5, 0x81},
        {"§2.2.2.2 property of CONNECT", "30[('t') [11 00000000] 'x']",
         &terms_5, 0x81},
        {"§2.2.2.2 property of CONNACK", "30[('t') [24 01] 'x']", &terms_5,
         0x81},
        {"§2.2.2.2 Reason String", "30[('t') [1f('r')] 'x']", &terms_5, 0x81},
        {"MQTT-3.3.4-6 Subscription Identifier", "30[('t') [0b 01] 'x']",
         &terms_5, 0x82},
        {"§3.3.2.3.2 Payload Format Indicator 2", "30[('t') [01 02] 'x']",
         &terms_5, 0x82},
        {"Payload Format Indicator twice", "30[('t') [01 00 01 00] 'x']",
         &terms_5, 0x82},
        {"Message Expiry Interval twice",
         "30[('t') [02 00000001 02 00000001] 'x']", &terms_5, 0x82},
        {"Message Expiry Interval cut off", "30[('t') [02 000001] 'x']",
         &terms_5, 0x81},
        {"§3.3.2.3.4 Topic Alias twice", "30[('t') [23 0001 23 0001] 'x']",
         &terms_5, 0x82},
        {"MQTT-3.3.2-8 Topic Alias 0", "30[('t') [23 0000] 'x']", &terms_5,
         0x94},
        {"MQTT-3.3.2-9 Topic Alias above the maximum",
         "30[('t') [23 000b] 'x']", &terms_5, 0x94},
        {"MQTT-3.3.2-9 Topic Alias where none is allowed",
         "30[('t') [23 0001] 'x']", &qos_1, 0x94},
        {"§3.3.2.3.5 Response Topic twice", "30[('t') [08('r') 08('r')] 'x']",
         &terms_5, 0x82},
        {"MQTT-3.3.2-13 Response Topic is not UTF-8", "30[('t') [08(ff)] 'x']",
         &terms_5, 0x81},
        {"MQTT-3.3.2-14 wildcard in the Response Topic",
         "30[('t') [08('r/+')] 'x']", &terms_5, 0x82},
        {"MQTT-4.7.3-1 empty Response Topic", "30[('t') [08()] 'x']", &terms_5,
         0x82},
        {"§3.3.2.3.6 Correlation Data twice",
         "30[('t') [09('r') 09('r')] 'x']", &terms_5, 0x82},
        {"Correlation Data cut off", "30[('t') [09 0003 0102] 'x']", &terms_5,
         0x81},
        {"§3.3.2.3.9 Content Type twice", "30[('t') [03('r') 03('r')] 'x']",
         &terms_5, 0x82},
        {"MQTT-3.3.2-19 Content Type is not UTF-8", "30[('t') [03(ff)] 'x']",
         &terms_5, 0x81},
        {"MQTT-1.5.7-1 User Property is not UTF-8",
         "30[('t') [26('a')(ff)] 'x']", &terms_5, 0x81},
        {"MQTT-1.5.4-2 NUL in a User Property", "30[('t') [26('a')(00)] 'x']",
         &terms_5, 0x81},
        {"User Property cut off in its value", "30[('t') [26('a') 00] 'x']",
         &terms_5, 0x81},
    };
    (void)state;

    packet_check_refusals(rows, sizeof(rows) / sizeof(rows[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_in_a_publish_is_read_in_one_pass),
        cmocka_unit_test(a_publish_without_properties_has_none),
        cmocka_unit_test(an_empty_payload_is_a_payload),
        cmocka_unit_test(user_properties_come_as_sent_and_in_order),
        cmocka_unit_test(user_properties_in_one_run_can_be_copied_as_they_are),
        cmocka_unit_test(a_byte_order_mark_stays),
        cmocka_unit_test(a_topic_alias_may_stand_for_the_topic),
        cmocka_unit_test(a_payload_that_is_not_the_utf_8_it_says_is_marked),
        cmocka_unit_test(a_wildcard_is_found_wherever_it_stands),
        cmocka_unit_test(a_malformed_publish_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
