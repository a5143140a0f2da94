#include "base/json_write.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"

static void put_nothing_inside(struct json_writer *w)
{
    json_object(w);
    json_member_object(w, "o");
    json_object_end(w);
    json_member_array(w, "a");
    json_array_end(w);
    json_object_end(w);
}

static void put_every_value(struct json_writer *w)
{
    json_array(w);
    json_text(w, "t");
    json_string(w, slice_of("a\0\"", 3));
    json_u64(w, UINT64_MAX);
    json_i64(w, INT64_MIN);
    json_bool(w, true);
    json_bool(w, false);
    json_null(w);
    json_raw(w, slice_str(" {\"b\" : 1e400}"));
    json_base64(w, slice_str("foob"));
    json_time(w, INT64_C(951782399999999));
    json_array_end(w);
}

static void put_every_member(struct json_writer *w)
{
    json_object(w);
    json_member_text(w, "t", "");
    json_member_string(w, "s", slice_str("\xff"));
    json_member_u64(w, "u", 0);
    json_member_i64(w, "i", -1);
    json_member_bool(w, "b", true);
    json_member_null(w, "n");
    json_member_time(w, "at", 0);
    json_name(w, "raw");
    json_raw_begin(w);
    buffer_put_str(w->out, "[1]");
    json_raw_end(w);
    json_object_end(w);
}

/* Commas where an inner one has ended, at every depth. */
static void put_mixed(struct json_writer *w)
{
    json_array(w);
    json_array(w);
    json_object(w);
    json_member_u64(w, "a", 1);
    json_member_array(w, "b");
    json_u64(w, 2);
    json_array_end(w);
    json_member_u64(w, "c", 3);
    json_object_end(w);
    json_u64(w, 4);
    json_array_end(w);
    json_object(w);
    json_object_end(w);
    json_null(w);
    json_array_end(w);
}

static void put_deepest(struct json_writer *w)
{
    for (int i = 0; i < JSON_WRITE_DEPTH; i++)
        json_array(w);
    for (int i = 0; i < JSON_WRITE_DEPTH; i++)
        json_array_end(w);
}

static void put_number(struct json_writer *w)
{
    json_u64(w, 7);
}

static void put_plain(struct json_writer *w)
{
    json_array(w);
    json_string_plain(w, slice_of("a\0\"\\\n\x7f", 6));
    /* U+0085, U+FDD0, U+1FFFE; U+2028 is no control character */
    json_string_plain(w, slice_str("\xc2\x85\xef\xb7\x90\xf0\x9f\xbf\xbe"
                                   "\xe2\x80\xa8\xf0\x9f\x98\x80"));
    json_string_plain(w, slice_str("cut\xff off"));
    json_array_end(w);
}

static void what_is_written_is_json_with_its_commas(void **state)
{
    static const struct {
        void (*put)(struct json_writer *w);
        const char *expected;
    } cases[] = {
        {put_nothing_inside, "{\"o\":{},\"a\":[]}"},
        {put_every_value,
         "[\"t\",\"a\\u0000\\\"\",18446744073709551615,-9223372036854775808,"
         "true,false,null, {\"b\" : 1e400},\"Zm9vYg==\","
         "\"2000-02-28T23:59:59.999Z\"]"},
        {put_every_member,
         "{\"t\":\"\",\"s\":\"\xef\xbf\xbd\",\"u\":0,\"i\":-1,\"b\":true,"
         "\"n\":null,\"at\":\"1970-01-01T00:00:00.000Z\",\"raw\":[1]}"},
        {put_mixed, "[[{\"a\":1,\"b\":[2],\"c\":3},4],{},null]"},
        {put_deepest, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
                      "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"},
        {put_number, "7"},
        {put_plain, "[\"a\\u0000\\\"\\\\\\u000a\\u007f\","
                    "\"\\u0085\\ufdd0\\ud83f\\udffe\xe2\x80\xa8"
                    "\xf0\x9f\x98\x80\",\"cut\"]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer b = BUFFER_INIT;
        struct json_writer w = json_writer_of(&b);
        cases[i].put(&w);
        assert_true(json_is_whole(&w));
        assert_true(buffer_ok(&b));
        assert_true(json_check(b.data, b.len, NULL, NULL));
        buffer_put_char(&b, '\0');
        assert_string_equal(b.data, cases[i].expected);
        buffer_release(&b);
    }
}

/* As buffer_put_json_string() should, byte by byte: ASCII only, what is above is one
 * invalid byte. */
static void put_slowly(struct buffer *b, const unsigned char *text, size_t len)
{
    static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    buffer_put_char(b, '"');
    for (size_t i = 0; i < len; i++) {
        const char *name = names;

        while (*name != '\0' && (unsigned char)*name != text[i])
            name += 2;
        if (text[i] >= 0x80) {
            buffer_put_str(b, "\xef\xbf\xbd");
        } else if (*name != '\0') {
            buffer_put_char(b, '\\');
            buffer_put_char(b, name[1]);
        } else if (text[i] < 0x20 || text[i] == 0x7f) {
            buffer_printf(b, "\\u%04x", text[i]);
        } else {
            buffer_put_char(b, (char)text[i]);
        }
    }
    buffer_put_char(b, '"');
}

/* Strings are read eight bytes at a time where nothing needs an escape. */
static void every_byte_is_escaped_wherever_it_stands(void **state)
{
    struct buffer got = BUFFER_INIT, expected = BUFFER_INIT;
    unsigned char text[20];

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t at = 0; at < 2 * sizeof(text); at++) {
            const size_t len = sizeof(text) - at % 9;

            memset(text, at % 2 == 0 ? '~' : ' ', sizeof(text));
            text[at / 2 % len] = (unsigned char)byte;
            buffer_clear(&got);
            buffer_clear(&expected);
            buffer_put_json_string(&got, slice_of(text, len));
            put_slowly(&expected, text, len);
            assert_true(slice_eq(buffer_slice(&got), buffer_slice(&expected)));
        }
    buffer_release(&got);
    buffer_release(&expected);
}

/* Every limit is either reached, or the text is whole. */
static void a_limit_never_leaves_more_than_fits(void **state)
{
    static const char whole[] = "{\"a\":1,\"bc\":2}";

    (void)state;
    for (size_t limit = 1; limit < 20; limit++) {
        struct buffer b = {.limit = limit};
        struct json_writer w = json_writer_of(&b);

        json_object(&w);
        json_member_u64(&w, "a", 1);
        json_member_u64(&w, "bc", 2);
        json_object_end(&w);
        assert_int_equal(buffer_ok(&b), limit >= strlen(whole));
        assert_true(b.len <= limit);
        if (buffer_ok(&b))
            assert_true(slice_eq(buffer_slice(&b), slice_str(whole)));
        buffer_release(&b);
    }
}

static void a_writer_goes_on_in_another_buffer(void **state)
{
    struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
    struct json_writer w = json_writer_of(&first);

    (void)state;
    json_array(&w);
    json_u64(&w, 1);
    assert_false(json_is_whole(&w));
    w.out = &second;
    json_u64(&w, 2);
    json_array_end(&w);
    assert_true(slice_eq(buffer_slice(&first), slice_str("[1")));
    assert_true(slice_eq(buffer_slice(&second), slice_str(",2]")));
    buffer_release(&first);
    buffer_release(&second);
}

static void a_writer_begins_anywhere_in_a_buffer(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct json_writer w = json_writer_of(&b);
        buffer_put_str(&b, "data: ");
        json_object(&w);
        json_object_end(&w);
        buffer_put_char(&b, '\n');
    }
    assert_true(slice_eq(buffer_slice(&b), slice_str("data: {}\ndata: {}\n")));
    buffer_release(&b);
}

/* ---- mistakes of ours --------------------------------------------------- */

static void value_without_a_name(struct json_writer *w)
{
    json_object(w);
    json_u64(w, 1);
}

static void name_in_an_array(struct json_writer *w)
{
    json_array(w);
    json_name(w, "a");
}

static void name_without_an_object(struct json_writer *w)
{
    json_name(w, "a");
}

static void two_names(struct json_writer *w)
{
    json_object(w);
    json_name(w, "a");
    json_name(w, "b");
}

static void name_without_a_value(struct json_writer *w)
{
    json_object(w);
    json_name(w, "a");
    json_object_end(w);
}

static void array_ended_as_object(struct json_writer *w)
{
    json_array(w);
    json_object_end(w);
}

static void end_without_a_beginning(struct json_writer *w)
{
    json_array_end(w);
}

static void second_value(struct json_writer *w)
{
    json_null(w);
    json_null(w);
}

static void nothing_as_raw(struct json_writer *w)
{
    json_raw(w, slice_str(""));
}

static void nothing_appended_as_raw(struct json_writer *w)
{
    json_array(w);
    json_raw_begin(w);
    json_raw_end(w);
}

static void too_deep(struct json_writer *w)
{
    for (int i = 0; i <= JSON_WRITE_DEPTH; i++)
        json_array(w);
}

static bool ends_the_process(void (*put)(struct json_writer *w))
{
    int status;
    const pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        struct buffer b = BUFFER_INIT;
        struct json_writer w = json_writer_of(&b);
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        put(&w);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void what_would_be_no_json_ends_the_process(void **state)
{
    static void (*const mistakes[])(struct json_writer * w) = {
        value_without_a_name,
        name_in_an_array,
        name_without_an_object,
        two_names,
        name_without_a_value,
        array_ended_as_object,
        end_without_a_beginning,
        second_value,
        nothing_as_raw,
        nothing_appended_as_raw,
        too_deep,
    };

    (void)state;
    assert_false(ends_the_process(put_mixed));
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        print_message("mistake %zu\n", i);
        assert_true(ends_the_process(mistakes[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_json_with_its_commas),
        cmocka_unit_test(every_byte_is_escaped_wherever_it_stands),
        cmocka_unit_test(a_limit_never_leaves_more_than_fits),
        cmocka_unit_test(a_writer_goes_on_in_another_buffer),
        cmocka_unit_test(a_writer_begins_anywhere_in_a_buffer),
        cmocka_unit_test(what_would_be_no_json_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
