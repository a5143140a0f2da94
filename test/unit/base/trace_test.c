#include "base/trace.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hops.h"

static uint64_t
    owner; /* another one in each test: the last trace still runs */

static int follow_tok(void **state)
{
    struct trace_line line;

    (void)state;
    atomic_store(&trace_token, 0);
    assert_true(trace_keep(slice_str("tok"), ++owner, clock_mono_us()));
    while (trace_next(&line))
        ;
    (void)trace_take_dropped();
    return 0;
}

static void record(const char *topic, uint64_t id)
{
    trace_record(TRACE_COMMIT, 7, slice_str(topic), id, 8, 9);
}

static void a_line_says_what_was_recorded(void **state)
{
    struct trace_line line;

    (void)state;
    record("tok/a/b", 5);
    assert_true(trace_next(&line));
    assert_int_equal(line.hop, TRACE_COMMIT);
    assert_int_equal(line.who, 7);
    assert_int_equal(line.id, 5);
    assert_int_equal(line.ref, 8);
    assert_int_equal(line.bytes, 9);
    assert_int_equal(line.thing_len, 3);
    assert_memory_equal(line.thing, "a/b", 3);
    assert_false(trace_next(&line));
}

static void other_tokens_are_not_recorded(void **state)
{
    struct trace_line line;

    (void)state;
    record("toc/a", 1);
    record("tok2/a", 2);
    record("to/k", 3);
    record("", 4);
    record("tok", 5); /* the token alone: bytes to a client of it */
    assert_true(trace_next(&line));
    assert_int_equal(line.id, 5);
    assert_int_equal(line.thing_len, 0);
    assert_false(trace_next(&line));
}

static void a_full_ring_counts_what_it_drops(void **state)
{
    struct trace_line line;
    uint64_t last = 0, n = 0;

    (void)state;
    for (uint64_t id = 1; id <= 5000; id++)
        record("tok/a", id);
    while (trace_next(&line)) {
        assert_true(line.id > last);
        last = line.id;
        n++;
    }
    assert_int_equal(n, 1024);
    assert_int_equal(trace_take_dropped(), 5000 - 1024);
    assert_int_equal(trace_take_dropped(), 0);
    record("tok/a", 6000); /* there is room again */
    assert_true(trace_next(&line));
    assert_int_equal(line.id, 6000);
}

static void a_long_thing_is_cut_between_two_characters(void **state)
{
    struct trace_line line;
    char topic[4 + 63 + 2 + 1] = "tok/";

    (void)state;
    memset(topic + 4, 'x', 63);
    memcpy(topic + 4 + 63, "\xc3\xa4", 3);
    record(topic, 1);
    assert_true(trace_next(&line));
    assert_int_equal(line.thing_len, 63);
}

static void one_follows_at_a_time_and_not_for_ever(void **state)
{
    struct trace_line line;
    const int64_t now_us = clock_mono_us();

    (void)state;
    assert_false(trace_keep(slice_str("other"), owner + 1000, now_us));
    assert_true(trace_keep(slice_str("tok"), owner, now_us - 10 * 1000000));
    assert_true(trace_is_on());
    record("tok/a", 1); /* sees that nobody has asked for too long */
    assert_false(trace_is_on());
    assert_false(trace_next(&line));
    assert_true(trace_keep(slice_str("other"), ++owner, now_us));
}

static void *record_many(void *arg)
{
    (void)arg;
    for (uint64_t id = 1; id <= 500; id++)
        record("tok/a", id);
    return NULL;
}

static void each_thread_has_a_ring(void **state)
{
    pthread_t threads[4];
    struct trace_line line;
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, NULL),
                         0);
    const int64_t until_us = clock_mono_us() + 10000000;
    while (n < 4 * 500 && clock_mono_us() < until_us)
        n += trace_next(&line);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(n, 4 * 500);
    assert_int_equal(trace_take_dropped(), 0);
}

static void a_new_owner_sees_no_lines_of_the_last_one(void **state)
{
    struct trace_line line;

    (void)state;
    for (uint64_t id = 1; id <= 5000; id++)
        record("tok/a", id);
    atomic_store(&trace_token, 0); /* its lease is over */
    assert_true(trace_keep(slice_str("tok"), ++owner, clock_mono_us()));
    assert_int_equal(trace_take_dropped(), 0);
    assert_false(trace_next(&line));
    record("tok/a", 6000);
    assert_true(trace_next(&line));
    assert_int_equal(line.id, 6000);
}

/* Each hop once. */
static void hop_everywhere(struct slice topic)
{
    hop_read(1, topic, 2, NULL);
    hop_submit(1, topic, 2, NULL);
    hop_submit_all(1);
    hop_commit(topic, 1, 2, NULL);
    hop_commit_all(1, 2);
    hop_batch(1, topic, 1, 2);
    hop_deliver(1, topic, 1, 2);
    hop_send(1, topic, 2);
    hop_suspend(NULL, topic, 2);
    hop_resume(NULL, 200, topic, 1, 2);
    hop_stream_deliver(topic, 1, 2);
    hop_stream_send(1, topic, 1, 2);
}

/* With a table of all hops: a new one without its guard fails the first half, one
 * that is missing above the second. */
static void hops_do_nothing_while_nobody_traces(void **state)
{
#define X(name, word, who) +1
    bool seen[0 TRACE_HOPS(X)] = {false};
#undef X
    struct trace_line line;

    (void)state;
    atomic_store(&trace_token, 0);
    const uint64_t before = trace_calls();
    hop_everywhere(slice_str("tok/a"));
    assert_int_equal(trace_calls(), before);

    assert_true(trace_keep(slice_str("tok"), ++owner, clock_mono_us()));
    hop_everywhere(slice_str("tok/a"));
    while (trace_next(&line))
        seen[line.hop] = true;
    for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
        if (!seen[i])
            fail_msg("no line of hop %s", trace_hop_word((enum trace_hop)i));
    assert_int_equal(trace_calls(), before + sizeof(seen) / sizeof(seen[0]));
}

#define TEST(f) cmocka_unit_test_setup(f, follow_tok)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_says_what_was_recorded),
        TEST(other_tokens_are_not_recorded),
        TEST(a_full_ring_counts_what_it_drops),
        TEST(a_long_thing_is_cut_between_two_characters),
        TEST(one_follows_at_a_time_and_not_for_ever),
        TEST(each_thread_has_a_ring),
        TEST(a_new_owner_sees_no_lines_of_the_last_one),
        TEST(hops_do_nothing_while_nobody_traces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
