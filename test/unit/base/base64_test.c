#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* RFC 4648 §10 */
static void the_texts_of_the_rfc_are_decoded(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    unsigned char room[6];
    size_t len;
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct slice padded = slice_str(rows[i][1]);
        const struct slice bare =
            slice_of(padded.data, strcspn(rows[i][1], "="));
        assert_true(base64_decode(padded, BASE64, room, sizeof(room), &len));
        assert_true(slice_eq(slice_of(room, len), slice_str(rows[i][0])));
        assert_true(base64_decode(bare, BASE64URL, room, sizeof(room), &len));
        assert_true(slice_eq(slice_of(room, len), slice_str(rows[i][0])));
        if (padded.len != bare.len) {
            assert_false(
                base64_decode(bare, BASE64, room, sizeof(room), &len));
            assert_false(
                base64_decode(padded, BASE64URL, room, sizeof(room), &len));
        }
        if (len > 0)
            assert_false(base64_decode(padded, BASE64, room, len - 1, &len));
    }
}

static void every_other_byte_is_refused(void **state)
{
    static const char *const more[] = {[BASE64] = "+/", [BASE64URL] = "-_"};
    unsigned char room[3];
    size_t len;
    (void)state;

    for (unsigned form = BASE64; form <= BASE64URL; form++)
        for (unsigned byte = 0; byte < 256; byte++)
            for (size_t at = 0; at < 4 && byte != '='; at++) {
                char text[] = "AAAA";
                text[at] = (char)byte;
                const bool is_digit =
                    byte != 0 && (strchr(digits, (int)byte) != NULL ||
                                  strchr(more[form], (int)byte) != NULL);
                if (base64_decode(slice_of(text, 4), (enum base64_form)form,
                                  room, sizeof(room), &len) != is_digit)
                    fail_msg("form %u, byte %u at %zu", form, byte, at);
            }
}

static void bits_that_mean_nothing_are_zero(void **state)
{
    unsigned char room[6];
    size_t len;
    (void)state;

    assert_true(base64_decode(slice_str("_w"), BASE64URL, room, 6, &len));
    assert_false(base64_decode(slice_str("_x"), BASE64URL, room, 6, &len));
    assert_true(base64_decode(slice_str("__8"), BASE64URL, room, 6, &len));
    assert_false(base64_decode(slice_str("__9"), BASE64URL, room, 6, &len));
    assert_false(base64_decode(slice_str("A"), BASE64URL, room, 6, &len));
    assert_false(base64_decode(slice_str("AAAAA"), BASE64URL, room, 6, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_texts_of_the_rfc_are_decoded),
        cmocka_unit_test(every_other_byte_is_refused),
        cmocka_unit_test(bits_that_mean_nothing_are_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
