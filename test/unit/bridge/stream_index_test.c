#include "bridge/stream/stream_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct audience *enter(struct stream_index *x, const char *token,
                              const char *const *names)
{
    struct slice filters[8];
    size_t n = 0;

    while (names[n] != NULL) {
        filters[n] = slice_str(names[n]);
        n++;
    }
    n = stream_filters_normalize(filters, n);
    struct audience *a =
        stream_index_enter(x, slice_str(token), filters, n, &sse_chunked);
    assert_non_null(a);
    return a;
}

#define ENTER(x, token, ...)                                                  \
    enter(x, token, (const char *const[]){__VA_ARGS__, NULL})

struct found {
    struct audience *audiences[8];
    size_t count;
};

static void note(void *arg, struct audience *a)
{
    struct found *f = arg;

    assert_true(f->count < 8);
    f->audiences[f->count++] = a;
}

static bool has(const struct found *f, const struct audience *a)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->audiences[i] == a)
            return true;
    return false;
}

static struct found match(struct stream_index *x, const char *topic)
{
    struct found f = {0};

    stream_index_match(x, slice_str(topic), note, &f);
    return f;
}

static void the_same_filters_in_any_order_are_one_audience(void **state)
{
    struct stream_index x;

    (void)state;
    assert_true(stream_index_init(&x));
    struct audience *a = ENTER(&x, "t", "t/b", "t/a", "t/a");
    struct audience *b = ENTER(&x, "t", "t/a", "t/b");
    struct audience *c = ENTER(&x, "t", "t/a");
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_int_equal(a->refs, 2);
    assert_int_equal(a->filter_count, 2);
    stream_index_leave(&x, b);
    assert_int_equal(match(&x, "t/b").count, 1);
    stream_index_leave(&x, a);
    assert_int_equal(match(&x, "t/b").count, 0);
    assert_int_equal(match(&x, "t/a").count, 1);
    stream_index_leave(&x, c);
    stream_index_release(&x);
}

static void filters_that_join_to_the_same_text_stay_apart(void **state)
{
    struct stream_index x;

    (void)state;
    assert_true(stream_index_init(&x));
    struct audience *a = ENTER(&x, "t", "t/a", "t/bt/c");
    struct audience *b = ENTER(&x, "t", "t/at/b", "t/c");
    assert_ptr_not_equal(a, b);
    stream_index_leave(&x, a);
    stream_index_leave(&x, b);
    stream_index_release(&x);
}

static void a_topic_finds_exact_and_pattern_readers_once(void **state)
{
    struct stream_index x;

    (void)state;
    assert_true(stream_index_init(&x));
    struct audience *exact = ENTER(&x, "t", "t/a/b");
    struct audience *plus = ENTER(&x, "t", "t/+/b");
    struct audience *both = ENTER(&x, "t", "t/a/b", "t/a/#", "t/#");
    struct audience *other = ENTER(&x, "t", "t/c");
    struct audience *foreign = ENTER(&x, "u", "u/#");

    struct found f = match(&x, "t/a/b");
    assert_int_equal(f.count, 3);
    assert_true(has(&f, exact) && has(&f, plus) && has(&f, both));
    f = match(&x, "t/c");
    assert_int_equal(f.count, 2);
    assert_true(has(&f, both) && has(&f, other));
    f = match(&x, "u/a/b");
    assert_int_equal(f.count, 1);
    assert_true(has(&f, foreign));
    assert_int_equal(match(&x, "v/a").count, 0);

    stream_index_leave(&x, exact);
    stream_index_leave(&x, both);
    f = match(&x, "t/a/b");
    assert_int_equal(f.count, 1);
    assert_true(has(&f, plus));
    stream_index_leave(&x, plus);
    stream_index_leave(&x, other);
    stream_index_leave(&x, foreign);
    stream_index_release(&x);
}

static void followers_have_the_very_filter(void **state)
{
    struct stream_index x;
    struct found f = {0};

    (void)state;
    assert_true(stream_index_init(&x));
    struct audience *one = ENTER(&x, "t", "t/a/#");
    struct audience *two = ENTER(&x, "t", "t/a/#", "t/b");
    struct audience *exact = ENTER(&x, "t", "t/b");
    stream_index_followers(&x, slice_str("t/a/#"), note, &f);
    assert_int_equal(f.count, 2);
    assert_true(has(&f, one) && has(&f, two));
    f.count = 0;
    stream_index_followers(&x, slice_str("t/b"), note, &f);
    assert_int_equal(f.count, 2);
    assert_true(has(&f, exact) && has(&f, two));
    f.count = 0;
    stream_index_followers(&x, slice_str("t/#"), note, &f);
    assert_int_equal(f.count, 0);
    stream_index_leave(&x, one);
    stream_index_leave(&x, two);
    stream_index_leave(&x, exact);
    stream_index_release(&x);
}

static void a_token_is_known_while_it_has_an_audience(void **state)
{
    struct stream_index x;

    (void)state;
    assert_true(stream_index_init(&x));
    struct audience *a = ENTER(&x, "t", "t/a");
    struct audience *b = ENTER(&x, "t", "t/#");
    assert_non_null(stream_index_token(&x, slice_str("t")));
    stream_index_leave(&x, a);
    assert_ptr_equal(
        LIST_FIRST(&stream_index_token(&x, slice_str("t"))->audiences), b);
    stream_index_leave(&x, b);
    assert_null(stream_index_token(&x, slice_str("t")));
    assert_int_equal(x.names.count, 0);
    stream_index_release(&x);
}

#define CROWD 400
#define FILTERS_EACH 64
#define LEVELS 8 /* of the topic */

/* What a message costs does not grow with filters, but with their shapes. */
static void thousands_of_patterns_cost_what_their_shapes_cost(void **state)
{
    static struct audience *crowd[CROWD];
    static char text[FILTERS_EACH][64];
    struct slice filters[FILTERS_EACH];
    struct stream_index x;

    (void)state;
    assert_true(stream_index_init(&x));
    for (int i = 0; i < CROWD; i++) {
        for (int k = 0; k < FILTERS_EACH; k++) {
            /* `+` where a bit of k is 1 */
            int len = snprintf(text[k], sizeof(text[k]), "t");
            for (int bit = 0; bit < 6; bit++)
                len += snprintf(text[k] + len, sizeof(text[k]) - (size_t)len,
                                (k >> bit & 1) != 0 ? "/+" : "/l%d", bit);
            snprintf(text[k] + len, sizeof(text[k]) - (size_t)len, "/c%d", i);
            filters[k] = slice_str(text[k]);
        }
        const size_t n = stream_filters_normalize(filters, FILTERS_EACH);
        assert_int_equal(n, FILTERS_EACH);
        crowd[i] =
            stream_index_enter(&x, slice_str("t"), filters, n, &sse_chunked);
        assert_non_null(crowd[i]);
    }
    /* matches all 64 filters of one stream, and is given to it once */
    struct found f = match(&x, "t/l0/l1/l2/l3/l4/l5/c7");
    assert_int_equal(f.count, 1);
    assert_ptr_equal(f.audiences[0], crowd[7]);
    assert_in_range(stream_index_visited(&x), 64,
                    2 * LEVELS * (1 + FILTERS_EACH));
    /* another token's message does not even see them */
    assert_int_equal(match(&x, "u/l0/l1/l2/l3/l4/l5/c7").count, 0);
    assert_in_range(stream_index_visited(&x), 0, 2);
    for (int i = 0; i < CROWD; i++)
        stream_index_leave(&x, crowd[i]);
    stream_index_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_filters_in_any_order_are_one_audience),
        cmocka_unit_test(filters_that_join_to_the_same_text_stay_apart),
        cmocka_unit_test(a_topic_finds_exact_and_pattern_readers_once),
        cmocka_unit_test(followers_have_the_very_filter),
        cmocka_unit_test(a_token_is_known_while_it_has_an_audience),
        cmocka_unit_test(thousands_of_patterns_cost_what_their_shapes_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
