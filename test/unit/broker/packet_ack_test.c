#include "test/unit/broker/packet_notation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "broker/wire/reason.h"

static void acknowledgements_come_in_three_lengths(void **state)
{
    static const struct {
        const char *packet;
        const struct packet_terms *terms;
        unsigned reason;
        const char *text;
    } rows[] = {
        {"40[0102]", &terms_31, 0, NULL},
        {"40[0102]", &terms_311, 0, NULL},
        {"40[0102]", &terms_5, 0, NULL},
        {"40[0102 10]", &terms_5, 0x10, NULL},
        {"40[0102 97 []]", &terms_5, 0x97, NULL},
        {"50[0102 80 [1f('no')]]", &terms_5, 0x80, "no"},
        {"62[0102 92 [26('a')('b') 1f('no')]]", &terms_5, 0x92, "no"},
        {"70[0102 00 [26('a')('b') 26('a')('b')]]", &terms_5, 0, NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct packet_bytes b = packet_write_down(rows[i].packet);
        const struct packet_frame f = packet_only_frame(&b);
        struct packet_ack a;
        struct packet_error e;
        assert_true(packet_decode_ack(&f, rows[i].terms, &a, &e));
        assert_int_equal(a.packet_id, 0x0102);
        assert_int_equal(a.reason, rows[i].reason);
        if (rows[i].text)
            packet_check_text(a.reason_string, rows[i].text);
        else
            assert_null(a.reason_string.data);
        packet_bytes_release(&b);
    }
}

static void a_malformed_acknowledgement_is_refused(void **state)
{
    static const struct packet_refusal rows[] = {
        {"empty", "40[]", &terms_5, 0x81},
        {"half an identifier", "40[01]", &terms_311, 0x81},
        {"packet identifier 0", "40[0000]", &terms_5, 0x82},
        {"packet identifier 0 in PUBREL", "62[0000]", &terms_311, 0x82},
        {"3.1.1: bytes after the identifier", "40[0001 00]", &terms_311, 0x81},
        {"3.1: bytes after the identifier", "40[0001 00 00]", &terms_31, 0x81},
        {"MQTT-3.4.2-1 unknown reason", "40[0001 42]", &terms_5, 0x82},
        {"MQTT-3.4.2-1 reason of another packet", "40[0001 92]", &terms_5,
         0x82},
        {"MQTT-3.5.2-1", "50[0001 8e]", &terms_5, 0x82},
        {"MQTT-3.6.2-1", "62[0001 80]", &terms_5, 0x82},
        {"MQTT-3.7.2-1", "70[0001 10]", &terms_5, 0x82},
        {"properties longer than the packet", "40[0001 00 02 26]", &terms_5,
         0x81},
        {"bytes after the properties", "40[0001 00 [] 00]", &terms_5, 0x81},
        {"Reason String twice", "40[0001 00 [1f('a') 1f('b')]]", &terms_5,
         0x82},
        {"Reason String is not UTF-8", "40[0001 00 [1f(ff)]]", &terms_5, 0x81},
        {"property of another packet", "40[0001 00 [11 00000000]]", &terms_5,
         0x81},
    };
    (void)state;

    packet_check_refusals(rows, sizeof(rows) / sizeof(rows[0]));
}

static void disconnect_may_leave_out_reason_and_properties(void **state)
{
    static const struct {
        const char *packet;
        const struct packet_terms *terms;
        unsigned reason;
        bool has_expiry;
    } rows[] = {
        {"e0[]", &terms_311, 0x00, false},
        {"e0[]", &terms_5, 0x00, false},
        {"e0[04]", &terms_5, 0x04, false},
        {"e0[00 []]", &terms_5, 0x00, false},
        {"e0[81 [11 00000e10 1f('bye') 26('a')('b') 1c('s')]]", &terms_5, 0x81,
         true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct packet_bytes b = packet_write_down(rows[i].packet);
        const struct packet_frame f = packet_only_frame(&b);
        struct packet_disconnect d;
        struct packet_error e;
        assert_true(packet_decode_disconnect(&f, rows[i].terms, &d, &e));
        assert_int_equal(d.reason, rows[i].reason);
        assert_int_equal(d.has_session_expiry, rows[i].has_expiry);
        if (rows[i].has_expiry) {
            assert_int_equal(d.session_expiry_s, 3600);
            packet_check_text(d.reason_string, "bye");
        }
        packet_bytes_release(&b);
    }
}

static void auth_gives_method_and_data(void **state)
{
    struct packet_bytes b =
        packet_write_down("f0[18 [15('SCRAM') 16('data')]]");
    const struct packet_frame f = packet_only_frame(&b);
    struct packet_auth a;
    struct packet_error e;
    (void)state;

    assert_true(packet_decode_auth(&f, &terms_5, &a, &e));
    assert_int_equal(a.reason, REASON_CONTINUE_AUTHENTICATION);
    packet_check_text(a.method, "SCRAM");
    packet_check_text(a.data, "data");
    packet_bytes_release(&b);
}

static void malformed_disconnect_auth_and_pingreq_are_refused(void **state)
{
    static const struct packet_refusal rows[] = {
        {"3.1.1: DISCONNECT with a body", "e0[00]", &terms_311, 0x81},
        {"MQTT-3.14.2-1 unknown reason", "e0[03]", &terms_5, 0x82},
        {"MQTT-3.14.2-1 reason of CONNACK", "e0[86]", &terms_5, 0x82},
        {"properties cut off", "e0[00 05 11 00]", &terms_5, 0x81},
        {"Session Expiry Interval twice", "e0[00 [11 00000000 11 00000000]]",
         &terms_5, 0x82},
        {"property of another packet", "e0[00 [15('m')]]", &terms_5, 0x81},
        {"bytes after the properties", "e0[00 [] 00]", &terms_5, 0x81},

        {"3.1.1: packet type 15 is reserved", "f0[18 [15('m')]]", &terms_311,
         0x81},
        {"§3.15.2.2.2 no Authentication Method", "f0[18 []]", &terms_5, 0x82},
        {"§3.15.2.1 the short form has no method either", "f0[]", &terms_5,
         0x82},
        {"MQTT-3.15.2-1 Success is the server's", "f0[00 [15('m')]]", &terms_5,
         0x82},
        {"MQTT-3.15.2-1 unknown reason", "f0[1a [15('m')]]", &terms_5, 0x82},
        {"Authentication Method twice", "f0[18 [15('m') 15('m')]]", &terms_5,
         0x82},
        {"Authentication Data twice", "f0[18 [15('m') 16('m') 16('m')]]",
         &terms_5, 0x82},

        {"PINGREQ with a body", "c0[00]", &terms_5, 0x81},
        {"3.1.1: PINGREQ with a body", "c0[00]", &terms_311, 0x81},
    };
    (void)state;

    packet_check_refusals(rows, sizeof(rows) / sizeof(rows[0]));
}

static void pingreq_is_accepted_in_every_version(void **state)
{
    struct packet_bytes b = packet_write_down("c0[]");
    const struct packet_frame f = packet_only_frame(&b);
    struct packet_error e;
    (void)state;

    assert_true(packet_decode_pingreq(&f, &terms_5, &e));
    assert_true(packet_decode_pingreq(&f, &terms_311, &e));
    assert_true(packet_decode_pingreq(&f, &terms_31, &e));
    packet_bytes_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledgements_come_in_three_lengths),
        cmocka_unit_test(a_malformed_acknowledgement_is_refused),
        cmocka_unit_test(disconnect_may_leave_out_reason_and_properties),
        cmocka_unit_test(auth_gives_method_and_data),
        cmocka_unit_test(malformed_disconnect_auth_and_pingreq_are_refused),
        cmocka_unit_test(pingreq_is_accepted_in_every_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
