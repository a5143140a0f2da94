#include "store/message_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(struct slice payload, enum payload_class cls,
                  enum payload_style style, const char *expected)
{
    struct buffer b = BUFFER_INIT;

    payload_put_json(&b, payload, cls, style);
    assert_true(buffer_ok(&b));
    assert_int_equal(b.len, strlen(expected));
    assert_memory_equal(b.data, expected, b.len);
    buffer_release(&b);
}

static void json_passes_byte_for_byte(void **state)
{
    static const char json[] =
        " {\"b\":1e400,\r\n\"a\":\"\\u0000 \xc3\xa9\"}\t";

    (void)state;
    check(slice_str(json), PAYLOAD_JSON, PAYLOAD_AS_SENT, json);
}

static void json_on_one_line_has_spaces_for_line_ends(void **state)
{
    (void)state;
    check(slice_str("{\r\n \"a\":\n[1,\r2]}\n"), PAYLOAD_JSON,
          PAYLOAD_ONE_LINE, "{   \"a\": [1, 2]} ");
}

static void only_the_payload_loses_its_line_ends(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    buffer_put_str(&b, "before\n");
    payload_put_json(&b, slice_str("[\n]"), PAYLOAD_JSON, PAYLOAD_ONE_LINE);
    buffer_put_char(&b, 0);
    assert_string_equal(b.data, "before\n[ ]");
    buffer_release(&b);
}

static void text_becomes_a_json_string(void **state)
{
    (void)state;
    check(slice_str("a \"b\"\\\n\t\x01\xe2\x82\xac"), PAYLOAD_TEXT,
          PAYLOAD_AS_SENT, "\"a \\\"b\\\"\\\\\\n\\t\\u0001\xe2\x82\xac\"");
    check(slice_str("two\nlines"), PAYLOAD_TEXT, PAYLOAD_ONE_LINE,
          "\"two\\nlines\"");
}

static void binary_becomes_base64(void **state)
{
    (void)state;
    check(slice_of("\x00\xff\xfe", 3), PAYLOAD_BINARY, PAYLOAD_AS_SENT,
          "{\"$binary\":\"AP/+\"}");
    check(slice_of("\x00", 1), PAYLOAD_BINARY, PAYLOAD_ONE_LINE,
          "{\"$binary\":\"AA==\"}");
}

static void an_empty_payload_is_the_empty_string(void **state)
{
    (void)state;
    for (int cls = PAYLOAD_BINARY; cls <= PAYLOAD_JSON; cls++)
        check(slice_of(NULL, 0), (enum payload_class)cls, PAYLOAD_AS_SENT,
              "\"\"");
}

static void a_message_has_its_members_in_the_documented_order(void **state)
{
    const struct message m = {
        .id = 7,
        .seq = 3,
        .at_us = INT64_C(1700000000123456),
        .topic = slice_str("tok/a\"b"),
        .payload = slice_str("{\"v\":\n1}"),
        .payload_class = PAYLOAD_JSON,
    };
    const struct slice thing = slice_str("a\"b");
    struct buffer b = BUFFER_INIT;
    struct json_writer w = json_writer_of(&b);

    (void)state;
    json_array(&w);
    message_put_latest(&w, &m, slice_str("tok"), thing);
    message_put_history(&w, &m, thing, PAYLOAD_ONE_LINE);
    message_put_topic(&w, &m, PAYLOAD_ONE_LINE);
    json_array_end(&w);
    buffer_put_char(&b, '\0');
    assert_string_equal(
        b.data,
        "[{\"thing\":\"a\\\"b\",\"token\":\"tok\",\"chat\":{\"v\":\n1},"
        "\"createdAt\":\"2023-11-14T22:13:20.123Z\",\"id\":7},"
        "{\"id\":7,\"thing\":\"a\\\"b\",\"chat\":{\"v\": 1},"
        "\"createdAt\":\"2023-11-14T22:13:20.123Z\"},"
        "{\"id\":7,\"topic\":\"tok/a\\\"b\",\"seq\":3,"
        "\"createdAt\":\"2023-11-14T22:13:20.123Z\",\"chat\":{\"v\": 1}}]");
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_passes_byte_for_byte),
        cmocka_unit_test(json_on_one_line_has_spaces_for_line_ends),
        cmocka_unit_test(only_the_payload_loses_its_line_ends),
        cmocka_unit_test(text_becomes_a_json_string),
        cmocka_unit_test(binary_becomes_base64),
        cmocka_unit_test(an_empty_payload_is_the_empty_string),
        cmocka_unit_test(a_message_has_its_members_in_the_documented_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
