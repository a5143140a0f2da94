#include "base/msgpack/append_bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_same(struct slice a, struct slice b)
{
    assert_true(slice_eq(a, b));
}

static void what_one_side_writes_the_other_reads(void **state)
{
    const struct append_message from[] = {
        {.operation = slice_str("boot-1"),
         .topic = slice_str("tok/a"),
         .payload = slice_of("a\0b", 3),
         .flags = APPEND_RETAIN | APPEND_JSON,
         .window_start_us = INT64_MAX,
         .idempotency = slice_str("key"),
         .sender = slice_str("ann")},
        {.topic = slice_str("tok/b")},
    };
    struct append_message to[APPEND_MAX];
    struct buffer b = BUFFER_INIT;
    (void)state;

    append_bundle_begin(&b, 2);
    append_bundle_put(&b, &from[0]);
    append_bundle_put(&b, &from[1]);
    assert_int_equal(append_bundle_read(buffer_slice(&b), to), 2);
    for (int i = 0; i < 2; i++) {
        assert_same(to[i].operation, from[i].operation);
        assert_same(to[i].topic, from[i].topic);
        assert_same(to[i].payload, from[i].payload);
        assert_int_equal(to[i].flags, from[i].flags);
        assert_true(to[i].window_start_us == from[i].window_start_us);
        assert_same(to[i].idempotency, from[i].idempotency);
        assert_same(to[i].sender, from[i].sender);
    }
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(append_bundle_read(slice_of(b.data, len), to), 0);
    buffer_put_char(&b, '\0');
    assert_int_equal(append_bundle_read(buffer_slice(&b), to), 0);
    buffer_clear(&b);
    append_bundle_begin(&b, APPEND_MAX + 1);
    for (int i = 0; i <= APPEND_MAX; i++)
        append_bundle_put(&b, &from[1]);
    assert_int_equal(append_bundle_read(buffer_slice(&b), to), 0);
    buffer_release(&b);
}

static void so_it_is_with_answers(void **state)
{
    const struct append_answer from[] = {
        {200, UINT64_MAX, 7, INT64_MAX, UINT64_MAX, 0, true, slice_str("")},
        {429, 0, 0, 0, 0, UINT32_MAX, false, slice_str("too [many], yet")},
    };
    struct append_answer to;
    struct buffer b = BUFFER_INIT;
    struct json_writer w = json_writer_of(&b);
    (void)state;

    json_array(&w);
    append_answer_put(&w, &from[0]);
    append_answer_put(&w, &from[1]);
    json_array_end(&w);
    struct append_answers left = {b.data, b.data + b.len};
    for (int i = 0; i < 2; i++) {
        assert_true(append_answer_next(&left, &to));
        assert_int_equal(to.status, from[i].status);
        assert_true(to.id == from[i].id && to.seq == from[i].seq);
        assert_true(to.at_us == from[i].at_us);
        assert_true(to.remaining == from[i].remaining);
        assert_int_equal(to.retry_after_s, from[i].retry_after_s);
        assert_int_equal(to.repeated, from[i].repeated);
        assert_same(to.reason, from[i].reason);
    }
    assert_false(append_answer_next(&left, &to));
    for (size_t len = 0; len < b.len - 1; len++) {
        left = (struct append_answers){b.data, b.data + len};
        assert_false(append_answer_next(&left, &to) &&
                     append_answer_next(&left, &to));
    }
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_side_writes_the_other_reads),
        cmocka_unit_test(so_it_is_with_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
