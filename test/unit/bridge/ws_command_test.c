#include "bridge/doors/thingschat/ws_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct ws_command c;

static void read_one(const char *text)
{
    ws_command_release(&c);
    ws_command_read(&c, slice_str(text));
}

static void is_text(struct slice s, const char *text)
{
    assert_true(slice_eq(s, slice_str(text)));
}

static void follow_has_filters_a_cursor_and_a_ref(void **state)
{
    (void)state;
    read_one("{ \"ref\" : [1 , \"follow\": [ \"a/#\" , \"\\u00fc\\ud83d\\ude00"
             "\\/\\\"\" ], \"last_event_id\":12 }");
    assert_non_null(c.error); /* the ref is an array */
    read_one("{\"ref\":\"r\\u0041\",\"follow\":[ \"a/#\" ,\"\\u00fc\\ud83d"
             "\\ude00\\/b\"],\"last_event_id\":12 }");
    assert_null(c.error);
    assert_int_equal(c.kind, WS_FOLLOW);
    assert_int_equal(c.thing_count, 2);
    is_text(c.things[0], "a/#");
    is_text(c.things[1], "\u00fc\U0001f600/b");
    assert_true(c.has_cursor);
    assert_int_equal(c.cursor, 12);
    is_text(c.ref, "\"r\\u0041\"");
}

static void a_cursor_may_be_a_string_and_empty_is_none(void **state)
{
    (void)state;
    read_one("{\"follow\":[\"a\"],\"last_event_id\":\"9007199254740993\"}");
    assert_true(c.error == NULL && c.has_cursor);
    assert_true(c.cursor == UINT64_C(9007199254740993));
    read_one("{\"follow\":[\"a\"],\"last_event_id\":\"\"}");
    assert_true(c.error == NULL && !c.has_cursor);
    read_one("{\"follow\":[\"a\"],\"last_event_id\":null}");
    assert_true(c.error == NULL && !c.has_cursor);
    read_one("{\"follow\":[\"a\"],\"last_event_id\":18446744073709551615}");
    assert_non_null(c.error);
}

static void a_payload_is_taken_as_it_is_written(void **state)
{
    (void)state;
    read_one("{\"publish\":{\"payload\": {\"a]\" : [1, \"}\\\"{\"]} ,"
             "\"thing\":\"x\",\"retain\":true,\"idempotency_key\":\"k\","
             "\"ref\":7}}");
    assert_null(c.error);
    assert_int_equal(c.kind, WS_PUBLISH);
    is_text(c.payload, "{\"a]\" : [1, \"}\\\"{\"]}");
    is_text(c.thing, "x");
    is_text(c.idempotency, "k");
    is_text(c.ref, "7");
    assert_true(c.retain);
}

static void an_error_is_told_with_the_ref(void **state)
{
    (void)state;
    read_one("{\"publish\":{\"thing\":\"a/+\",\"payload\":1,\"ref\":\"x\"}}");
    assert_non_null(c.error);
    is_text(c.ref, "\"x\"");
}

static void a_ref_is_a_string_or_a_number(void **state)
{
    static const char *const right[] = {"\"\"", "0", "-1", "1e400", "-0.5e-7"};
    static const char *const wrong[] = {"true", "false", "null", "{}", "[]"};
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        snprintf(text, sizeof(text), "{\"follow\":[\"a\"],\"ref\": %s }",
                 right[i]);
        read_one(text);
        assert_null(c.error);
        is_text(c.ref, right[i]);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(text, sizeof(text), "{\"follow\":[\"a\"],\"ref\": %s }",
                 wrong[i]);
        read_one(text);
        assert_non_null(c.error);
        assert_int_equal(c.ref.len, 0);
        snprintf(text, sizeof(text),
                 "{\"publish\":{\"thing\":\"a\",\"payload\":1,\"ref\":%s}}",
                 wrong[i]);
        read_one(text);
        assert_non_null(c.error);
    }
}

static void names_that_cannot_be_are_refused(void **state)
{
    static const char *const wrong[] = {
        "\"\"",         "\"a/#/b\"",   "\"$x\"",
        "\"a\\u0000\"", "\"\\ud800\"", "\"\\udc00\\ud800\"",
        "\"a\\n\"",     "1",           "null",
        "\"a+\"",
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(text, sizeof(text), "{\"follow\":[%s]}", wrong[i]);
        read_one(text);
        assert_non_null(c.error);
    }
}

static void an_array_holds_several_commands(void **state)
{
    struct slice command;
    size_t at = 0;

    (void)state;
    const struct slice list = slice_str(" [ {\"a\":[1]} , 2,[3] ]\n");
    assert_true(ws_next_command(list, &at, &command));
    is_text(command, "{\"a\":[1]}");
    assert_true(ws_next_command(list, &at, &command));
    is_text(command, "2");
    assert_true(ws_next_command(list, &at, &command));
    is_text(command, "[3]");
    assert_false(ws_next_command(list, &at, &command));
    at = 0;
    assert_false(ws_next_command(slice_str("[]"), &at, &command));
    assert_true(ws_next_command(slice_str(" {} "), &at, &command));
    is_text(command, "{}");
    assert_false(ws_next_command(slice_str(" {} "), &at, &command));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follow_has_filters_a_cursor_and_a_ref),
        cmocka_unit_test(a_cursor_may_be_a_string_and_empty_is_none),
        cmocka_unit_test(a_payload_is_taken_as_it_is_written),
        cmocka_unit_test(an_error_is_told_with_the_ref),
        cmocka_unit_test(a_ref_is_a_string_or_a_number),
        cmocka_unit_test(names_that_cannot_be_are_refused),
        cmocka_unit_test(an_array_holds_several_commands),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    ws_command_release(&c);
    return failed;
}
