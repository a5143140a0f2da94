#include "broker/wire/packet_encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/wire/reason.h"
#include "test/unit/broker/packet_notation.h"

#define ROOM 512

/* What was written, against the notation; "" for nothing. */
static void check_bytes(const uint8_t *written, size_t len, const char *text)
{
    struct packet_bytes expected = packet_write_down(text);

    assert_int_equal(len, expected.len);
    assert_memory_equal(written, expected.data, len);
    packet_bytes_release(&expected);
}

static const struct packet_pair pair = {{"k", 1}, {"v", 1}};
static const struct packet_detail detail = {.reason_string = {"no", 2},
                                            .user = &pair,
                                            .user_count = 1};

/* ---- CONNACK ------------------------------------------------------------- */

static void connack_says_only_what_is_set(void **state)
{
    const struct packet_connack plain = {0};
    const struct packet_connack resumed = {.session_present = true};
    uint8_t to[ROOM];
    (void)state;

    check_bytes(to, packet_encode_connack(&terms_5, &plain, to, ROOM),
                "20[00 00 []]");
    check_bytes(to, packet_encode_connack(&terms_5, &resumed, to, ROOM),
                "20[01 00 []]");
    check_bytes(to, packet_encode_connack(&terms_311, &resumed, to, ROOM),
                "20[01 00]");
    /* 3.1 has no Session Present */
    check_bytes(to, packet_encode_connack(&terms_31, &resumed, to, ROOM),
                "20[00 00]");
}

static void connack_can_say_everything(void **state)
{
    const struct packet_connack all = {
        .has_session_expiry = true,
        .session_expiry_s = 0,
        .receive_maximum = 100,
        .has_maximum_qos = true,
        .maximum_qos = 1,
        .retain_unavailable = true,
        .maximum_packet_size = 65536,
        .assigned_client_id = slice_str("made-up"),
        .topic_alias_maximum = 10,
        .wildcards_unavailable = true,
        .subscription_ids_unavailable = true,
        .shared_unavailable = true,
        .has_server_keep_alive = true,
        .server_keep_alive_s = 60,
        .response_information = slice_str("reply/"),
        .server_reference = slice_str("other"),
        .auth_method = slice_str("m"),
        .auth_data = slice_str("d"),
        .detail = detail,
    };
    uint8_t to[ROOM];
    (void)state;

    check_bytes(to, packet_encode_connack(&terms_5, &all, to, ROOM),
                "20[00 00 [11 00000000 21 0064 24 01 25 00 27 00010000"
                "   12('made-up') 22 000a 28 00 29 00 2a 00 13 003c"
                "   1a('reply/') 1c('other') 15('m') 16('d')"
                "   1f('no') 26('k')('v')]]");
}

/* MQTT-3.2.2-6 */
static void a_refusing_connack_has_no_session_present(void **state)
{
    const struct packet_connack refused = {.reason = REASON_NOT_AUTHORIZED,
                                           .session_present = true};
    uint8_t to[ROOM];
    (void)state;

    check_bytes(to, packet_encode_connack(&terms_5, &refused, to, ROOM),
                "20[00 87 []]");
    check_bytes(to, packet_encode_connack(&terms_311, &refused, to, ROOM),
                "20[00 05]");
}

static void reasons_become_return_codes_before_mqtt_5(void **state)
{
    static const struct {
        uint8_t reason;
        const char *packet;
    } rows[] = {
        {0x00, "20[00 00]"}, {0x84, "20[00 01]"}, {0x85, "20[00 02]"},
        {0x88, "20[00 03]"}, {0x89, "20[00 03]"}, {0x97, "20[00 03]"},
        {0x9f, "20[00 03]"}, {0x86, "20[00 04]"}, {0x87, "20[00 05]"},
        {0x8a, "20[00 05]"}, {0x8c, "20[00 05]"}, {0x81, ""},
        {0x82, ""},          {0x95, ""},          {0x9b, ""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct packet_connack c = {.reason = rows[i].reason};
        uint8_t to[ROOM];
        check_bytes(to, packet_encode_connack(&terms_311, &c, to, ROOM),
                    rows[i].packet);
    }
}

/* ---- acknowledgements ---------------------------------------------------- */

static void acknowledgements_are_as_short_as_can_be(void **state)
{
    uint8_t to[ROOM];
    (void)state;

    /* §3.4.2.1, §3.4.2.2.1 */
    check_bytes(to,
                packet_encode_ack(&terms_5, PACKET_PUBACK, 0x0102, 0x00, NULL,
                                  to, ROOM),
                "40[0102]");
    check_bytes(to,
                packet_encode_ack(&terms_5, PACKET_PUBREC, 1, 0x97, NULL, to,
                                  ROOM),
                "50[0001 97]");
    check_bytes(to,
                packet_encode_ack(&terms_5, PACKET_PUBREL, 1, 0x92, &detail,
                                  to, ROOM),
                "62[0001 92 [1f('no') 26('k')('v')]]");
    check_bytes(to,
                packet_encode_ack(&terms_5, PACKET_PUBCOMP, 1, 0x00, &detail,
                                  to, ROOM),
                "70[0001 00 [1f('no') 26('k')('v')]]");
    check_bytes(to,
                packet_encode_ack(&terms_311, PACKET_PUBACK, 1, 0x97, &detail,
                                  to, ROOM),
                "40[0001]");
}

static void suback_has_a_reason_per_filter(void **state)
{
    static const uint8_t reasons[] = {0x00, 0x01, 0x02, 0x87, 0x8f};
    uint8_t to[ROOM];
    (void)state;

    check_bytes(
        to, packet_encode_suback(&terms_5, 10, reasons, 5, &detail, to, ROOM),
        "90[000a [1f('no') 26('k')('v')] 000102878f]");
    check_bytes(to,
                packet_encode_suback(&terms_5, 10, reasons, 5, NULL, to, ROOM),
                "90[000a [] 000102878f]");
    /* 3.1.1 §3.9.3 knows one failure */
    check_bytes(to,
                packet_encode_suback(&terms_311, 10, reasons, 5, &detail, to,
                                     ROOM),
                "90[000a 0001028080]");
}

static void unsuback_has_reasons_only_in_mqtt_5(void **state)
{
    static const uint8_t reasons[] = {0x00, 0x11};
    uint8_t to[ROOM];
    (void)state;

    check_bytes(
        to, packet_encode_unsuback(&terms_5, 11, reasons, 2, NULL, to, ROOM),
        "b0[000b [] 0011]");
    check_bytes(
        to, packet_encode_unsuback(&terms_311, 11, reasons, 2, NULL, to, ROOM),
        "b0[000b]");
}

static void a_suback_fits_in_the_room_that_is_promised(void **state)
{
    static const size_t counts[] = {1, 100, 125, 20000, 3000000};
    (void)state;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const size_t cap = PACKET_SUBACK_SIZE_MAX(counts[i]);
        uint8_t *reasons = calloc(1, counts[i]);
        uint8_t *to = malloc(cap);
        assert_true(packet_encode_suback(&terms_5, 1, reasons, counts[i], NULL,
                                         to, cap) > counts[i]);
        assert_true(packet_encode_unsuback(&terms_5, 1, reasons, counts[i],
                                           NULL, to, cap) > counts[i]);
        free(to);
        free(reasons);
    }
}

static void pingresp_is_two_bytes(void **state)
{
    uint8_t to[2];
    (void)state;

    check_bytes(to, packet_encode_pingresp(to, 2), "d0[]");
    assert_int_equal(packet_encode_pingresp(to, 1), 0);
}

static void disconnect_is_mqtt_5_only_and_as_short_as_can_be(void **state)
{
    const struct slice none = {0};
    uint8_t to[ROOM];
    (void)state;

    check_bytes(to,
                packet_encode_disconnect(&terms_5, 0x00, none, NULL, to, ROOM),
                "e0[]");
    check_bytes(to,
                packet_encode_disconnect(&terms_5, 0x8e, none, NULL, to, ROOM),
                "e0[8e]");
    check_bytes(to,
                packet_encode_disconnect(&terms_5, 0x9c, slice_str("other"),
                                         &detail, to, ROOM),
                "e0[9c [1c('other') 1f('no') 26('k')('v')]]");
    assert_int_equal(
        packet_encode_disconnect(&terms_311, 0x8e, none, NULL, to, ROOM), 0);
}

static void auth_has_method_and_data(void **state)
{
    uint8_t to[ROOM];
    (void)state;

    check_bytes(to,
                packet_encode_auth(&terms_5, 0x18, slice_str("m"),
                                   slice_str("d"), &detail, to, ROOM),
                "f0[18 [15('m') 16('d') 1f('no') 26('k')('v')]]");
    assert_int_equal(packet_encode_auth(&terms_311, 0x18, slice_str("m"),
                                        slice_str("d"), NULL, to, ROOM),
                     0);
}

/* ---- what is left out ---------------------------------------------------- */

static size_t encode_one(unsigned which, const struct packet_terms *terms,
                         uint8_t *to, size_t cap)
{
    const struct packet_connack connack = {.reason = 0x87, .detail = detail};
    const uint8_t reason = 0x87;

    switch (which) {
    case 0: return packet_encode_connack(terms, &connack, to, cap);
    case 1:
        return packet_encode_ack(terms, PACKET_PUBACK, 1, 0x87, &detail, to,
                                 cap);
    case 2:
        return packet_encode_suback(terms, 1, &reason, 1, &detail, to, cap);
    case 3:
        return packet_encode_unsuback(terms, 1, &reason, 1, &detail, to, cap);
    case 4:
        return packet_encode_disconnect(terms, 0x87, (struct slice){0},
                                        &detail, to, cap);
    default:
        return packet_encode_auth(terms, 0x18, slice_str("m"),
                                  (struct slice){0}, &detail, to, cap);
    }
}

/* Each packet with its whole detail, with the user property, the reason string,
 * and with nothing. */
static const char *const forms[6][4] = {
    {"20[00 87 [1f('no') 26('k')('v')]]", "20[00 87 [26('k')('v')]]",
     "20[00 87 [1f('no')]]", "20[00 87 []]"},
    {"40[0001 87 [1f('no') 26('k')('v')]]", "40[0001 87 [26('k')('v')]]",
     "40[0001 87 [1f('no')]]", "40[0001 87]"},
    {"90[0001 [1f('no') 26('k')('v')] 87]", "90[0001 [26('k')('v')] 87]",
     "90[0001 [1f('no')] 87]", "90[0001 [] 87]"},
    {"b0[0001 [1f('no') 26('k')('v')] 87]", "b0[0001 [26('k')('v')] 87]",
     "b0[0001 [1f('no')] 87]", "b0[0001 [] 87]"},
    {"e0[87 [1f('no') 26('k')('v')]]", "e0[87 [26('k')('v')]]",
     "e0[87 [1f('no')]]", "e0[87]"},
    {"f0[18 [15('m') 1f('no') 26('k')('v')]]", "f0[18 [15('m') 26('k')('v')]]",
     "f0[18 [15('m') 1f('no')]]", "f0[18 [15('m')]]"},
};

/* MQTT-3.2.2-19, -20; 3.4.2-2, -3; 3.9.2-1, -2; 3.11.2-1, -2; 3.14.2-3, -4;
 * 3.15.2-2, -3; and MQTT-3.1.2-24: never more than the client accepts */
static void detail_is_left_out_as_far_as_the_packet_must_shrink(void **state)
{
    (void)state;

    for (unsigned which = 0; which < 6; which++) {
        size_t sizes[4];
        for (unsigned i = 0; i < 4; i++) {
            struct packet_bytes b = packet_write_down(forms[which][i]);
            sizes[i] = b.len;
            packet_bytes_release(&b);
        }
        for (size_t limit = 1; limit <= sizes[0] + 1; limit++) {
            const char *expected = "";
            for (unsigned i = 0; i < 4 && !*expected; i++)
                if (sizes[i] <= limit)
                    expected = forms[which][i];

            /* once because the client accepts no more, … */
            struct packet_terms terms = terms_5;
            uint8_t large[ROOM];
            terms.maximum_packet_size = (uint32_t)limit;
            check_bytes(large, encode_one(which, &terms, large, ROOM),
                        expected);
            /* … once because there is no more room */
            uint8_t *small = malloc(limit);
            check_bytes(small, encode_one(which, &terms_5, small, limit),
                        expected);
            free(small);
        }
    }
}

/* MQTT-3.1.2-29 */
static void without_problem_information_only_two_packets_have_detail(
    void **state)
{
    struct packet_terms terms = terms_5;
    (void)state;

    terms.problem_information = false;
    for (unsigned which = 0; which < 6; which++) {
        const bool may = which == 0 || which == 4; /* CONNACK, DISCONNECT */
        uint8_t to[ROOM];
        check_bytes(to, encode_one(which, &terms, to, ROOM),
                    forms[which][may ? 0 : 3]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connack_says_only_what_is_set),
        cmocka_unit_test(connack_can_say_everything),
        cmocka_unit_test(a_refusing_connack_has_no_session_present),
        cmocka_unit_test(reasons_become_return_codes_before_mqtt_5),
        cmocka_unit_test(acknowledgements_are_as_short_as_can_be),
        cmocka_unit_test(suback_has_a_reason_per_filter),
        cmocka_unit_test(unsuback_has_reasons_only_in_mqtt_5),
        cmocka_unit_test(a_suback_fits_in_the_room_that_is_promised),
        cmocka_unit_test(pingresp_is_two_bytes),
        cmocka_unit_test(disconnect_is_mqtt_5_only_and_as_short_as_can_be),
        cmocka_unit_test(auth_has_method_and_data),
        cmocka_unit_test(detail_is_left_out_as_far_as_the_packet_must_shrink),
        cmocka_unit_test(
            without_problem_information_only_two_packets_have_detail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
