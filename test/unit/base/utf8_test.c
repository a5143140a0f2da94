#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Another way to the same answer: decode without any rule, encode as short as
 * can be, compare. */
static size_t encode(uint32_t c, unsigned char *to)
{
    if (c < 0x80) {
        to[0] = (unsigned char)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (unsigned char)(0x80 | (c & 0x3f));
    to[0] = (unsigned char)((0xf00 >> n & 0xff) | c);
    return n;
}

static size_t reference(const unsigned char *p, size_t len)
{
    const unsigned char first = len ? p[0] : 0xff;
    const size_t n = first < 0x80   ? 1
                     : first < 0xc0 ? 0
                     : first < 0xe0 ? 2
                     : first < 0xf0 ? 3
                     : first < 0xf8 ? 4
                                    : 0;
    unsigned char again[4];

    if (n == 0 || n > len)
        return 0;
    uint32_t c = n == 1 ? first : first & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    return encode(c, again) == n && memcmp(again, p, n) == 0 ? n : 0;
}

static void every_start_of_a_text_agrees_with_decoding_it(void **state)
{
    static const unsigned char later[] = {0x00, 0x7f, 0x80, 0x8f, 0x90,
                                          0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    const size_t n = sizeof(later);
    (void)state;

    for (unsigned i = 0; i < 65536 * n * n; i++) {
        const unsigned pair = (unsigned)(i / (n * n));
        const unsigned char p[4] = {(unsigned char)(pair >> 8),
                                    (unsigned char)pair, later[i / n % n],
                                    later[i % n]};
        for (size_t len = 1; len <= 4; len++)
            if (utf8_sequence(p, len) != reference(p, len))
                fail_msg("%02x %02x %02x %02x, %zu bytes", p[0], p[1], p[2],
                         p[3], len);
    }
}

static void every_character_is_accepted_and_every_surrogate_refused(
    void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        unsigned char p[4];
        const size_t n = encode(c, p);
        const bool surrogate = c >= 0xd800 && c <= 0xdfff;

        assert_int_equal(utf8_sequence(p, n), surrogate ? 0 : n);
        assert_int_equal(utf8_valid(p, n), !surrogate);
        assert_int_equal(utf8_valid_without_nul(p, n), !surrogate && c != 0);
    }
}

/* MQTT 5 §1.5.4, next to ordinary characters, for which it is no excuse that
 * their bytes look alike. */
static void what_mqtt_calls_disallowed_is_found_wherever_it_stands(
    void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        unsigned char p[8] = {'a'};
        const bool control = c <= 0x1f || (c >= 0x7f && c <= 0x9f);
        const bool non_character = (c >= 0xfdd0 && c <= 0xfdef) ||
                                   (c & 0xffff) == 0xfffe ||
                                   (c & 0xffff) == 0xffff;

        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        const size_t n = encode(c, p + 1);
        const size_t after = encode(0x3ffd, p + 1 + n);
        const bool wanted = control || non_character;
        assert_int_equal(utf8_disallowed(c), wanted);
        assert_int_equal(utf8_has_disallowed(p + 1, n), wanted);
        assert_int_equal(utf8_has_disallowed(p, 1 + n + after), wanted);
    }
    assert_false(utf8_has_disallowed("", 0));
}

static void what_is_not_seen_is_found_wherever_it_stands(void **state)
{
    static const uint32_t invisible[] = {
        0xad,   0x34f,  0x61c,  0x115f,  0x1160,  0x17b4, 0x180e, 0x200b,
        0x200c, 0x200d, 0x200e, 0x200f,  0x2028,  0x2029, 0x202a, 0x202e,
        0x2060, 0x2064, 0x2066, 0x2069,  0x206f,  0x3164, 0xfe0f, 0xfeff,
        0xffa0, 0xfff9, 0xfffb, 0xe0001, 0xe0041, 0xe01ef};
    static const uint32_t seen[] = {'a',    ' ',    0xa0,   0xe9,    0x34e,
                                    0x61b,  0x200a, 0x2010, 0x2027,  0x202f,
                                    0x2070, 0x4e2d, 0xfdff, 0x1f600, 0x10ffff};
    unsigned char p[12] = {'a'};
    (void)state;

    for (size_t i = 0; i < sizeof(invisible) / sizeof(invisible[0]); i++) {
        const size_t n = encode(invisible[i], p + 1);
        const size_t after = encode(0x4e2d, p + 1 + n);
        assert_true(utf8_has_invisible(p + 1, n));
        assert_true(utf8_has_invisible(p, 1 + n + after));
    }
    for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
        assert_false(utf8_has_invisible(p + 1, encode(seen[i], p + 1)));
    assert_false(utf8_has_invisible("", 0));
}

/* `bad` at every place of texts of every short length, so that word and byte
 * steps both meet it. */
static void check_everywhere(const char *bad, size_t bad_len, bool valid,
                             bool valid_without_nul)
{
    for (size_t len = bad_len; len < 40; len++) {
        for (size_t at = 0; at + bad_len <= len; at++) {
            unsigned char *p = malloc(len);
            memset(p, 'a', len);
            memcpy(p + at, bad, bad_len);
            assert_int_equal(utf8_valid(p, len), valid);
            assert_int_equal(utf8_valid_without_nul(p, len),
                             valid_without_nul);
            free(p);
        }
    }
}

static void a_fault_is_seen_wherever_it_stands(void **state)
{
    (void)state;
    check_everywhere("\xff", 1, false, false);
    check_everywhere("\x80", 1, false, false);
    check_everywhere("\xc3", 1, false, false);         /* cut off */
    check_everywhere("\xe2\x82", 2, false, false);     /* cut off */
    check_everywhere("\xc0\x80", 2, false, false);     /* overlong NUL */
    check_everywhere("\xed\xa0\x80", 3, false, false); /* U+D800 */
    check_everywhere("\xf4\x90\x80\x80", 4, false, false);
    check_everywhere("\0", 1, true, false);
}

static void correct_text_passes_wherever_it_stands(void **state)
{
    (void)state;
    check_everywhere("\x01", 1, true, true);
    check_everywhere("\x7f", 1, true, true);
    check_everywhere("\xc3\xa4", 2, true, true);
    check_everywhere("\xef\xbb\xbf", 3, true, true); /* U+FEFF */
    check_everywhere("\xf0\x9f\x98\x80", 4, true, true);
    check_everywhere("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 9, true, true);
}

static void the_empty_text_is_valid(void **state)
{
    (void)state;
    assert_true(utf8_valid(NULL, 0));
    assert_true(utf8_valid_without_nul("", 0));
    assert_int_equal(utf8_sequence("a", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_start_of_a_text_agrees_with_decoding_it),
        cmocka_unit_test(
            every_character_is_accepted_and_every_surrogate_refused),
        cmocka_unit_test(
            what_mqtt_calls_disallowed_is_found_wherever_it_stands),
        cmocka_unit_test(a_fault_is_seen_wherever_it_stands),
        cmocka_unit_test(correct_text_passes_wherever_it_stands),
        cmocka_unit_test(what_is_not_seen_is_found_wherever_it_stands),
        cmocka_unit_test(the_empty_text_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
