#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/flat_json.h"

static void assert_text(struct slice s, const char *text)
{
    if (!slice_eq(s, slice_str(text)))
        fail_msg("%.*s is not %s", (int)s.len, (const char *)s.data, text);
}

static void members_are_found_as_they_are_written(void **state)
{
    const struct slice o = slice_str(
        "{\"a\":\"x,}\\\"]\",\"b\":12,\"c\":[{\"a\":1},[2]],\"d\":null}");
    struct slice v;
    (void)state;

    assert_true(flat_json_member(o, "a", &v));
    assert_text(v, "\"x,}\\\"]\"");
    assert_true(flat_json_member(o, "b", &v));
    assert_text(v, "12");
    assert_true(flat_json_member(o, "c", &v));
    assert_text(v, "[{\"a\":1},[2]]");
    assert_true(flat_json_member(o, "d", &v));
    assert_text(v, "null");
    assert_false(flat_json_member(o, "e", &v));
    assert_false(flat_json_member(o, "x", &v));
}

static void arrays_end_where_they_end(void **state)
{
    const struct slice a = slice_str("[{\"a\":\"]\"},\"b\",3]");
    struct slice v;
    size_t at = 0;
    (void)state;

    assert_true(flat_json_next(a, &at, &v));
    assert_text(v, "{\"a\":\"]\"}");
    assert_true(flat_json_next(a, &at, &v));
    assert_text(v, "\"b\"");
    assert_true(flat_json_next(a, &at, &v));
    assert_text(v, "3");
    assert_false(flat_json_next(a, &at, &v));
    assert_false(flat_json_next(a, &at, &v));
    at = 0;
    assert_false(flat_json_next(slice_str("[]"), &at, &v));
}

/* Every beginning of a text is walked to its end, in memory of its length. */
static void what_is_cut_off_ends_the_walk(void **state)
{
    static const char text[] =
        "[{\"a\":\"\\\"x\",\"b\":[1,\"]\"]},{\"a\":\"y\"}]";
    (void)state;

    for (size_t len = 0; len < sizeof(text); len++) {
        char *exact = malloc(len + (len == 0));
        struct slice object, v;
        size_t at = 0, steps = 0;

        memcpy(exact, text, len);
        while (flat_json_next(slice_of(exact, len), &at, &object)) {
            (void)flat_json_member(object, "b", &v);
            assert_in_range(++steps, 1, 2);
        }
        (void)flat_json_member(slice_of(exact, len), "a", &v);
        free(exact);
    }
}

static void assert_shown(const char *value, const char *text)
{
    struct buffer b = BUFFER_INIT;

    flat_json_show(&b, slice_str(value));
    buffer_put_char(&b, '\0');
    assert_string_equal(b.data, text);
    buffer_release(&b);
}

static void nothing_reaches_the_terminal_but_text(void **state)
{
    (void)state;
    assert_shown("\"sensor-1\"", "sensor-1");
    assert_shown("12", "12");
    assert_shown("\"\"", "");
    assert_shown("\"K\xc3\xbc"
                 "che \\\"1\\\"\"",
                 "K\xc3\xbc"
                 "che \"1\"");
    assert_shown("\"a\\\\b\\n\\u001b[31m\"", "a\\\\b\\n\\u001b[31m");
    assert_shown("\"\x1b[31m\x7f\"", "\\u001b[31m\\u007f");
    assert_shown("\"\xc2\x9b"
                 "31m\"",
                 "\\u009b31m"); /* CSI */
    assert_shown("\"\xe2\x80\xae"
                 "evil\"",
                 "\\u202eevil"); /* RLO */
    assert_shown("\"\xe2\x81\xa6\xef\xbb\xbf\"", "\\u2066\\ufeff");
    assert_shown("\"\xf3\xa0\x81\x81\"", "\\u{e0041}"); /* a tag */
    assert_shown("\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80");
    assert_shown("\"\xff\xc3\"", "??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_as_they_are_written),
        cmocka_unit_test(arrays_end_where_they_end),
        cmocka_unit_test(what_is_cut_off_ends_the_walk),
        cmocka_unit_test(nothing_reaches_the_terminal_but_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
