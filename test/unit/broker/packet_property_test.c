#include "test/unit/broker/packet_notation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "broker/wire/reason.h"

/* A correct value for every identifier of MQTT 5 §2.2.2.2; NULL: unknown. */
static const char *value_of(int id)
{
    switch (id) {
    case 0x01:
    case 0x17:
    case 0x19:
    case 0x24:
    case 0x25:
    case 0x28:
    case 0x29:
    case 0x2a: return "01";
    case 0x0b: return "ff7f";
    case 0x13:
    case 0x21:
    case 0x22:
    case 0x23: return "0001";
    case 0x02:
    case 0x11:
    case 0x18:
    case 0x27: return "00000001";
    case 0x03:
    case 0x08:
    case 0x09:
    case 0x12:
    case 0x15:
    case 0x16:
    case 0x1a:
    case 0x1c:
    case 0x1f: return "('v')";
    case 0x26: return "('k')('v')";
    default: return NULL;
    }
}

/* Every packet of a client that has properties, with a place for them. A
 * companion is one that must be there as well. */
static const struct property_place {
    int command; /* as libmosquitto counts */
    const char *before, *after;
} places[] = {
    {CMD_CONNECT, "10[('MQTT') 05 02 003c [", "] ('c')]"},
    {CMD_WILL, "10[('MQTT') 05 06 003c [] ('c') [", "] ('w') ('x')]"},
    {CMD_PUBLISH, "32[('t') 0001 [", "] 'x']"},
    {CMD_PUBACK, "40[0001 00 [", "]]"},
    {CMD_PUBREC, "50[0001 00 [", "]]"},
    {CMD_PUBREL, "62[0001 00 [", "]]"},
    {CMD_PUBCOMP, "70[0001 00 [", "]]"},
    {CMD_SUBSCRIBE, "82[0001 [", "] ('a') 00]"},
    {CMD_UNSUBSCRIBE, "a2[0001 [", "] ('a')]"},
    {CMD_DISCONNECT, "e0[00 [", "]]"},
    {CMD_AUTH, "f0[18 [", "]]"},
};

static bool accepted(const struct property_place *at, const char *properties,
                     struct packet_error *ret_error)
{
    char text[512];
    snprintf(text, sizeof(text), "%s%s%s", at->before, properties, at->after);
    struct packet_bytes b = packet_write_down(text);
    const struct packet_frame f = packet_only_frame(&b);
    const bool ok = packet_decode_any(&f, &terms_5, ret_error);

    packet_bytes_release(&b);
    return ok;
}

/* What a property cannot do without. */
static const char *companion(int command, int id)
{
    if (command == CMD_AUTH)
        return id == 0x15 ? "" : "15('m')";
    return command == CMD_CONNECT && id == 0x16 ? "15('m')" : "";
}

static void each_property_is_accepted_where_libmosquitto_allows_it(
    void **state)
{
    const size_t n = sizeof(places) / sizeof(places[0]);
    (void)state;

    for (size_t i = 0; i < n; i++) {
        for (int id = 0; id < 128; id++) {
            const char *value = value_of(id);
            struct packet_error e;
            char properties[64];
            bool expected =
                mosquitto_property_check_command(places[i].command, id) ==
                MOSQ_ERR_SUCCESS;

            /* MQTT-3.3.4-6: only a server's PUBLISH has it */
            if (places[i].command == CMD_PUBLISH && id == 0x0b)
                expected = false;
            /* libmosquitto does not look for it; §3.1.3.2 does not have it */
            if (places[i].command == CMD_WILL && id == 0x1f)
                expected = false;
            snprintf(properties, sizeof(properties), "%02x %s %s",
                     (unsigned)id, value ? value : "00",
                     companion(places[i].command, id));
            if (accepted(&places[i], properties, &e) != expected)
                fail_msg("property 0x%02x in %s…%s should%s be accepted",
                         (unsigned)id, places[i].before, places[i].after,
                         expected ? "" : " not");
        }
    }
}

static void each_property_but_the_user_property_may_come_only_once(
    void **state)
{
    const size_t n = sizeof(places) / sizeof(places[0]);
    unsigned tried = 0;
    (void)state;

    for (size_t i = 0; i < n; i++) {
        for (int id = 0; id < 128; id++) {
            const char *value = value_of(id);
            struct packet_error e;
            char once[64], twice[128];

            if (!value)
                continue;
            snprintf(once, sizeof(once), "%02x %s %s", (unsigned)id, value,
                     companion(places[i].command, id));
            if (!accepted(&places[i], once, &e))
                continue;
            snprintf(twice, sizeof(twice), "%s %02x %s", once, (unsigned)id,
                     value);
            tried++;
            assert_int_equal(accepted(&places[i], twice, &e),
                             id == MQTT_PROP_USER_PROPERTY);
            if (id != MQTT_PROP_USER_PROPERTY) {
                assert_int_equal(e.reason, REASON_PROTOCOL_ERROR);
                assert_non_null(strstr(e.text, "twice"));
            }
        }
    }
    assert_true(tried > 40);
}

static void a_property_cut_off_by_its_block_is_malformed(void **state)
{
    (void)state;

    for (int id = 0; id < 128; id++) {
        /* Each where it is at home, one byte short of its block's end. */
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            const char *value = value_of(id);
            struct packet_error e;
            char whole[64];

            if (!value)
                continue;
            snprintf(whole, sizeof(whole), "%s %02x %s",
                     companion(places[i].command, id), (unsigned)id, value);
            if (!accepted(&places[i], whole, &e))
                continue;
            struct packet_bytes b = packet_write_down(whole);
            char hex[128] = "";
            for (size_t j = 0; j + 1 < b.len; j++)
                snprintf(hex + 2 * j, sizeof(hex) - 2 * j, "%02x", b.data[j]);
            assert_false(accepted(&places[i], hex, &e));
            assert_int_equal(e.reason, REASON_MALFORMED_PACKET);
            packet_bytes_release(&b);
        }
    }
}

static void a_long_block_has_a_length_of_its_own_size(void **state)
{
    /* Around the places where the length grows by a byte. */
    static const size_t sizes[] = {127, 128, 16383, 16384};
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const size_t value_len = sizes[i] - 1 - 2 - 1 - 2;
        const size_t room = sizes[i] + 100;
        char *value = test_calloc(1, value_len + 1);
        char *text = test_malloc(room);
        memset(value, 'v', value_len);
        snprintf(text, room, "30[('t') [26('k')('%s')] 'x']", value);
        struct packet_bytes b = packet_write_down(text);
        const struct packet_frame f = packet_only_frame(&b);
        struct packet_publish p;
        struct packet_error e;
        assert_true(packet_decode_publish(&f, &terms_5, &p, &e));
        assert_int_equal(p.user.size, sizes[i]);
        packet_check_text(p.payload, "x");
        packet_bytes_release(&b);
        test_free(text);
        test_free(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            each_property_is_accepted_where_libmosquitto_allows_it),
        cmocka_unit_test(
            each_property_but_the_user_property_may_come_only_once),
        cmocka_unit_test(a_property_cut_off_by_its_block_is_malformed),
        cmocka_unit_test(a_long_block_has_a_length_of_its_own_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
