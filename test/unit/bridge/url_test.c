#include "bridge/http/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check_decoded(const char *in, bool plus, const char *want)
{
    char out[64];
    size_t len = 99;
    const bool ok = url_decode(slice_str(in), plus, out, &len);

    if (want == NULL) {
        if (ok)
            fail_msg("passed: %s", in);
        return;
    }
    if (!ok || !slice_eq(slice_of(out, len), slice_str(want)))
        fail_msg("%s: not %s", in, want);
}

static void percent_decoding_wants_two_digits_and_no_nul(void **state)
{
    (void)state;
    check_decoded("kitchen%2Ftemp", false, "kitchen/temp");
    check_decoded("%c3%A4", false, "\xc3\xa4");
    check_decoded("a+b", false, "a+b");
    check_decoded("a+b%2B", true, "a b+");
    check_decoded("", false, "");
    check_decoded("%41", false, "A");
    check_decoded("%", false, NULL);
    check_decoded("%4", false, NULL);
    check_decoded("a%4", false, NULL);
    check_decoded("%4g", false, NULL);
    check_decoded("%g4", false, NULL);
    check_decoded("%00", false, NULL);
    check_decoded("%25", false, "%");
}

static void segments_are_cut_before_they_are_decoded(void **state)
{
    struct slice path = slice_str("/a//b%2Fc/"), s;
    static const char *const want[] = {"", "a", "", "b%2Fc", ""};
    size_t n = 0;

    (void)state;
    while (url_next_segment(&path, &s)) {
        assert_true(n < 5);
        assert_true(slice_eq(s, slice_str(want[n++])));
    }
    assert_int_equal(n, 5);
}

static void the_first_of_equal_parameters_wins(void **state)
{
    const struct slice query =
        slice_str("limit=5&x&limit=6&xy=%20&=z&limitless=7");
    struct slice v;

    (void)state;
    assert_true(url_query(query, "limit", &v));
    assert_true(slice_eq(v, slice_str("5")));
    assert_true(url_query(query, "x", &v));
    assert_int_equal(v.len, 0);
    assert_true(url_query(query, "xy", &v));
    assert_true(slice_eq(v, slice_str("%20")));
    assert_false(url_query(query, "y", &v));
    assert_false(url_query(query, "lim", &v));
    assert_false(url_query((struct slice){0}, "x", &v));
}

static void parameters_come_one_by_one_and_are_compared_decoded(void **state)
{
    struct slice query = slice_str("&a=1&&b&c=&d=e=f&%67=h&");
    static const struct {
        const char *name, *value;
        bool has_value;
    } want[] = {{"a", "1", true},
                {"b", "", false},
                {"c", "", true},
                {"d", "e=f", true},
                {"g", "h", true}};
    struct url_parameter p;
    size_t n = 0;

    (void)state;
    while (url_next_parameter(&query, &p)) {
        assert_true(n < 5);
        assert_true(url_is_named(&p, slice_str(want[n].name)));
        assert_true(slice_eq(p.value, slice_str(want[n].value)));
        assert_int_equal(p.has_value, want[n].has_value);
        n++;
    }
    assert_int_equal(n, 5);
    p.name = slice_str("%zz");
    assert_false(url_is_named(&p, slice_str("zz")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_decoding_wants_two_digits_and_no_nul),
        cmocka_unit_test(segments_are_cut_before_they_are_decoded),
        cmocka_unit_test(the_first_of_equal_parameters_wins),
        cmocka_unit_test(parameters_come_one_by_one_and_are_compared_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
