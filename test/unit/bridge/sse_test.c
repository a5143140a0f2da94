#include "bridge/stream/format/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define AT INT64_C(1795242737123456) /* 2026-11-21T06:32:17.123456Z */

static void check(struct buffer *b, const char *expected)
{
    assert_true(buffer_ok(b));
    assert_int_equal(b->len, strlen(expected));
    assert_memory_equal(b->data, expected, b->len);
    buffer_release(b);
}

static void put(struct buffer *b, const char *thing, struct slice payload,
                enum payload_class cls)
{
    sse_put_message(b, slice_str("tok"), slice_str(thing), payload, cls, 7,
                    AT);
}

static void a_message_is_one_event_with_its_id(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    put(&b, "kitchen/temp", slice_str("{\"t\": 21.50}"), PAYLOAD_JSON);
    check(&b, "id: 7\nevent: message\n"
              "data: {\"thing\":\"kitchen/temp\",\"token\":\"tok\","
              "\"chat\":{\"t\": 21.50},"
              "\"createdAt\":\"2026-11-21T06:32:17.123Z\",\"id\":7}\n\n");
}

static void json_over_several_lines_gets_a_data_line_each(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    put(&b, "x", slice_str("{\n \"a\": 1,\r\n \"b\": 2\r}"), PAYLOAD_JSON);
    check(&b, "id: 7\nevent: message\n"
              "data: {\"thing\":\"x\",\"token\":\"tok\",\"chat\":{\n"
              "data:  \"a\": 1,\n"
              "data:  \"b\": 2\n"
              "data: },\"createdAt\":\"2026-11-21T06:32:17.123Z\",\"id\":7}\n"
              "\n");
}

static void text_and_names_cannot_end_a_line(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    put(&b, "a\nb\rc\xe2\x80\xa8", slice_str("one\r\n\r\nid: 9\n"),
        PAYLOAD_TEXT);
    check(&b, "id: 7\nevent: message\n"
              "data: {\"thing\":\"a\\nb\\rc\\u2028\",\"token\":\"tok\","
              "\"chat\":\"one\\r\\n\\r\\nid: 9\\n\","
              "\"createdAt\":\"2026-11-21T06:32:17.123Z\",\"id\":7}\n\n");
}

static void data_is_split_on_cr_lf_and_crlf(void **state)
{
    static const struct {
        const char *data, *lines;
    } cases[] = {
        {"", "data: \n"},
        {"a", "data: a\n"},
        {"a\n", "data: a\ndata: \n"},
        {"\r", "data: \ndata: \n"},
        {"a\r\nb", "data: a\ndata: b\n"},
        {"a\rb\nc", "data: a\ndata: b\ndata: c\n"},
        {"a\n\rb", "data: a\ndata: \ndata: b\n"},
        {"a\r\r\nb", "data: a\ndata: \ndata: b\n"},
        {"a\r\n", "data: a\ndata: \n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer b = BUFFER_INIT;
        sse_put_data(&b, slice_str(cases[i].data));
        check(&b, cases[i].lines);
    }
}

static void the_start_says_retry_as_the_plan_does(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    sse_put_start(&b, 60000, 60000);
    check(&b, "retry: 60000\nevent: status\n"
              "data: {\"type\":\"connected\",\"retry\":60000}\n\n");
    sse_put_start(&b, 2871, 0);
    check(&b, "retry: 2871\nevent: status\n"
              "data: {\"type\":\"connected\"}\n\n");
    sse_put_start(&b, 0, 0);
    check(&b, "event: status\ndata: {\"type\":\"connected\"}\n\n");
}

static void a_gap_names_what_is_gone(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    sse_put_gap(&b, 5, 18446744073709551615U, 0);
    check(&b, "event: gap\n"
              "data: {\"from\":5,\"to\":18446744073709551615}\n\n");
    sse_put_gap(&b, 900, 12, 12);
    check(&b, "id: 12\nevent: gap\ndata: {\"from\":900,\"to\":12}\n\n");
}

static void expired_says_why(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    sse_put_expired(&b);
    check(&b, "event: session\n"
              "data: {\"type\":\"expired\",\"reason\":\"idle\"}\n\n");
}

static void a_full_buffer_is_told_not_cut(void **state)
{
    struct buffer b = {.limit = 100};

    (void)state;
    put(&b, "x", slice_str("{\n}"), PAYLOAD_JSON);
    assert_false(buffer_ok(&b));
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_one_event_with_its_id),
        cmocka_unit_test(json_over_several_lines_gets_a_data_line_each),
        cmocka_unit_test(text_and_names_cannot_end_a_line),
        cmocka_unit_test(data_is_split_on_cr_lf_and_crlf),
        cmocka_unit_test(the_start_says_retry_as_the_plan_does),
        cmocka_unit_test(a_gap_names_what_is_gone),
        cmocka_unit_test(expired_says_why),
        cmocka_unit_test(a_full_buffer_is_told_not_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
