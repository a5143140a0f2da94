/* What JSON.stringify(value, null, 2) writes for the same value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json_indent.h"

static void assert_indented(const char *json, const char *expected)
{
    struct buffer out = BUFFER_INIT;

    json_indent(&out, slice_str(json));
    buffer_put_char(&out, '\0');
    assert_true(buffer_ok(&out));
    assert_string_equal(out.data, expected);
    buffer_release(&out);
}

static void test_values(void **state)
{
    (void)state;
    assert_indented("5", "5");
    assert_indented("\"a\"", "\"a\"");
    assert_indented("{\"a\":1,\"b\":[true,null]}",
                    "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    null\n  ]\n}");
}

static void test_empty(void **state)
{
    (void)state;
    assert_indented("{}", "{}");
    assert_indented("[ ]", "[]");
    assert_indented("{\"a\":[],\"b\":{}}", "{\n  \"a\": [],\n  \"b\": {}\n}");
}

static void test_what_is_in_strings_stays(void **state)
{
    (void)state;
    assert_indented("{\"a\\\"{\":\"x, y: [z]  \\\\\"}",
                    "{\n  \"a\\\"{\": \"x, y: [z]  \\\\\"\n}");
}

static void test_old_space_goes(void **state)
{
    (void)state;
    assert_indented("{ \"a\" :\n\t1 , \"b\": { } }",
                    "{\n  \"a\": 1,\n  \"b\": {}\n}");
}

static void test_text_that_is_cut_off_is_not_read_beyond(void **state)
{
    (void)state;
    assert_indented("{\"a", "{\n  \"a");
    assert_indented("[\"\\", "[\n  \"\\");
    assert_indented("]", "\n]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_what_is_in_strings_stays),
        cmocka_unit_test(test_old_space_goes),
        cmocka_unit_test(test_text_that_is_cut_off_is_not_read_beyond),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
