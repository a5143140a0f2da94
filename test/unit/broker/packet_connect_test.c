#include "test/unit/broker/packet_notation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/wire/reason.h"

/* `*b` must live as long as the result. */
static struct packet_connect connect_of(const char *text,
                                        struct packet_bytes *b)
{
    struct packet_connect c;
    struct packet_error e;

    *b = packet_write_down(text);
    const struct packet_frame f = packet_only_frame(b);
    if (!packet_decode_connect(&f, 2, &c, &e))
        fail_msg("0x%02x %s", e.reason, e.text);
    return c;
}

static void everything_in_an_mqtt_5_connect_is_read(void **state)
{
    struct packet_bytes b;
    const struct packet_connect c = connect_of(
        "10[('MQTT') 05 f6 003c"
        "   [11 00000e10  21 0014  27 00010000  22 0007  19 01  17 00"
        "    26('confab')('stamp')  15('SCRAM')  16(dead)]"
        "   ('client')"
        "   [18 0000001e  01 01  02 00000e10  03('text/plain')"
        "    08('reply/to')  09(0102)  26('k')('v') 26('k')('w')]"
        "   ('room/will') ('gone') ('token') (00ff)]",
        &b);
    struct packet_user_cursor it = packet_user_props(c.will.user.span);
    struct packet_user_property u;
    (void)state;

    assert_int_equal(c.version, PACKET_V5);
    assert_true(c.clean_start);
    assert_int_equal(c.keep_alive_s, 60);
    assert_int_equal(c.session_expiry_s, 3600);
    assert_int_equal(c.receive_maximum, 20);
    assert_int_equal(c.maximum_packet_size, 65536);
    assert_int_equal(c.topic_alias_maximum, 7);
    assert_true(c.request_response);
    assert_false(c.request_problem);
    packet_check_text(c.auth_method, "SCRAM");
    packet_check_text(c.auth_data, "\xde\xad");
    packet_check_text(c.client_id, "client");
    packet_check_text(c.user_name, "token");
    assert_memory_equal(c.password.data, "\x00\xff", 2);

    assert_true(c.has_will);
    assert_int_equal(c.will.qos, 2);
    assert_true(c.will.retain);
    assert_int_equal(c.will.delay_s, 30);
    packet_check_text(c.will.topic, "room/will");
    packet_check_text(c.will.payload, "gone");
    assert_true(c.will.properties.has_payload_format);
    assert_int_equal(c.will.properties.payload_format, 1);
    assert_true(c.will.properties.has_expiry);
    assert_int_equal(c.will.properties.expiry_s, 3600);
    packet_check_text(c.will.properties.content_type, "text/plain");
    packet_check_text(c.will.properties.response_topic, "reply/to");
    packet_check_text(c.will.properties.correlation, "\x01\x02");

    /* MQTT-3.1.3-10: in their order */
    assert_true(packet_user_props_next(&it, &u));
    packet_check_text(u.value, "v");
    assert_true(packet_user_props_next(&it, &u));
    packet_check_text(u.value, "w");
    assert_false(packet_user_props_next(&it, &u));

    it = packet_user_props(c.user.span);
    assert_true(packet_user_props_next(&it, &u));
    packet_check_text(u.name, "confab");
    packet_check_text(u.value, "stamp");
    packet_bytes_release(&b);
}

static void what_a_connect_does_not_say_has_mqtt_s_defaults(void **state)
{
    struct packet_bytes b;
    const struct packet_connect c =
        connect_of("10[('MQTT') 05 00 0000 [] ()]", &b);
    (void)state;

    assert_false(c.clean_start);
    assert_int_equal(c.keep_alive_s, 0);
    assert_int_equal(c.session_expiry_s, 0);
    assert_int_equal(c.receive_maximum, 65535);
    assert_int_equal(c.maximum_packet_size, UINT32_MAX);
    assert_int_equal(c.topic_alias_maximum, 0);
    assert_true(c.request_problem);
    assert_false(c.request_response);
    assert_false(c.has_will);
    assert_null(c.user_name.data);
    assert_null(c.password.data);
    assert_null(c.auth_method.data);
    assert_null(c.auth_data.data);
    assert_null(c.user.span.data);
    assert_non_null(c.client_id.data);
    assert_int_equal(c.client_id.len, 0);
    packet_bytes_release(&b);
}

static void empty_is_not_absent(void **state)
{
    struct packet_bytes b;
    const struct packet_connect c =
        connect_of("10[('MQTT') 05 c6 0000 [15() 16()] ('c')"
                   "   [03() 09()] ('w') () () ()]",
                   &b);
    (void)state;

    packet_check_text(c.auth_method, "");
    packet_check_text(c.auth_data, "");
    packet_check_text(c.will.payload, "");
    packet_check_text(c.will.properties.content_type, "");
    packet_check_text(c.will.properties.correlation, "");
    assert_null(c.will.properties.response_topic.data);
    packet_check_text(c.user_name, "");
    packet_check_text(c.password, "");
    packet_bytes_release(&b);
}

static void a_3_1_1_session_lasts_unless_it_is_clean(void **state)
{
    struct packet_bytes b;
    struct packet_connect c = connect_of("10[('MQTT') 04 02 003c ('c')]", &b);
    (void)state;

    assert_int_equal(c.version, PACKET_V311);
    assert_int_equal(c.session_expiry_s, 0);
    packet_bytes_release(&b);
    c = connect_of("10[('MQTT') 04 00 003c ('c')]", &b);
    assert_int_equal(c.session_expiry_s, UINT32_MAX);
    assert_int_equal(c.receive_maximum, 65535);
    assert_int_equal(c.maximum_packet_size, UINT32_MAX);
    packet_bytes_release(&b);
}

static void a_3_1_connect_is_read(void **state)
{
    struct packet_bytes b;
    struct packet_connect c =
        connect_of("10[('MQIsdp') 03 ce 000a ('c') ('w') ('x') ('u') ('p')]",
                   &b);
    (void)state;

    assert_int_equal(c.version, PACKET_V31);
    assert_true(c.clean_start);
    assert_true(c.has_will);
    assert_int_equal(c.will.qos, 1);
    packet_check_text(c.user_name, "u");
    packet_check_text(c.password, "p");
    packet_bytes_release(&b);

    /* of the original MQTT 3: the flags without the strings */
    c = connect_of("10[('MQIsdp') 03 c2 000a ('c')]", &b);
    assert_null(c.user_name.data);
    assert_null(c.password.data);
    packet_bytes_release(&b);
}

static void a_client_without_a_name_is_fine_when_nothing_is_kept(void **state)
{
    struct packet_bytes b;
    struct packet_connect c = connect_of("10[('MQTT') 04 02 0000 ()]", &b);
    (void)state;

    assert_int_equal(c.client_id.len, 0);
    packet_bytes_release(&b);
}

static void a_malformed_connect_is_refused(void **state)
{
    static const struct packet_refusal rows[] = {
        /* name, level */
        {"empty packet", "10[]", &terms_5, 0x81},
        {"cut off in the name", "10[0004 'MQ']", &terms_5, 0x81},
        {"MQTT-3.1.2-1 another name", "10[('HTTP') 05 02 003c [] ('c')]",
         &terms_5, 0x84},
        {"MQTT-3.1.2-1 another case", "10[('mqtt') 05 02 003c [] ('c')]",
         &terms_5, 0x84},
        {"MQTT-3.1.2-2 level 6", "10[('MQTT') 06 02 003c [] ('c')]", &terms_5,
         0x84},
        {"MQTT-3.1.2-2 level 3 with the newer name",
         "10[('MQTT') 03 02 003c ('c')]", &terms_5, 0x84},
        {"MQTT-3.1.2-2 level 4 with the older name",
         "10[('MQIsdp') 04 02 003c ('c')]", &terms_5, 0x84},
        {"MQTT-3.1.2-2 a bridge's bit with the level of 5.0",
         "10[('MQTT') 85 02 003c [] ('c')]", &terms_5, 0x84},
        {"MQTT-3.1.2-2 a bridge's level of 3.1 with the newer name",
         "10[('MQTT') 83 02 003c ('c')]", &terms_5, 0x84},
        {"MQTT-3.1.2-2 a bridge's level of 3.1.1 with the older name",
         "10[('MQIsdp') 84 02 003c ('c')]", &terms_5, 0x84},
        /* flags */
        {"MQTT-3.1.2-3 reserved flag", "10[('MQTT') 05 03 003c [] ('c')]",
         &terms_5, 0x81},
        {"MQTT-3.1.2-3 of 3.1.1", "10[('MQTT') 04 03 003c ('c')]", &terms_5,
         0x81},
        {"MQTT-3.1.2-11 Will QoS without a will",
         "10[('MQTT') 05 0a 003c [] ('c')]", &terms_5, 0x81},
        {"MQTT-3.1.2-13 Will Retain without a will",
         "10[('MQTT') 05 22 003c [] ('c')]", &terms_5, 0x81},
        {"MQTT-3.1.2-12 Will QoS 3",
         "10[('MQTT') 05 1e 003c [] ('c') [] ('w') ('x')]", &terms_5, 0x81},
        {"MQTT-3.1.2-22 of 3.1.1: password without user name",
         "10[('MQTT') 04 42 003c ('c') ('p')]", &terms_5, 0x81},
        {"the same in 3.1", "10[('MQIsdp') 03 42 003c ('c') ('p')]", &terms_5,
         0x81},
        /* payload */
        {"MQTT-3.1.3-3 no client identifier", "10[('MQTT') 05 02 003c []]",
         &terms_5, 0x81},
        {"MQTT-3.1.3-4 client identifier is not UTF-8",
         "10[('MQTT') 05 02 003c [] (ff)]", &terms_5, 0x81},
        {"MQTT-1.5.4-2 NUL in the client identifier",
         "10[('MQTT') 05 02 003c [] ('a' 00 'b')]", &terms_5, 0x81},
        {"MQTT-3.1.3-8 of 3.1.1: empty identifier, kept session",
         "10[('MQTT') 04 00 003c ()]", &terms_5, 0x85},
        {"3.1: empty identifier", "10[('MQIsdp') 03 02 003c ()]", &terms_5,
         0x85},
        {"MQTT-3.1.2-9 no Will Topic", "10[('MQTT') 05 06 003c [] ('c') []]",
         &terms_5, 0x81},
        {"MQTT-3.1.2-9 no Will Payload",
         "10[('MQTT') 05 06 003c [] ('c') [] ('w')]", &terms_5, 0x81},
        {"MQTT-3.1.3-11 Will Topic is not UTF-8",
         "10[('MQTT') 05 06 003c [] ('c') [] (c080) ('x')]", &terms_5, 0x81},
        {"MQTT-4.7.0-1 wildcard in the Will Topic",
         "10[('MQTT') 05 06 003c [] ('c') [] ('a/+') ('x')]", &terms_5, 0x90},
        {"MQTT-4.7.3-1 empty Will Topic",
         "10[('MQTT') 05 06 003c [] ('c') [] () ('x')]", &terms_5, 0x90},
        {"MQTT-4.7.3-1 of 3.1.1", "10[('MQTT') 04 06 003c ('c') () ('x')]",
         &terms_5, 0x90},
        {"MQTT-3.1.2-17 no user name", "10[('MQTT') 05 82 003c [] ('c')]",
         &terms_5, 0x81},
        {"MQTT-3.1.3-12 user name is a surrogate",
         "10[('MQTT') 05 82 003c [] ('c') (eda080)]", &terms_5, 0x81},
        {"MQTT-3.1.2-19 no password", "10[('MQTT') 05 c2 003c [] ('c') ('u')]",
         &terms_5, 0x81},
        {"MQTT-3.1.2-16 bytes after the end",
         "10[('MQTT') 05 02 003c [] ('c') ('u')]", &terms_5, 0x81},
        {"MQTT-3.1.2-18 of 3.1.1 bytes after the end",
         "10[('MQTT') 04 02 003c ('c') ('u')]", &terms_5, 0x81},
        /* properties */
        {"no property length", "10[('MQTT') 05 02 003c]", &terms_5, 0x81},
        {"properties longer than the packet",
         "10[('MQTT') 05 02 003c 05 11 0000]", &terms_5, 0x81},
        {"property cut off by the property length",
         "10[('MQTT') 05 02 003c [11 0000] 0000 ('c')]", &terms_5, 0x81},
        {"MQTT-1.5.5-1 property length in too many bytes",
         "10[('MQTT') 05 02 003c 8000 ('c')]", &terms_5, 0x81},
        {"§2.2.2.2 unknown property", "10[('MQTT') 05 02 003c [7f 00] ('c')]",
         &terms_5, 0x81},
        {"§2.2.2.2 property of another packet",
         "10[('MQTT') 05 02 003c [23 0001] ('c')]", &terms_5, 0x81},
        {"§2.2.2.2 a will's property in front",
         "10[('MQTT') 05 02 003c [18 00000001] ('c')]", &terms_5, 0x81},
        {"§2.2.2.2 CONNECT's property in the will",
         "10[('MQTT') 05 06 003c [] ('c') [11 00000001] ('w') ('x')]",
         &terms_5, 0x81},
        {"§3.1.2.11.2 Session Expiry Interval twice",
         "10[('MQTT') 05 02 003c [11 00000001 11 00000001] ('c')]", &terms_5,
         0x82},
        {"§3.1.2.11.3 Receive Maximum 0",
         "10[('MQTT') 05 02 003c [21 0000] ('c')]", &terms_5, 0x82},
        {"§3.1.2.11.3 Receive Maximum twice",
         "10[('MQTT') 05 02 003c [21 0001 21 0001] ('c')]", &terms_5, 0x82},
        {"§3.1.2.11.4 Maximum Packet Size 0",
         "10[('MQTT') 05 02 003c [27 00000000] ('c')]", &terms_5, 0x82},
        {"§3.1.2.11.5 Topic Alias Maximum twice",
         "10[('MQTT') 05 02 003c [22 0001 22 0002] ('c')]", &terms_5, 0x82},
        {"§3.1.2.11.6 Request Response Information 2",
         "10[('MQTT') 05 02 003c [19 02] ('c')]", &terms_5, 0x82},
        {"§3.1.2.11.7 Request Problem Information 2",
         "10[('MQTT') 05 02 003c [17 02] ('c')]", &terms_5, 0x82},
        {"§3.1.2.11.9 Authentication Method twice",
         "10[('MQTT') 05 02 003c [15('a') 15('a')] ('c')]", &terms_5, 0x82},
        {"§3.1.2.11.10 Authentication Data alone",
         "10[('MQTT') 05 02 003c [16('a')] ('c')]", &terms_5, 0x82},
        {"MQTT-1.5.7-1 name of a User Property is not UTF-8",
         "10[('MQTT') 05 02 003c [26(ff)('v')] ('c')]", &terms_5, 0x81},
        {"MQTT-1.5.7-1 value of a User Property is not UTF-8",
         "10[('MQTT') 05 02 003c [26('n')(ff)] ('c')]", &terms_5, 0x81},
        {"User Property without a value",
         "10[('MQTT') 05 02 003c [26('n')] ('c')]", &terms_5, 0x81},
        {"§3.1.3.2.2 Will Delay Interval twice",
         "10[('MQTT') 05 06 003c [] ('c') [18 00000001 18 00000001]"
         "   ('w') ('x')]",
         &terms_5, 0x82},
        {"§3.1.3.2.3 Payload Format Indicator 2",
         "10[('MQTT') 05 06 003c [] ('c') [01 02] ('w') ('x')]", &terms_5,
         0x82},
        {"§3.1.3.2.3 the will is not the UTF-8 it says",
         "10[('MQTT') 05 06 003c [] ('c') [01 01] ('w') (ff)]", &terms_5,
         0x99},
        {"wildcard in the will's Response Topic",
         "10[('MQTT') 05 06 003c [] ('c') [08('a/#')] ('w') ('x')]", &terms_5,
         0x82},
    };
    (void)state;

    packet_check_refusals(rows, sizeof(rows) / sizeof(rows[0]));
}

/* MQTT-3.2.2-12 */
static void a_will_above_the_maximum_qos_is_refused(void **state)
{
    struct packet_bytes b =
        packet_write_down("10[('MQTT') 05 16 003c [] ('c') [] ('w') ('x')]");
    const struct packet_frame f = packet_only_frame(&b);
    struct packet_connect c;
    struct packet_error e;
    (void)state;

    assert_true(packet_decode_connect(&f, 2, &c, &e));
    assert_false(packet_decode_connect(&f, 1, &c, &e));
    assert_int_equal(e.reason, REASON_QOS_NOT_SUPPORTED);
    packet_bytes_release(&b);
}

/* mosquitto's bridges: 0x80 on top of the level. */
static void a_bridge_speaks_the_version_below_its_bit(void **state)
{
    static const struct {
        const char *packet;
        unsigned version;
        bool bridge;
    } rows[] = {
        {"10[('MQTT') 84 02 003c ('c')]", PACKET_V311, true},
        {"10[('MQIsdp') 83 02 003c ('c')]", PACKET_V31, true},
        {"10[('MQTT') 04 02 003c ('c')]", PACKET_V311, false},
        {"10[('MQIsdp') 03 02 003c ('c')]", PACKET_V31, false},
        {"10[('MQTT') 05 02 003c [] ('c')]", PACKET_V5, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct packet_bytes b = packet_write_down(rows[i].packet);
        const struct packet_frame f = packet_only_frame(&b);
        struct packet_connect c;
        struct packet_error e;
        assert_true(packet_decode_connect(&f, 2, &c, &e));
        assert_int_equal(c.version, rows[i].version);
        assert_int_equal(c.bridge, rows[i].bridge);
        packet_bytes_release(&b);
    }
}

static void a_refused_connect_says_in_which_version_to_answer(void **state)
{
    static const struct {
        const char *packet;
        unsigned version;
    } rows[] = {
        {"10[('MQTT') 06 02 003c [] ('c')]", PACKET_V311},
        {"10[('MQTT') ff 02 003c [] ('c')]", PACKET_V311},
        {"10[('MQTT') 85 02 003c [] ('c')]", PACKET_V311},
        {"10[('MQTT') 05 03 003c [] ('c')]", PACKET_V5},
        {"10[('MQTT') 02 02 003c ('c')]", PACKET_V311},
        {"10[('MQTT') 04 00 003c ()]", PACKET_V311},
        {"10[('MQIsdp') 09 02 003c ('c')]", PACKET_V31},
        {"10[('HTTP') 05 02 003c [] ('c')]", 0},
        {"10[00]", 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct packet_bytes b = packet_write_down(rows[i].packet);
        const struct packet_frame f = packet_only_frame(&b);
        struct packet_connect c;
        struct packet_error e;
        assert_false(packet_decode_connect(&f, 2, &c, &e));
        assert_int_equal(c.version, rows[i].version);
        packet_bytes_release(&b);
    }
}

static void a_connect_cut_off_anywhere_is_malformed(void **state)
{
    struct packet_bytes whole = packet_write_down(
        "('MQTT') 05 f6 003c [11 00000e10 21 0014 26('confab')('stamp')]"
        "('client') [18 0000001e 03('text/plain') 26('k')('v')]"
        "('room/will') ('gone') ('token') ('secret')");
    (void)state;

    assert_true(whole.len < 128);
    for (size_t len = 0; len <= whole.len; len++) {
        struct packet_bytes b = {malloc(2 + len), 2 + len};
        struct packet_connect c;
        struct packet_error e;

        b.data[0] = 0x10;
        b.data[1] = (uint8_t)len;
        memcpy(b.data + 2, whole.data, len);
        const struct packet_frame f = packet_only_frame(&b);
        const bool accepted = packet_decode_connect(&f, 2, &c, &e);
        assert_int_equal(accepted, len == whole.len);
        if (!accepted)
            assert_int_equal(e.reason, REASON_MALFORMED_PACKET);
        packet_bytes_release(&b);
    }
    packet_bytes_release(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_in_an_mqtt_5_connect_is_read),
        cmocka_unit_test(what_a_connect_does_not_say_has_mqtt_s_defaults),
        cmocka_unit_test(empty_is_not_absent),
        cmocka_unit_test(a_3_1_1_session_lasts_unless_it_is_clean),
        cmocka_unit_test(a_3_1_connect_is_read),
        cmocka_unit_test(a_client_without_a_name_is_fine_when_nothing_is_kept),
        cmocka_unit_test(a_malformed_connect_is_refused),
        cmocka_unit_test(a_will_above_the_maximum_qos_is_refused),
        cmocka_unit_test(a_bridge_speaks_the_version_below_its_bit),
        cmocka_unit_test(a_refused_connect_says_in_which_version_to_answer),
        cmocka_unit_test(a_connect_cut_off_anywhere_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
