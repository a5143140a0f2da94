#include "broker/io/out_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bench {
    struct block_pool pool;
    struct arena arena;
    struct out_queue q;
};

static void begin(struct bench *b)
{
    *b = (struct bench){0};
    out_queue_init(&b->q);
}

static void end(struct bench *b)
{
    out_queue_release(&b->q, &b->pool);
    arena_release(&b->arena, &b->pool);
    block_pool_release(&b->pool);
}

/* Writes text into the arena and lets the queue have it. */
static void share(struct bench *b, struct out_queue *q, const char *text)
{
    struct block_range range;
    char *to = arena_reserve(&b->arena, &b->pool, strlen(text), &range);

    assert_non_null(to);
    memcpy(to, text, strlen(text));
    assert_true(out_queue_share(q, &b->pool, &range));
    block_unref(&b->pool, range.block);
}

static void copy(struct bench *b, const char *text)
{
    assert_true(out_queue_copy(&b->q, &b->pool, slice_str(text)));
}

/* All that waits, as text. */
static const char *text_of(const struct out_queue *q)
{
    static char text[2 * OUT_QUEUE_BYTES_MAX];
    struct iovec runs[OUT_QUEUE_RUNS_MAX];
    const int n = out_queue_gather(q, runs, OUT_QUEUE_RUNS_MAX);
    size_t len = 0;

    for (int i = 0; i < n; i++) {
        memcpy(text + len, runs[i].iov_base, runs[i].iov_len);
        len += runs[i].iov_len;
    }
    assert_int_equal(len, q->bytes);
    text[len] = '\0';
    return text;
}

static void what_goes_in_comes_out_in_order(void **state)
{
    struct bench b;
    (void)state;

    begin(&b);
    share(&b, &b.q, "one ");
    copy(&b, "two ");
    share(&b, &b.q, "three ");
    copy(&b, "four");
    assert_string_equal(text_of(&b.q), "one two three four");
    out_queue_consume(&b.q, &b.pool, 5);
    assert_string_equal(text_of(&b.q), "wo three four");
    out_queue_consume(&b.q, &b.pool, b.q.bytes);
    assert_int_equal(b.q.count, 0);
    end(&b);
}

static void messages_side_by_side_are_one_run_for_every_receiver(void **state)
{
    enum { RECEIVERS = 10, MESSAGES = 64 };
    struct out_queue queues[RECEIVERS];
    struct block_range range;
    struct bench b;
    (void)state;

    begin(&b);
    for (int i = 0; i < RECEIVERS; i++)
        out_queue_init(&queues[i]);
    for (int m = 0; m < MESSAGES; m++) {
        char *to = arena_reserve(&b.arena, &b.pool, 100, &range);
        memset(to, 'm', 100);
        for (int i = 0; i < RECEIVERS; i++)
            assert_true(out_queue_share(&queues[i], &b.pool, &range));
        block_unref(&b.pool, range.block);
    }
    for (int i = 0; i < RECEIVERS; i++) {
        assert_int_equal(queues[i].count, 1);
        assert_int_equal(queues[i].bytes, MESSAGES * 100);
        out_queue_release(&queues[i], &b.pool);
    }
    end(&b);
}

static void own_answers_in_a_row_are_one_run(void **state)
{
    struct bench b;
    (void)state;

    begin(&b);
    for (int i = 0; i < 100; i++)
        copy(&b, "ackn");
    assert_int_equal(b.q.count, 1);
    end(&b);
}

static void a_drained_queue_holds_no_memory(void **state)
{
    struct bench b;
    (void)state;

    begin(&b);
    for (int i = 0; i < 100; i++) {
        share(&b, &b.q, "s");
        copy(&b, "c");
    }
    assert_true(b.q.runs != b.q.few);
    out_queue_consume(&b.q, &b.pool, b.q.bytes);
    assert_ptr_equal(b.q.runs, b.q.few);
    assert_null(b.q.open);
    arena_rewind(&b.arena);
    assert_int_equal(b.arena.current->used, 0);
    end(&b);
}

static void an_arena_in_use_does_not_start_over(void **state)
{
    struct bench b;
    (void)state;

    begin(&b);
    share(&b, &b.q, "still needed");
    arena_rewind(&b.arena);
    share(&b, &b.q, " and more");
    assert_string_equal(text_of(&b.q), "still needed and more");
    end(&b);
}

static void a_blocked_queue_lets_go_of_shared_blocks(void **state)
{
    struct bench b;
    (void)state;

    begin(&b);
    share(&b, &b.q, "one ");
    copy(&b, "two ");
    share(&b, &b.q, "three ");
    out_queue_consume(&b.q, &b.pool, 1);
    out_queue_block(&b.q, &b.pool);
    assert_int_equal(b.arena.current->refs, 1); /* the arena's own */
    share(&b, &b.q, "four");
    assert_int_equal(b.arena.current->refs, 1);
    assert_string_equal(text_of(&b.q), "ne two three four");
    out_queue_consume(&b.q, &b.pool, b.q.bytes);
    out_queue_unblock(&b.q);
    share(&b, &b.q, "five");
    assert_int_equal(b.arena.current->refs, 2);
    end(&b);
}

static void a_large_message_is_shared_even_by_blocked_queues(void **state)
{
    struct block_range range;
    struct bench b;
    (void)state;

    begin(&b);
    out_queue_block(&b.q, &b.pool);
    char *to = arena_reserve(&b.arena, &b.pool, 100000, &range);
    memset(to, 'x', 100000);
    assert_true(out_queue_share(&b.q, &b.pool, &range));
    assert_int_equal(range.block->kind, BLOCK_EXACT);
    assert_int_equal(range.block->refs, 2);
    block_unref(&b.pool, range.block);
    assert_int_equal(b.q.bytes, 100000);
    end(&b);
}

static void bytes_and_runs_both_have_a_bound(void **state)
{
    char large[BLOCK_SHARED_MAX];
    struct bench b;
    (void)state;

    begin(&b);
    memset(large, 'x', sizeof(large));
    while (!out_queue_full(&b.q, &b.pool))
        assert_true(
            out_queue_copy(&b.q, &b.pool, slice_of(large, sizeof(large))));
    assert_in_range(b.q.bytes, OUT_QUEUE_BYTES_MAX,
                    OUT_QUEUE_BYTES_MAX + sizeof(large));
    out_queue_release(&b.q, &b.pool);
    while (!out_queue_full(&b.q, &b.pool)) {
        share(&b, &b.q, "s");
        copy(&b, "c");
    }
    assert_in_range(b.q.count, OUT_QUEUE_RUNS_MAX, OUT_QUEUE_RUNS_MAX + 1);
    end(&b);
}

static void while_all_hold_much_each_may_hold_less(void **state)
{
    char some[OUT_QUEUE_BYTES_SHORT + 1] = {0};
    struct block *hog;
    struct bench b;
    (void)state;

    begin(&b);
    assert_true(out_queue_copy(&b.q, &b.pool, slice_of(some, sizeof(some))));
    assert_false(out_queue_full(&b.q, &b.pool));
    hog = block_new(&b.pool, BLOCK_EXACT, OUT_QUEUES_BYTES_MAX);
    assert_true(out_queue_full(&b.q, &b.pool));
    block_unref(&b.pool, hog);
    assert_false(out_queue_full(&b.q, &b.pool));
    out_queue_release(&b.q, &b.pool);
    assert_int_equal(b.pool.exact_bytes, 0);
    end(&b);
}

/* Random adding, sending and blocking against a plain string. */
static void never_loses_or_changes_a_byte(void **state)
{
    static char expected[1 << 20];
    size_t from = 0, to = 0;
    char text[300];
    struct bench b;
    (void)state;

    begin(&b);
    srand(2);
    for (int round = 0; round < 4000; round++) {
        const size_t len = 1 + (size_t)rand() % (sizeof(text) - 1);
        for (size_t i = 0; i < len; i++)
            text[i] = (char)('a' + rand() % 26);
        text[len] = '\0';
        switch (rand() % 6) {
        case 0:
        case 1: share(&b, &b.q, text); break;
        case 2: copy(&b, text); break;
        case 3: out_queue_block(&b.q, &b.pool); continue;
        case 4:
            out_queue_unblock(&b.q);
            arena_rewind(&b.arena);
            continue;
        default: {
            const size_t n =
                b.q.bytes == 0 ? 0 : (size_t)rand() % (b.q.bytes + 1);
            out_queue_consume(&b.q, &b.pool, n);
            from += n;
            continue;
        }
        }
        memcpy(expected + to, text, len);
        to += len;
        assert_int_equal(b.q.bytes, to - from);
        assert_memory_equal(text_of(&b.q), expected + from, to - from);
    }
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_in_order),
        cmocka_unit_test(messages_side_by_side_are_one_run_for_every_receiver),
        cmocka_unit_test(own_answers_in_a_row_are_one_run),
        cmocka_unit_test(a_drained_queue_holds_no_memory),
        cmocka_unit_test(an_arena_in_use_does_not_start_over),
        cmocka_unit_test(a_blocked_queue_lets_go_of_shared_blocks),
        cmocka_unit_test(a_large_message_is_shared_even_by_blocked_queues),
        cmocka_unit_test(bytes_and_runs_both_have_a_bound),
        cmocka_unit_test(while_all_hold_much_each_may_hold_less),
        cmocka_unit_test(never_loses_or_changes_a_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
