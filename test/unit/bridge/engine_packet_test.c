#include "bridge/socketio/engine_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct engine_packet packet;
static struct buffer room;

static void is_text(struct slice s, const char *text)
{
    assert_true(slice_eq(s, slice_str(text)));
}

/* ---- one packet ----------------------------------------------------------- */

static void the_digit_is_the_type(void **state)
{
    static const char *const texts[ENGINE_PACKET_TYPES] = {
        [ENGINE_OPEN] = "0{\"sid\":\"lv_VI97HAXpY6yYWAAAC\"}",
        [ENGINE_CLOSE] = "1",
        [ENGINE_PING] = "2probe",
        [ENGINE_PONG] = "3probe",
        [ENGINE_MESSAGE] = "4hello",
        [ENGINE_UPGRADE] = "5",
        [ENGINE_NOOP] = "6",
    };

    (void)state;
    for (int i = 0; i < ENGINE_PACKET_TYPES; i++) {
        assert_true(engine_packet_read(slice_str(texts[i]), &packet));
        assert_int_equal(packet.type, i);
        assert_false(packet.is_binary);
        is_text(packet.data, texts[i] + 1);
    }
}

static void data_is_inside_the_text(void **state)
{
    static const char text[] = "4h\xc3\xa9";

    (void)state;
    assert_true(engine_packet_read(slice_str(text), &packet));
    assert_ptr_equal(packet.data.data, text + 1);
    assert_int_equal(packet.data.len, 3);
}

static void all_other_first_bytes_are_refused(void **state)
{
    (void)state;
    assert_false(engine_packet_read(slice_str(""), &packet));
    for (int c = 0; c < 256; c++) {
        const char text[] = {(char)c, 'x'};
        assert_int_equal(engine_packet_read(slice_of(text, 2), &packet),
                         c >= '0' && c <= '6');
    }
}

/* ---- payloads ------------------------------------------------------------- */

static size_t at;

static void next_is(struct slice payload, enum engine_packet_type type,
                    bool is_binary, const char *data)
{
    assert_int_equal(engine_payload_next(payload, &at, &room, &packet),
                     ENGINE_PAYLOAD_PACKET);
    assert_int_equal(packet.type, type);
    assert_int_equal(packet.is_binary, is_binary);
    is_text(packet.data, data);
}

static void ends(struct slice payload, enum engine_payload_result how)
{
    assert_int_equal(engine_payload_next(payload, &at, &room, &packet), how);
}

static void a_payload_has_packets_between_separators(void **state)
{
    const struct slice payload = slice_str("4hello\x1e"
                                           "2\x1e"
                                           "4world");

    (void)state;
    at = 0;
    next_is(payload, ENGINE_MESSAGE, false, "hello");
    next_is(payload, ENGINE_PING, false, "");
    next_is(payload, ENGINE_MESSAGE, false, "world");
    ends(payload, ENGINE_PAYLOAD_END);
    ends(payload, ENGINE_PAYLOAD_END);
}

static void binary_packets_are_base64(void **state)
{
    const struct slice payload = slice_str("4hello\x1e"
                                           "bAQIDBA==\x1e"
                                           "b\x1e"
                                           "bAQID");

    (void)state;
    at = 0;
    next_is(payload, ENGINE_MESSAGE, false, "hello");
    next_is(payload, ENGINE_MESSAGE, true, "\1\2\3\4");
    next_is(payload, ENGINE_MESSAGE, true, "");
    assert_non_null(packet.data.data);
    next_is(payload, ENGINE_MESSAGE, true, "\1\2\3");
    ends(payload, ENGINE_PAYLOAD_END);
}

static void broken_payloads_are_refused_where_they_break(void **state)
{
    static const char *const broken[] = {
        "",
        "abc",
        "\0364a",
        "7",
        "4\xff",
        "4\xc3",
        "4\xed\xa0\x80" /* a surrogate */,
        "bAQIDBA=",
        "bAQIDBA",
        "bAQID=",
        "bAQ==AQ==",
        "bAQ-_",
        "bAR==" /* bits that mean nothing */,
        "bAQID BA==",
        "b\xc1QID",
        "b4hello!",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        at = 0;
        ends(slice_str(broken[i]), ENGINE_PAYLOAD_BROKEN);
    }
}

static void packets_before_a_break_are_given(void **state)
{
    const struct slice trailing = slice_str("4a\x1e");
    const struct slice twice = slice_str("4a\x1e\x1e"
                                         "4b");

    (void)state;
    at = 0;
    next_is(trailing, ENGINE_MESSAGE, false, "a");
    ends(trailing, ENGINE_PAYLOAD_BROKEN);
    ends(trailing, ENGINE_PAYLOAD_END);
    at = 0;
    next_is(twice, ENGINE_MESSAGE, false, "a");
    ends(twice, ENGINE_PAYLOAD_BROKEN);
}

static void what_is_put_is_what_is_read(void **state)
{
    struct buffer out = BUFFER_INIT;

    (void)state;
    engine_packet_put(&out, ENGINE_PONG, slice_str("probe"));
    is_text(buffer_slice(&out), "3probe");
    buffer_clear(&out);
    buffer_put_str(&out, "head "); /* what stands before a payload */
    engine_payload_put(&out, 5, slice_str("4hello"), false);
    engine_payload_put(&out, 5, slice_str("\1\2\3\4"), true);
    engine_payload_put(&out, 5, slice_str(""), true);
    engine_payload_put(&out, 5, slice_str("6"), false);
    is_text(buffer_slice(&out), "head 4hello\x1e"
                                "bAQIDBA==\x1e"
                                "b\x1e"
                                "6");
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digit_is_the_type),
        cmocka_unit_test(data_is_inside_the_text),
        cmocka_unit_test(all_other_first_bytes_are_refused),
        cmocka_unit_test(a_payload_has_packets_between_separators),
        cmocka_unit_test(binary_packets_are_base64),
        cmocka_unit_test(broken_payloads_are_refused_where_they_break),
        cmocka_unit_test(packets_before_a_break_are_given),
        cmocka_unit_test(what_is_put_is_what_is_read),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    buffer_release(&room);
    return failed;
}
