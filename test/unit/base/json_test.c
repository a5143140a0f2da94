#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool ok(const char *text)
{
    return json_check(text, strlen(text), NULL, NULL);
}

static void what_rfc_8259_allows_passes(void **state)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " {\"a\" : [1, -0.5e+10 , true,false,null, \"\"] }\r\n",
        "\"\"",
        "0",
        "-0",
        "1e400",
        "123456789012345678901234567890",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "{\"a\":1,\"a\":2}",
        "\"\x7f\"",
        "\"\xf0\x9f\x98\x80\"",
        "[[],{},[{}]]",
        "{\"\":{}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!ok(good[i]))
            fail_msg("refused: %s", good[i]);
}

static void what_rfc_8259_forbids_is_refused_at_its_byte(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {
        {"", 0},
        {" ", 1},
        {"{", 1},
        {"[1,]", 3},
        {"{\"a\"}", 4},
        {"{\"a\":}", 5},
        {"{\"a\":1,}", 7},
        {"{a:1}", 1},
        {"01", 1},
        {"1.", 2},
        {".5", 0},
        {"+1", 0},
        {"-", 1},
        {"1e", 2},
        {"nul", 3},
        {"truee", 4},
        {"\"\n\"", 1},
        {"\"\\x\"", 2},
        {"\"\\u12g4\"", 5},
        {"\"a", 2},
        {"{} {}", 3},
        {"[1 2]", 3},
        {"{\"a\":1]", 6},
        {"]", 0},
        {"\xef\xbb\xbf{}", 0},
        {"\"\xff\"", 1},
        {"\"\xc0\x80\"", 1},
        {"\"\xed\xa0\x80\"", 1},
        {"\"\xe2\x82\"", 1},
        {"NaN", 0},
        {"'a'", 0},
        {"[1}", 2},
        {"{\"a\":1 \"b\":2}", 7},
    };
    struct json_error e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (json_check(bad[i].text, strlen(bad[i].text), NULL, &e))
            fail_msg("passed: %s", bad[i].text);
        if (e.at != bad[i].at)
            fail_msg("%s: refused at %zu (%s), not %zu", bad[i].text, e.at,
                     e.text, bad[i].at);
    }
}

/* Strings are looked at several bytes at a time: each kind of special byte at
 * each place of such a step, and behind what interrupts one. */
static void special_bytes_are_seen_wherever_they_stand(void **state)
{
    static const struct {
        const char *bytes;
        bool passes;
    } specials[] = {
        {"\"", false},      {"\x01", false},
        {"\x1f", false},    {"\xff", false},
        {"\x80", false},    {"\xc3", false},
        {"\\x", false},     {"\\\"", true},
        {"\xc3\xa9", true}, {" ", true},
        {"!", true},        {"#", true},
        {"[", true},        {"]", true},
        {"\x7f", true},     {"\xf4\x8f\xbf\xbf", true},
    };
    char text[64];
    struct json_error e;

    (void)state;
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
        for (size_t at = 0; at < 40; at++) {
            const size_t len = strlen(specials[i].bytes);
            memset(text, 'x', sizeof(text));
            text[0] = '"';
            text[63] = '"';
            memcpy(text + 1 + at, specials[i].bytes, len);
            if (json_check(text, 64, NULL, &e) != specials[i].passes)
                fail_msg("special %zu at %zu: wrong", i, at);
            if (!specials[i].passes && (e.at < 1 + at || e.at > 2 + at))
                fail_msg("special %zu at %zu: refused at %zu", i, at, e.at);
        }
}

/* So are digits. */
static void digits_end_where_they_end(void **state)
{
    static const char others[] = {'/',    ':',     ';', '?',    '@',
                                  'a',    ' ' - 1, 'p', '\x80', '\xb5',
                                  '\xff', '\0',    '-', '+'};
    char text[64];
    struct json_error e;

    (void)state;
    for (size_t len = 1; len < 40; len++) {
        memset(text, '7', sizeof(text));
        assert_true(json_check(text, len, NULL, NULL));
        for (size_t i = 0; i < sizeof(others); i++)
            for (size_t at = 1; at < len; at++) {
                memset(text, '7', sizeof(text));
                text[at] = others[i];
                assert_false(json_check(text, len, NULL, &e));
                assert_int_equal(e.at, at);
            }
    }
}

static void a_nul_byte_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    assert_false(json_check("{}\0", 3, NULL, NULL));
    assert_false(json_check("\"a\0b\"", 5, NULL, NULL));
    assert_false(json_check("\0{}", 3, NULL, NULL));
}

static void the_outermost_type_is_told(void **state)
{
    enum json_type type;

    (void)state;
    assert_true(json_check(" {\"a\":[]}", 9, &type, NULL));
    assert_int_equal(type, JSON_OBJECT);
    assert_true(json_check("[{}]", 4, &type, NULL));
    assert_int_equal(type, JSON_ARRAY);
    assert_true(json_check("-1", 2, &type, NULL));
    assert_int_equal(type, JSON_NUMBER);
    assert_true(json_check("null", 4, &type, NULL));
    assert_int_equal(type, JSON_NULL);
}

static void nesting_ends_at_512(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 4];
    struct json_error e;

    (void)state;
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_true(json_check(text, 2 * JSON_DEPTH_MAX, NULL, NULL));
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_false(json_check(text, 2 * JSON_DEPTH_MAX + 2, NULL, &e));
    assert_int_equal(e.at, JSON_DEPTH_MAX);
}

static void objects_and_arrays_may_take_turns_across_words_of_the_stack(
    void **state)
{
    char text[4096];
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "[{\"k\":");
    text[n++] = '1';
    for (int i = 0; i < 100; i++) {
        text[n++] = '}';
        text[n++] = ']';
    }
    assert_true(json_check(text, n, NULL, NULL));
    text[n - 1] = '}';
    assert_false(json_check(text, n, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_rfc_8259_allows_passes),
        cmocka_unit_test(what_rfc_8259_forbids_is_refused_at_its_byte),
        cmocka_unit_test(special_bytes_are_seen_wherever_they_stand),
        cmocka_unit_test(digits_end_where_they_end),
        cmocka_unit_test(a_nul_byte_is_refused_wherever_it_stands),
        cmocka_unit_test(the_outermost_type_is_told),
        cmocka_unit_test(nesting_ends_at_512),
        cmocka_unit_test(
            objects_and_arrays_may_take_turns_across_words_of_the_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
