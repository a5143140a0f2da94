#include "base/base64.h"
#include "base/buffer.h"
#include "base/iso_time.h"
#include "base/json_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define CHECK_TEXT(b, text)                                                   \
    do {                                                                      \
        assert_true(buffer_ok(b));                                            \
        assert_int_equal((b)->len, sizeof(text) - 1);                         \
        assert_memory_equal((b)->data, text, sizeof(text) - 1);               \
        buffer_clear(b);                                                      \
    } while (0)

static void numbers_are_written_in_full(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    buffer_put_u64(&b, 0);
    CHECK_TEXT(&b, "0");
    buffer_put_u64(&b, UINT64_MAX);
    CHECK_TEXT(&b, "18446744073709551615");
    buffer_put_i64(&b, INT64_MIN);
    CHECK_TEXT(&b, "-9223372036854775808");
    buffer_release(&b);
}

/* Of each length, and with zeros in all places. */
static void numbers_of_all_lengths_are_those_of_printf(void **state)
{
    struct buffer b = BUFFER_INIT, expected = BUFFER_INIT;
    uint64_t power = 1;

    (void)state;
    for (int digits = 1; digits <= 20; digits++, power *= 10) {
        const uint64_t values[] = {power - 1, power, power + 1, 5 * power / 3};
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            buffer_put_u64(&b, values[i]);
            buffer_printf(&expected, "%llu", (unsigned long long)values[i]);
            assert_true(slice_eq(buffer_slice(&b), buffer_slice(&expected)));
            buffer_clear(&b);
            buffer_clear(&expected);
        }
    }
    buffer_release(&b);
    buffer_release(&expected);
}

static void json_strings_escape_what_must_not_stand_raw(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    buffer_put_json_string(&b, slice_str("a\"\\\b\f\n\r\t\x01/\x7f"));
    CHECK_TEXT(&b, "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001/\\u007f\"");
    buffer_put_json_string(&b, slice_str("\xc3\xa4\xf0\x9f\x98\x80"));
    CHECK_TEXT(&b, "\"\xc3\xa4\xf0\x9f\x98\x80\"");
    buffer_put_json_string(&b,
                           slice_str("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"));
    CHECK_TEXT(&b, "\"\\u2028\\u2029\xe2\x80\xaa\"");
    buffer_put_json_string(&b, slice_of("a\0b", 3));
    CHECK_TEXT(&b, "\"a\\u0000b\"");
    buffer_put_json_string(&b, slice_str("x\xff\xe2\x82y"));
    CHECK_TEXT(&b, "\"x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy\"");
    buffer_release(&b);
}

static void base64_pads(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    buffer_put_base64(&b, slice_str("foob"));
    CHECK_TEXT(&b, "Zm9vYg==");
    buffer_put_base64(&b, slice_str("fooba"));
    CHECK_TEXT(&b, "Zm9vYmE=");
    buffer_put_base64(&b, slice_str("foobar"));
    CHECK_TEXT(&b, "Zm9vYmFy");
    buffer_put_base64(&b, slice_str(""));
    CHECK_TEXT(&b, "");
    buffer_release(&b);
}

static void times_are_iso_8601_in_utc(void **state)
{
    struct buffer b = BUFFER_INIT;

    (void)state;
    buffer_put_time(&b, 0, 3);
    CHECK_TEXT(&b, "1970-01-01T00:00:00.000Z");
    buffer_put_time(&b, INT64_C(951782399999999), 6);
    CHECK_TEXT(&b, "2000-02-28T23:59:59.999999Z");
    buffer_put_time(&b, INT64_C(951782400000000), 3);
    CHECK_TEXT(&b, "2000-02-29T00:00:00.000Z");
    buffer_put_time(&b, INT64_C(4102444799123456), 3);
    CHECK_TEXT(&b, "2099-12-31T23:59:59.123Z");
    buffer_put_time(&b, 7089, 4);
    CHECK_TEXT(&b, "1970-01-01T00:00:00.0070Z");
    buffer_put_time(&b, 907089, 1);
    CHECK_TEXT(&b, "1970-01-01T00:00:00.9Z");
    buffer_put_time(&b, -1, 6);
    CHECK_TEXT(&b, "1969-12-31T23:59:59.999999Z");
    buffer_release(&b);
}

static void a_limit_fails_the_buffer_and_keeps_what_fitted(void **state)
{
    struct buffer b = {.limit = 10};

    (void)state;
    buffer_put(&b, "12345678", 8);
    assert_true(buffer_ok(&b));
    buffer_put(&b, "901", 3);
    assert_false(buffer_ok(&b));
    buffer_put(&b, "9", 1); /* and stays failed */
    assert_int_equal(b.len, 8);
    buffer_clear(&b);
    buffer_put(&b, "1234567890", 10);
    assert_true(buffer_ok(&b));
    buffer_release(&b);
    assert_int_equal(b.limit, 10);
}

static void taken_memory_is_the_callers(void **state)
{
    struct buffer b = BUFFER_INIT;
    size_t len;

    (void)state;
    buffer_printf(&b, "%d-%s", 7, "seven");
    char *data = buffer_take(&b, &len);
    assert_int_equal(len, 7);
    assert_memory_equal(data, "7-seven", 7);
    assert_null(b.data);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_in_full),
        cmocka_unit_test(numbers_of_all_lengths_are_those_of_printf),
        cmocka_unit_test(json_strings_escape_what_must_not_stand_raw),
        cmocka_unit_test(base64_pads),
        cmocka_unit_test(times_are_iso_8601_in_utc),
        cmocka_unit_test(a_limit_fails_the_buffer_and_keeps_what_fitted),
        cmocka_unit_test(taken_memory_is_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
