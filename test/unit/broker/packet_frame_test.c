#include "test/unit/broker/packet_notation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/wire/reason.h"

static enum packet_framing frame_text(const char *text, size_t max_size,
                                      struct packet_frame *f,
                                      struct packet_error *e)
{
    struct packet_bytes b = packet_write_down(text);
    const enum packet_framing framing =
        packet_frame(b.data, b.len, max_size, f, e);

    packet_bytes_release(&b);
    return framing;
}

static void a_packet_is_found_and_the_next_one_starts_behind_it(void **state)
{
    struct packet_bytes b = packet_write_down("32[('a/b') 0001 'hi'] c000");
    struct packet_frame f;
    struct packet_error e;
    (void)state;

    assert_int_equal(packet_frame(b.data, b.len, 100, &f, &e), PACKET_WHOLE);
    assert_int_equal(f.type, PACKET_PUBLISH);
    assert_int_equal(f.flags, 2);
    assert_int_equal(f.size, 11);
    assert_int_equal(f.body.len, 9);
    assert_ptr_equal(f.body.data, b.data + 2);
    assert_int_equal(packet_frame(b.data + f.size, b.len - f.size, 100, &f,
                                  &e),
                     PACKET_WHOLE);
    assert_int_equal(f.type, PACKET_PINGREQ);
    assert_int_equal(f.size, 2);
    packet_bytes_release(&b);
}

static void a_packet_may_arrive_byte_by_byte(void **state)
{
    const size_t body = 300, size = 3 + body;
    struct packet_error e;
    (void)state;

    for (size_t len = 0; len <= size; len++) {
        struct packet_frame f;
        uint8_t *p = malloc(len ? len : 1); /* exactly what has arrived */
        memset(p, 'x', len);
        if (len > 0)
            p[0] = 0x30;
        if (len > 1)
            p[1] = (uint8_t)(body & 127) | 128;
        if (len > 2)
            p[2] = (uint8_t)(body >> 7);
        assert_int_equal(packet_frame(p, len, 1000, &f, &e),
                         len < size ? PACKET_MORE : PACKET_WHOLE);
        assert_int_equal(f.size, len < 3 ? 0 : size);
        free(p);
    }
}

static void remaining_length_has_one_to_four_bytes(void **state)
{
    /* The limits of table 2-1 in 3.1.1 §2.2.3, table 1-1 in MQTT 5. */
    static const struct {
        const char *header;
        size_t size;
    } rows[] = {
        {"3000", 2},
        {"307f", 2 + 127},
        {"308001", 3 + 128},
        {"30ff7f", 3 + 16383},
        {"30808001", 4 + 16384},
        {"30ffff7f", 4 + 2097151},
        {"3080808001", 5 + 2097152},
        {"30ffffff7f", 5 + 268435455},
    };
    struct packet_frame f;
    struct packet_error e;
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const enum packet_framing framing =
            frame_text(rows[i].header, PACKET_SIZE_MAX, &f, &e);
        assert_int_equal(framing, i == 0 ? PACKET_WHOLE : PACKET_MORE);
        assert_int_equal(f.size, rows[i].size);
    }
}

static void a_fifth_length_byte_is_malformed_before_it_arrives(void **state)
{
    struct packet_frame f;
    struct packet_error e;
    (void)state;

    assert_int_equal(frame_text("30ffffff", PACKET_SIZE_MAX, &f, &e),
                     PACKET_MORE);
    assert_int_equal(frame_text("30ffffff80", PACKET_SIZE_MAX, &f, &e),
                     PACKET_BROKEN);
    assert_int_equal(e.reason, REASON_MALFORMED_PACKET);
}

static void a_packet_above_the_maximum_is_refused_by_its_header(void **state)
{
    struct packet_frame f;
    struct packet_error e;
    (void)state;

    /* Maximum Packet Size counts the whole packet (MQTT 5 §3.2.2.3.6). */
    assert_int_equal(frame_text("3064", 102, &f, &e), PACKET_MORE);
    assert_int_equal(frame_text("3064", 101, &f, &e), PACKET_BROKEN);
    assert_int_equal(e.reason, REASON_PACKET_TOO_LARGE);
    assert_int_equal(frame_text("30ffffff7f", 1 << 20, &f, &e), PACKET_BROKEN);
    assert_int_equal(e.reason, REASON_PACKET_TOO_LARGE);
}

static void a_first_byte_no_client_sends_is_refused_at_once(void **state)
{
    struct packet_frame f;
    struct packet_error e;
    (void)state;

    for (unsigned type = 0; type < 16; type++) {
        const uint8_t first = (uint8_t)(type << 4);
        const bool server_only =
            type == PACKET_CONNACK || type == PACKET_SUBACK ||
            type == PACKET_UNSUBACK || type == PACKET_PINGRESP;
        const enum packet_framing framing =
            packet_frame(&first, 1, 100, &f, &e);

        if (type == 0 || server_only) {
            assert_int_equal(framing, PACKET_BROKEN);
            assert_int_equal(e.reason, type == 0 ? REASON_MALFORMED_PACKET
                                                 : REASON_PROTOCOL_ERROR);
        } else {
            assert_int_equal(framing, PACKET_MORE);
        }
    }
}

static void reserved_header_flags_are_malformed(void **state)
{
    /* Correct packets but for their flags. */
    static const struct packet_refusal rows[] = {
        {"MQTT-2.1.3-1 CONNECT", "11[('MQTT') 05 02 003c [] ('c')]", &terms_5,
         0x81},
        {"MQTT-2.2.2-2 of 3.1.1 CONNECT", "18[('MQTT') 04 02 003c ('c')]",
         &terms_311, 0x81},
        {"MQTT-2.1.3-1 PUBACK", "42[0001]", &terms_5, 0x81},
        {"MQTT-2.1.3-1 PUBREC", "51[0001]", &terms_5, 0x81},
        {"MQTT-3.6.1-1 PUBREL without bit 1", "60[0001]", &terms_5, 0x81},
        {"MQTT-3.6.1-1 PUBREL with more", "6a[0001]", &terms_5, 0x81},
        {"MQTT-2.1.3-1 PUBCOMP", "78[0001]", &terms_5, 0x81},
        {"MQTT-3.8.1-1 SUBSCRIBE", "80[0001 [] ('a') 00]", &terms_5, 0x81},
        {"MQTT-3.8.1-1 of 3.1.1", "8a[0001 ('a') 00]", &terms_311, 0x81},
        {"MQTT-3.10.1-1 UNSUBSCRIBE", "a0[0001 [] ('a')]", &terms_5, 0x81},
        {"MQTT-2.1.3-1 PINGREQ", "c1[]", &terms_5, 0x81},
        {"MQTT-3.14.1-1 DISCONNECT", "e1[]", &terms_5, 0x81},
        {"MQTT-3.14.1-1 of 3.1.1", "e2[]", &terms_311, 0x81},
        {"MQTT-3.15.1-1 AUTH", "f4[18 [15('m')]]", &terms_5, 0x81},
    };
    (void)state;

    packet_check_refusals(rows, sizeof(rows) / sizeof(rows[0]));
}

static void in_3_1_header_flags_are_not_reserved(void **state)
{
    static const char *const packets[] = {"8a[0001 ('a') 00]",
                                          "aa[0001 ('a')]", "6a[0001]"};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct packet_bytes b = packet_write_down(packets[i]);
        const struct packet_frame f = packet_only_frame(&b);
        struct packet_error e;
        assert_true(packet_decode_any(&f, &terms_31, &e));
        packet_bytes_release(&b);
    }
}

/* MQTT-1.5.5-1 */
static void a_padded_remaining_length_is_malformed_in_mqtt_5_only(void **state)
{
    static const char *const packets[] = {"c08000", "c0808000", "c080808000"};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct packet_bytes b = packet_write_down(packets[i]);
        const struct packet_frame f = packet_only_frame(&b);
        struct packet_error e;
        assert_true(packet_decode_any(&f, &terms_311, &e));
        assert_false(packet_decode_any(&f, &terms_5, &e));
        assert_int_equal(e.reason, REASON_MALFORMED_PACKET);
        packet_bytes_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_is_found_and_the_next_one_starts_behind_it),
        cmocka_unit_test(a_packet_may_arrive_byte_by_byte),
        cmocka_unit_test(remaining_length_has_one_to_four_bytes),
        cmocka_unit_test(a_fifth_length_byte_is_malformed_before_it_arrives),
        cmocka_unit_test(a_packet_above_the_maximum_is_refused_by_its_header),
        cmocka_unit_test(a_first_byte_no_client_sends_is_refused_at_once),
        cmocka_unit_test(reserved_header_flags_are_malformed),
        cmocka_unit_test(in_3_1_header_flags_are_not_reserved),
        cmocka_unit_test(
            a_padded_remaining_length_is_malformed_in_mqtt_5_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
