#include "bridge/stream/stream_output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static size_t held;

static struct run *run_of(const uint64_t *ids, const char *const *events)
{
    struct run *r = run_new(&held);

    assert_non_null(r);
    for (size_t i = 0; events[i] != NULL; i++)
        assert_true(run_append(r, ids[i], slice_str(events[i])));
    return r;
}

/* Three events of four bytes, ids 10, 12, 15. */
static struct run *three(void)
{
    static const uint64_t ids[] = {10, 12, 15};
    static const char *const events[] = {"aaa\n", "bbb\n", "ccc\n", NULL};

    return run_of(ids, events);
}

static void an_offset_skips_what_was_given(void **state)
{
    struct run *r = three();

    (void)state;
    assert_int_equal(run_offset_after(r, 0), 0);
    assert_int_equal(run_offset_after(r, 9), 0);
    assert_int_equal(run_offset_after(r, 10), 4);
    assert_int_equal(run_offset_after(r, 11), 4);
    assert_int_equal(run_offset_after(r, 14), 8);
    assert_int_equal(run_offset_after(r, 15), 12);
    assert_int_equal(run_offset_after(r, UINT64_MAX), r->len);
    assert_true(held > 0);
    run_unref(r);
    assert_int_equal(held, 0);
}

static void what_was_pushed_arrives_in_order(void **state)
{
    struct output o = {0};
    int fds[2];
    char got[64];
    size_t sent;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct run *r = three();
    assert_true(output_push(&o, r, 2, 12));
    for (int i = 0; i < 9; i++)
        assert_true(output_push(&o, r, 4, 8));
    run_unref(r);
    assert_int_equal(o.bytes, 10 + 36);
    assert_int_equal(output_flush(&o, fds[0], &sent), OUTPUT_EMPTY);
    assert_int_equal(sent, 46);
    assert_int_equal(read(fds[1], got, sizeof(got)), 46);
    assert_memory_equal(got, "a\nbbb\nccc\nbbb\nbbb\n", 18);
    assert_true(output_empty(&o));
    assert_null(o.segments);
    assert_int_equal(held, 0);
    close(fds[0]);
    close(fds[1]);
}

static void a_full_socket_keeps_the_rest(void **state)
{
    struct output o = {0};
    int fds[2];
    size_t sent, total = 0, got = 0;
    char *big = malloc(1000000), in[65536];

    (void)state;
    memset(big, 'x', 1000000);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct run *r = run_new(&held);
    assert_true(run_append(r, 1, slice_of(big, 1000000)));
    assert_true(output_push(&o, r, 0, r->len));
    run_unref(r);
    while (total < 1000000) {
        const enum output_result result = output_flush(&o, fds[0], &sent);
        assert_int_not_equal(result, OUTPUT_BROKEN);
        total += sent;
        assert_int_equal(o.bytes, 1000000 - total);
        ssize_t n;
        while ((n = recv(fds[1], in, sizeof(in), MSG_DONTWAIT)) > 0)
            got += (size_t)n;
    }
    assert_int_equal(got, 1000000);
    assert_int_equal(held, 0);
    close(fds[1]);
    r = three();
    assert_true(output_push(&o, r, 0, r->len));
    run_unref(r);
    assert_int_equal(output_flush(&o, fds[0], &sent), OUTPUT_BROKEN);
    output_release(&o);
    assert_int_equal(held, 0);
    close(fds[0]);
    free(big);
}

static void a_cut_ends_at_an_event_and_says_where(void **state)
{
    static const struct {
        size_t from;       /* sent up to here */
        size_t left;       /* bytes after the cut */
        uint64_t position; /* 0: nothing cut */
    } cases[] = {
        {0, 0, 9},  {1, 3, 11}, {3, 1, 11}, {4, 0, 11},
        {5, 3, 14}, {8, 0, 14}, {9, 3, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct output o = {0};
        uint64_t position = 0;
        struct run *r = three();
        assert_true(output_push(&o, r, cases[i].from, r->len));
        assert_int_equal(output_cut(&o, &position), cases[i].position != 0);
        assert_int_equal(position, cases[i].position);
        assert_int_equal(o.bytes, cases[i].left);
        assert_int_equal(output_empty(&o), cases[i].left == 0);
        output_release(&o);
        run_unref(r);
        assert_int_equal(held, 0);
    }
}

static void a_segment_ends_where_it_was_given_though_the_run_grows(
    void **state)
{
    static const uint64_t ids[] = {10, 11};
    static const char *const events[] = {"aaaa", "bbbb", NULL};
    struct output o = {0}, begun = {0};
    struct run *r = run_of(ids, events);
    uint64_t position = 0;

    (void)state;
    assert_true(output_push(&o, r, 4, 8));
    assert_true(output_push(&begun, r, 5, 8));
    assert_true(run_append(r, 15, slice_str("cccc")));
    assert_int_equal(run_offset_after(r, 11), 8);
    /* 11 has begun to be sent, 15 is not in it */
    assert_false(output_cut(&begun, &position));
    assert_int_equal(begun.bytes, 3);
    assert_true(output_push(&o, r, 8, 12));
    assert_int_equal(o.count, 1);
    assert_int_equal(o.bytes, 8);
    assert_true(output_cut(&o, &position));
    assert_int_equal(position, 10);
    assert_int_equal(o.bytes, 0);
    run_unref(r);
    output_release(&o);
    output_release(&begun);
    assert_int_equal(held, 0);
}

static void a_cut_drops_later_segments_and_keeps_what_is_no_message(
    void **state)
{
    static const uint64_t kept[] = {RUN_KEPT};
    static const char *const head[] = {"HEAD", NULL};
    struct output o = {0};
    uint64_t position = 0;

    (void)state;
    struct run *h = run_of(kept, head), *r = three();
    assert_true(output_push(&o, h, 0, h->len));
    assert_true(output_push(&o, r, 4, r->len)); /* 10 was a double */
    assert_true(output_push(&o, r, 0, r->len));
    run_unref(h);
    run_unref(r);
    assert_true(output_cut(&o, &position));
    assert_int_equal(position, 11);
    assert_int_equal(o.bytes, 4);
    assert_int_equal(o.count, 1);
    assert_false(output_cut(&o, &position));
    output_release(&o);
    assert_int_equal(held, 0);
}

static void a_cut_keeps_answers_behind_messages(void **state)
{
    static const uint64_t kept[] = {RUN_KEPT};
    static const char *const answer[] = {"ANSWER", NULL};
    struct output o = {0};
    uint64_t position = 0;

    (void)state;
    struct run *a = run_of(kept, answer), *r = three();
    assert_true(output_push(&o, r, 0, r->len));
    assert_true(output_push(&o, a, 0, a->len));
    assert_true(output_push(&o, r, 0, r->len));
    run_unref(a);
    run_unref(r);
    assert_true(output_cut(&o, &position));
    assert_int_equal(position, 9);
    assert_int_equal(o.bytes, 6);
    assert_int_equal(o.count, 1);
    output_release(&o);
    assert_int_equal(held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_keeps_answers_behind_messages),
        cmocka_unit_test(an_offset_skips_what_was_given),
        cmocka_unit_test(what_was_pushed_arrives_in_order),
        cmocka_unit_test(a_full_socket_keeps_the_rest),
        cmocka_unit_test(a_cut_ends_at_an_event_and_says_where),
        cmocka_unit_test(
            a_segment_ends_where_it_was_given_though_the_run_grows),
        cmocka_unit_test(
            a_cut_drops_later_segments_and_keeps_what_is_no_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
