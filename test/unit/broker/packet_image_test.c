#include "broker/wire/packet_encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/broker/packet_notation.h"

/* Written into exactly as much memory as was asked for. */
static struct packet_bytes written(const struct publish_image *image,
                                   size_t *ret_packet_id_at)
{
    const size_t size = publish_image_size(image);
    struct packet_bytes b = {malloc(size), size};

    assert_true(size > 0);
    assert_int_equal(publish_image_write(image, b.data, ret_packet_id_at),
                     size);
    return b;
}

static void check_image(const struct publish_image *image, const char *text)
{
    struct packet_bytes expected = packet_write_down(text);
    struct packet_bytes b = written(image, NULL);

    assert_int_equal(b.len, expected.len);
    assert_memory_equal(b.data, expected.data, b.len);
    packet_bytes_release(&b);
    packet_bytes_release(&expected);
}

static void before_mqtt_5_an_image_has_no_properties(void **state)
{
    const struct packet_pair stamp = {slice_str("confab-id"), slice_str("1")};
    const struct publish_image image = {
        .version = PACKET_V311,
        .qos = 1,
        .retain = true,
        .packet_id = 0x1234,
        .topic = slice_str("a/b"),
        .payload = slice_str("hi"),
        .properties = {.has_expiry = true, .expiry_s = 5},
        .topic_alias = 3,
        .extra = &stamp,
        .extra_count = 1,
    };
    (void)state;

    check_image(&image, "33[('a/b') 1234 'hi']");
}

static void qos_0_has_no_packet_identifier(void **state)
{
    struct publish_image image = {
        .version = PACKET_V5,
        .packet_id = 7,
        .topic = slice_str("t"),
    };
    struct packet_bytes b;
    size_t at = 99;
    (void)state;

    check_image(&image, "30[('t') []]"); /* MQTT-2.2.1-2, MQTT-2.2.2-1 */
    b = written(&image, &at);
    assert_int_equal(at, 0);
    packet_bytes_release(&b);
    image.version = PACKET_V31;
    check_image(&image, "30[('t')]");
}

static void every_property_is_written(void **state)
{
    const uint32_t ids[] = {1, 268435455};
    const struct packet_pair extra[] = {
        {slice_str("confab-id"), slice_str("7")},
        {slice_str("confab-seq"), slice_str("3")},
    };
    struct packet_bytes user = packet_write_down("26('b')('1') 26('a')('2')");
    const struct publish_image image = {
        .version = PACKET_V5,
        .qos = 2,
        .dup = true,
        .packet_id = 1,
        .topic = slice_str("t"),
        .payload = slice_str("x"),
        .properties = {.has_payload_format = true,
                       .payload_format = 1,
                       .has_expiry = true,
                       .expiry_s = 60,
                       .content_type = slice_str("text/plain"),
                       .response_topic = slice_str("r"),
                       .correlation = slice_of("\x00\xff", 2)},
        .topic_alias = 9,
        .subscription_ids = ids,
        .subscription_id_count = 2,
        .user = slice_of(user.data, user.len),
        .extra = extra,
        .extra_count = 2,
    };
    (void)state;

    check_image(&image,
                "3c[('t') 0001"
                "   [01 01 02 0000003c 23 0009 08('r') 09(00ff)"
                "    03('text/plain') 0b 01 0b ffffff7f 26('b')('1')"
                "    26('a')('2') 26('confab-id')('7') 26('confab-seq')('3')]"
                "   'x']");
    packet_bytes_release(&user);
}

static void an_empty_property_is_sent_and_an_absent_one_is_not(void **state)
{
    const struct publish_image image = {
        .version = PACKET_V5,
        .topic = slice_str("t"),
        .properties = {.content_type = slice_of("", 0),
                       .correlation = slice_of(NULL, 0)},
    };
    (void)state;

    check_image(&image, "30[('t') [03()]]");
}

static void an_alias_may_replace_the_topic(void **state)
{
    const struct publish_image image = {
        .version = PACKET_V5,
        .topic_alias = 2,
        .payload = slice_str("x"),
    };
    (void)state;

    check_image(&image, "30[() [23 0002] 'x']");
}

static void the_packet_identifier_can_be_patched(void **state)
{
    /* Its place moves with the size of the remaining length. */
    static const size_t payloads[] = {0, 200, 20000, 3000000};
    (void)state;

    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        char *payload = calloc(1, payloads[i] + 1);
        const struct publish_image image = {
            .version = PACKET_V5,
            .qos = 1,
            .packet_id = 0x0102,
            .topic = slice_str("topic"),
            .payload = slice_of(payload, payloads[i]),
        };
        size_t at;
        struct packet_bytes b = written(&image, &at);
        struct packet_publish p;
        struct packet_error e;

        assert_int_equal(b.data[at], 1);
        assert_int_equal(b.data[at + 1], 2);
        b.data[at] = 0xab;
        b.data[at + 1] = 0xcd;
        const struct packet_frame f = packet_only_frame(&b);
        assert_true(packet_decode_publish(&f, &terms_5, &p, &e));
        assert_int_equal(p.packet_id, 0xabcd);
        packet_check_text(p.topic, "topic");
        assert_int_equal(p.payload.len, payloads[i]);
        packet_bytes_release(&b);
        free(payload);
    }
}

static void what_was_published_is_forwarded_unaltered(void **state)
{
    /* MQTT-3.3.2-4, -15, -16, -17, -18, -20. User properties stand last in the
     * image; in the standard only their own order counts. */
    struct packet_bytes in = packet_write_down(
        "33[('t') 0001 [26('b')('1') 09() 26('a')('2') 08('r') 01 00 03('c')]"
        "   'x']");
    const struct packet_frame f = packet_only_frame(&in);
    struct packet_user_property u;
    struct packet_publish p;
    struct packet_error e;
    uint8_t user[64];
    size_t user_len = 0;
    (void)state;

    assert_true(packet_decode_publish(&f, &terms_5, &p, &e));
    struct packet_user_cursor it = packet_user_props(p.user.span);
    while (packet_user_props_next(&it, &u)) {
        memcpy(user + user_len, u.encoded.data, u.encoded.len);
        user_len += u.encoded.len;
    }
    assert_int_equal(user_len, p.user.size);
    const struct publish_image image = {
        .version = PACKET_V5,
        .topic = p.topic,
        .payload = p.payload,
        .properties = p.properties,
        .user = slice_of(user, user_len),
    };
    check_image(&image, "30[('t') [01 00 08('r') 09() 03('c')"
                        "          26('b')('1') 26('a')('2')] 'x']");
    packet_bytes_release(&in);
}

static void an_image_mqtt_cannot_express_has_no_size(void **state)
{
    /* Nothing is read from the payload by the size. */
    struct publish_image image = {
        .version = PACKET_V311,
        .topic = slice_str("t"),
        .payload = slice_of("", 268435455 - 3),
    };
    (void)state;

    assert_int_equal(publish_image_size(&image), PACKET_SIZE_MAX);
    image.payload.len++;
    assert_int_equal(publish_image_size(&image), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_mqtt_5_an_image_has_no_properties),
        cmocka_unit_test(qos_0_has_no_packet_identifier),
        cmocka_unit_test(every_property_is_written),
        cmocka_unit_test(an_empty_property_is_sent_and_an_absent_one_is_not),
        cmocka_unit_test(an_alias_may_replace_the_topic),
        cmocka_unit_test(the_packet_identifier_can_be_patched),
        cmocka_unit_test(what_was_published_is_forwarded_unaltered),
        cmocka_unit_test(an_image_mqtt_cannot_express_has_no_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
