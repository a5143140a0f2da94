#include "bridge/stream/stream_shapes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/filter_shape.h"

/* `t/x…` with `+` where a bit of `shape` is 1. */
static struct slice filter_of_shape(char text[64], unsigned shape)
{
    int len = snprintf(text, 64, "t");

    for (unsigned bit = 0; bit < 8; bit++)
        len += snprintf(text + len, 64 - (size_t)len,
                        (shape >> bit & 1) != 0 ? "/+" : "/x");
    return slice_of(text, (size_t)len);
}

static bool take(struct stream_shapes *ss, const char *token, unsigned shape,
                 struct stream_shapes_hold **ret_hold)
{
    char text[64];
    const struct slice filter = filter_of_shape(text, shape);

    return stream_shapes_take(ss, slice_str(token), &filter, 1, ret_hold);
}

static void a_token_has_so_many_shapes_and_no_more(void **state)
{
    static struct stream_shapes_hold *holds[FILTER_SHAPES_MAX];
    struct stream_shapes_hold *again, *other;
    struct stream_shapes *ss = stream_shapes_new();

    (void)state;
    assert_non_null(ss);
    for (unsigned i = 0; i < FILTER_SHAPES_MAX; i++)
        assert_true(take(ss, "t", i + 1, &holds[i]));
    assert_false(take(ss, "t", FILTER_SHAPES_MAX + 1, &other));
    assert_true(take(ss, "t", 1, &again)); /* a shape that is there */
    assert_true(take(ss, "t", 0, &other)); /* none at all */
    assert_null(other);
    assert_true(take(ss, "u", FILTER_SHAPES_MAX + 1, &other));
    stream_shapes_give(ss, other);

    stream_shapes_give(ss, holds[0]); /* `again` still has it */
    assert_false(take(ss, "t", FILTER_SHAPES_MAX + 1, &other));
    stream_shapes_give(ss, again);
    assert_true(take(ss, "t", FILTER_SHAPES_MAX + 1, &holds[0]));
    for (unsigned i = 0; i < FILTER_SHAPES_MAX; i++)
        stream_shapes_give(ss, holds[i]);
    assert_int_equal(stream_shapes_count(ss, slice_str("t")), 0);
    stream_shapes_free(ss);
}

static void a_stream_that_is_refused_holds_nothing(void **state)
{
    static char text[64][64];
    struct slice filters[64];
    struct stream_shapes_hold *first, *second, *third;
    struct stream_shapes *ss = stream_shapes_new();

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        filters[i] = filter_of_shape(text[i], i + 1);
    assert_true(stream_shapes_take(ss, slice_str("t"), filters, 64, &first));
    for (unsigned i = 0; i < 64; i++)
        filters[i] = filter_of_shape(text[i], i + 65);
    assert_true(stream_shapes_take(ss, slice_str("t"), filters, 63, &second));
    for (unsigned i = 0; i < 64; i++) /* one fits, the others do not */
        filters[i] = filter_of_shape(text[i], i + 128);
    assert_false(stream_shapes_take(ss, slice_str("t"), filters, 64, &third));
    assert_int_equal(stream_shapes_count(ss, slice_str("t")), 127);
    assert_true(stream_shapes_take(ss, slice_str("t"), filters, 1, &third));
    stream_shapes_give(ss, first);
    stream_shapes_give(ss, second);
    stream_shapes_give(ss, third);
    assert_int_equal(stream_shapes_count(ss, slice_str("t")), 0);
    stream_shapes_free(ss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_has_so_many_shapes_and_no_more),
        cmocka_unit_test(a_stream_that_is_refused_holds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
