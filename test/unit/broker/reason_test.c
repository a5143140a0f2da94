#include "broker/wire/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "broker/client/close_reason.h"
#include "broker/wire/packet.h"

/* libmosquitto's table is the other copy of table 2-6. */
static void the_codes_are_those_libmosquitto_has_a_text_for(void **state)
{
    const char *unknown = mosquitto_reason_string(0x7f);
    (void)state;

    for (int code = 0; code < 256; code++) {
        const bool known = strcmp(reason_name((uint8_t)code), "UNKNOWN") != 0;
        const bool theirs =
            strcmp(mosquitto_reason_string(code), unknown) != 0;
        if (known != theirs)
            fail_msg("reason code 0x%02x", (unsigned)code);
    }
}

static void names_stand_for_the_values_of_the_standard(void **state)
{
    (void)state;
    assert_int_equal(REASON_NO_MATCHING_SUBSCRIBERS,
                     MQTT_RC_NO_MATCHING_SUBSCRIBERS);
    assert_int_equal(REASON_MALFORMED_PACKET, MQTT_RC_MALFORMED_PACKET);
    assert_int_equal(REASON_NOT_AUTHORIZED, MQTT_RC_NOT_AUTHORIZED);
    assert_int_equal(REASON_SESSION_TAKEN_OVER, MQTT_RC_SESSION_TAKEN_OVER);
    assert_int_equal(REASON_PACKET_TOO_LARGE, MQTT_RC_PACKET_TOO_LARGE);
    assert_int_equal(REASON_QUOTA_EXCEEDED, MQTT_RC_QUOTA_EXCEEDED);
    assert_int_equal(REASON_WILDCARDS_NOT_SUPPORTED,
                     MQTT_RC_WILDCARD_SUBS_NOT_SUPPORTED);
    assert_string_equal(reason_name(0x95), "PACKET_TOO_LARGE");
    assert_string_equal(reason_text(0x95), "packet too large");
    assert_string_equal(reason_text(0x7f), "unknown reason code");
}

static void a_code_is_allowed_where_its_table_lists_it(void **state)
{
    /* Tables 3-4 to 3-9 of MQTT 5, whole. */
    static const struct {
        uint8_t packet;
        uint8_t codes[16];
        size_t count;
    } rows[] = {
        {PACKET_PUBACK,
         {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
         9},
        {PACKET_PUBREC,
         {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
         9},
        {PACKET_PUBREL, {0x00, 0x92}, 2},
        {PACKET_PUBCOMP, {0x00, 0x92}, 2},
        {PACKET_SUBACK,
         {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1,
          0xa2},
         12},
        {PACKET_UNSUBACK, {0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91}, 7},
        {PACKET_AUTH, {0x00, 0x18, 0x19}, 3},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int code = 0; code < 256; code++) {
            const bool listed =
                memchr(rows[i].codes, code, rows[i].count) != NULL;
            if (reason_allowed((uint8_t)code, rows[i].packet) != listed)
                fail_msg("reason code 0x%02x in packet type %u",
                         (unsigned)code, rows[i].packet);
        }
}

/* 0: nothing is sent. What is sent says in words what to do. */
static void connections_end_with_codes_a_disconnect_may_carry(void **state)
{
    static const struct {
        const char *name;
        uint8_t code;
        const char *text;
    } rows[] = {
#define X(name, metric, code, will, text) {#name, code, text},
        CLOSE_REASONS(X)
#undef X
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if ((rows[i].code != 0 &&
             !reason_allowed(rows[i].code, PACKET_DISCONNECT)) ||
            strlen(rows[i].text) < 10)
            fail_msg("%s", rows[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_codes_are_those_libmosquitto_has_a_text_for),
        cmocka_unit_test(names_stand_for_the_values_of_the_standard),
        cmocka_unit_test(a_code_is_allowed_where_its_table_lists_it),
        cmocka_unit_test(connections_end_with_codes_a_disconnect_may_carry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
