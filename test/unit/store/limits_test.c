/* A plan's limits: the arithmetic (store/write/limits.h) and the writer's verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/write/account.h"
#include "store/write/limits.h"
#include "test/unit/store/writing.h"

#define NOW TEST_EPOCH
#define HOUR (3600 * SECOND)

/* ---- arithmetic ------------------------------------------------------- */

static void a_window_is_an_hour_from_its_first_request(void **state)
{
    static const struct {
        int64_t start_us;
        bool active;
    } rows[] = {
        {0, false},
        {NOW, true},
        {NOW - HOUR, false},
        {NOW - HOUR + 1, true},
        {NOW + 5, true},         /* the clock was set back a little … */
        {NOW + HOUR / 2, false}, /* … or much: do not wait for that time */
        {NOW + HOUR, false},
        {-1, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct usage_row u = {.window_start_us = rows[i].start_us};
        assert_int_equal(window_active(&u, NOW), rows[i].active);
    }
}

static void retry_after_is_rounded_up_and_never_zero(void **state)
{
    static const struct {
        int64_t start_us;
        uint32_t ends_in_s;
    } rows[] = {
        {NOW, 3600},
        {NOW - 1, 3600},
        {NOW - SECOND, 3599},
        {NOW - HOUR + 1, 1},
        {NOW - HOUR, 1},
        {NOW + 10 * SECOND, 3600},
        {NOW - HOUR + SECOND + 1, 2},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct usage_row u = {.window_start_us = rows[i].start_us};
        assert_int_equal(window_ends_in_s(&u, NOW), rows[i].ends_in_s);
    }
}

static void a_write_opens_or_joins_the_window(void **state)
{
    struct usage_row u = {0};
    (void)state;

    count_write(&u, NOW, 0);
    assert_int_equal(u.window_start_us, NOW);
    count_write(&u, NOW + 5, NOW - 9); /* active: the bridge's is not asked */
    assert_int_equal(u.window_start_us, NOW);
    assert_int_equal(u.writes, 2);

    u.reads = 7;
    count_write(&u, NOW + HOUR, NOW + HOUR - 3); /* over: the bridge's */
    assert_int_equal(u.window_start_us, NOW + HOUR - 3);
    assert_int_equal(u.writes, 1);
    assert_int_equal(u.reads, 0);

    u.window_start_us = 0;
    count_write(&u, NOW, NOW - HOUR); /* stale: now */
    assert_int_equal(u.window_start_us, NOW);
    u.window_start_us = 0;
    count_write(&u, NOW, NOW + 1); /* the future: would be more than an hour */
    assert_int_equal(u.window_start_us, NOW);
}

static void reads_are_merged_not_added(void **state)
{
    struct usage_row u = {0};
    (void)state;

    assert_true(merge_reads(&u, NOW, NOW - 10, 3));
    assert_int_equal(u.window_start_us, NOW - 10);
    assert_int_equal(u.reads, 3);
    assert_false(merge_reads(&u, NOW, NOW - 10, 3)); /* heard twice */
    assert_true(merge_reads(&u, NOW, NOW - 10, 5));
    assert_false(merge_reads(&u, NOW, NOW - 10, 4)); /* an older word */
    assert_int_equal(u.reads, 5);
    count_write(&u, NOW, 0);
    assert_true(merge_reads(&u, NOW, NOW - 20, 5)); /* the earlier start */
    assert_int_equal(u.window_start_us, NOW - 20);
    assert_int_equal(u.writes, 1);
    assert_false(merge_reads(&u, NOW, NOW - 5, 5)); /* a later one */
    assert_int_equal(u.window_start_us, NOW - 20);
    assert_false(merge_reads(&u, NOW, NOW - HOUR, 50)); /* a stale one */
    assert_false(merge_reads(&u, NOW, 0, 50));
    assert_int_equal(u.reads, 5);
    /* after the hour, a new window forgets the old counts */
    assert_true(merge_reads(&u, NOW + 2 * HOUR, NOW + 2 * HOUR - 1, 1));
    assert_int_equal(u.reads, 1);
    assert_int_equal(u.writes, 0);
}

static void zero_means_no_limit(void **state)
{
    const struct plan p = {.name = "local"};
    const struct usage_row u = {.window_start_us = NOW,
                                .writes = UINT64_MAX,
                                .things = UINT64_MAX,
                                .bytes = UINT64_MAX};
    (void)state;

    assert_int_equal(writes_left(&p, &u, NOW), UINT64_MAX);
    const struct message_weight all = {UINT64_MAX, UINT64_MAX, true};
    assert_int_equal(plan_verdict(&p, &u, NOW, &all), RESULT_OK);
}

static void each_limit_has_its_verdict_at_its_edge(void **state)
{
    const struct plan p = {.writes_per_hour = 10,
                           .payload_max = 100,
                           .things_max = 3,
                           .bytes_max = 1000};
    static const struct {
        uint64_t writes, things, bytes;
        struct message_weight weight; /* payload, cost, new thing */
        enum command_result verdict;
    } rows[] = {
        {0, 0, 0, {100, 100, true}, RESULT_OK},
        {0, 0, 0, {101, 101, true}, RESULT_TOO_LARGE},
        {9, 0, 0, {1, 1, true}, RESULT_OK},
        {10, 0, 0, {1, 1, true}, RESULT_RATE},
        {11, 0, 0, {1, 1, true}, RESULT_RATE}, /* the limit was lowered */
        {0, 2, 0, {1, 1, true}, RESULT_OK},
        {0, 3, 0, {1, 1, true}, RESULT_THINGS},
        {0, 3, 0, {1, 1, false}, RESULT_OK},
        {0, 0, 900, {10, 100, false}, RESULT_OK},
        {0, 0, 901, {10, 100, false}, RESULT_BYTES},
        {0, 0, 2000, {0, 0, false}, RESULT_BYTES},
        {10,
         3,
         1000,
         {101, 101, true},
         RESULT_TOO_LARGE}, /* what waiting won't mend */
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct usage_row u = {.window_start_us = NOW - 1,
                                    .writes = rows[i].writes,
                                    .things = rows[i].things,
                                    .bytes = rows[i].bytes};
        assert_int_equal(plan_verdict(&p, &u, NOW, &rows[i].weight),
                         rows[i].verdict);
    }
}

/* ---- the writer's verdicts -------------------------------------------- */

static void the_hundred_and_first_write_of_an_hour_is_refused(void **state)
{
    struct writing w;
    struct command c;
    (void)state;

    writing_open(&w, 0);
    create_token(&w, "t", "free");
    for (uint64_t i = 0; i < 100; i++) {
        c = append(&w, "t/x", "v");
        assert_result(c, OK);
        assert_int_equal(c.remaining, 99 - i);
    }
    clock_advance(600 * SECOND);
    c = append(&w, "t/x", "v");
    assert_result(c, RATE);
    assert_int_equal(c.remaining, 0);
    assert_int_equal(c.retry_after_s, 3000);
    writing_restart(&w); /* counters survive */
    assert_result(append(&w, "t/y", "v"), RATE);
    assert_int_equal(usage_of(&w, "t").writes, 100); /* refused: counts 0 */
    assert_result(append(&w, "u/x", "v"), OK);       /* another token's not */

    clock_set(TEST_EPOCH + HOUR);
    c = append(&w, "t/x", "v");
    assert_result(c, OK);
    assert_int_equal(c.remaining, 99);
    assert_int_equal(usage_of(&w, "t").window_start_us, TEST_EPOCH + HOUR);
    writing_close(&w);
}

static void one_group_does_not_get_past_a_limit(void **state)
{
    struct sent *all[150];
    struct writing w;
    int ok = 0;
    (void)state;

    writing_open(&w, 0);
    create_token(&w, "t", "free");
    for (int i = 0; i < 150; i++)
        all[i] = new_append("t/x", "v");
    run_together(&w, all, 150);
    for (int i = 0; i < 150; i++) {
        ok += all[i]->c.result == RESULT_OK;
        assert_int_equal(all[i]->c.result, i < 100 ? RESULT_OK : RESULT_RATE);
        sent_free(all[i]);
    }
    assert_int_equal(ok, 100);
    assert_int_equal(check_store(&w), 100);
    writing_close(&w);
}

static void the_bridges_window_is_the_tokens_window(void **state)
{
    struct writing w;
    struct sent *s;
    (void)state;

    writing_open(&w, 0);
    create_token(&w, "t", "free");
    s = new_append("t/x", "v");
    ARGS(s, message_append)->window_start_us =
        TEST_EPOCH - 1800 * SECOND; /* its first read */
    assert_result(run(&w, s), OK);
    assert_int_equal(usage_of(&w, "t").window_start_us,
                     TEST_EPOCH - 1800 * SECOND);
    assert_result(tell_usage(&w, "t", TEST_EPOCH - 1800 * SECOND, 12), OK);
    assert_int_equal(usage_of(&w, "t").reads, 12);
    assert_int_equal(usage_of(&w, "t").writes, 1);
    const uint64_t commits = stats_of(&w).commits;
    assert_result(tell_usage(&w, "t", TEST_EPOCH - 1800 * SECOND, 12), OK);
    assert_result(tell_usage(&w, "t", TEST_EPOCH - 3600 * SECOND, 99), OK);
    assert_int_equal(stats_of(&w).commits, commits); /* nothing new */
    assert_int_equal(usage_of(&w, "t").reads, 12);
    assert_result(tell_usage(&w, "nobody", TEST_EPOCH, 1), NOT_FOUND);
    writing_close(&w);
}

/* What a message of so many bytes counts. */
static uint64_t cost(const char *topic, size_t payload)
{
    const struct message m = {.topic = slice_str(topic),
                              .payload = slice_of("", payload)};

    return account_message_cost(&m);
}

static void things_of_a_token_are_limited(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    writing_plan(&w, "paid")->things_max = 2;
    create_token(&w, "t", "paid");
    assert_result(append(&w, "t/a", "123"), OK);
    assert_result(append(&w, "t/b", "123"), OK);
    assert_result(append(&w, "t/c", "1"), THINGS);
    assert_result(append(&w, "t/a", "1"), OK);
    check_store(&w);
    writing_close(&w);
}

static void bytes_of_a_token_are_limited(void **state)
{
    const uint64_t thing = account_thing_cost(slice_str("t/a"));
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    writing_plan(&w, "paid")->bytes_max = thing + 2 * cost("t/a", 3) + 2;
    create_token(&w, "t", "paid");
    assert_result(append(&w, "t/a", "123"), OK);
    assert_result(append(&w, "t/a", "123456"), BYTES);
    assert_result(append(&w, "t/a", "12345"), OK);
    assert_result(append(&w, "t/a", ""), BYTES);
    writing_restart(&w);
    assert_result(append(&w, "t/a", "1"), BYTES);
    assert_int_equal(trim(&w, "t/a", 1).removed, 1); /* gives back its bytes */
    assert_result(append(&w, "t/a", "123"), OK);
    assert_int_equal(usage_of(&w, "t").bytes,
                     thing + cost("t/a", 3) + cost("t/a", 5));
    check_store(&w);
    writing_close(&w);
}

/* 242 MiB were stored so by a token of 1 MB. */
static void properties_count_like_the_payload(void **state)
{
    static char name[60000];
    struct writing w;
    unsigned stored = 0;
    (void)state;

    writing_open(&w, 0);
    writing_plan(&w, "paid")->bytes_max = 1000000;
    create_token(&w, "t", "paid");
    for (int i = 0; i < 100; i++) {
        struct sent *s = new_append("t/a", "v");
        const struct message m = {
            .topic = slice_str("t/a"),
            .payload = slice_str("v"),
            .content_type = slice_of(name, i % 4 == 0 ? sizeof(name) : 1),
            .response_topic = slice_of(name, i % 4 == 1 ? sizeof(name) : 1),
            .correlation = slice_of(name, i % 4 == 2 ? sizeof(name) : 1),
            .user_properties = slice_of(name, i % 4 == 3 ? sizeof(name) : 1),
        };
        message_unref(s->c.message);
        s->c.message = message_new(&m);
        const struct command c = run(&w, s);
        if (c.result != RESULT_OK)
            assert_result(c, BYTES);
        stored += c.result == RESULT_OK;
    }
    assert_in_range(stored, 10, 1000000 / sizeof(name));
    assert_true(usage_of(&w, "t").bytes <= 1000000);
    check_store(&w);
    writing_close(&w);
}

/* Whatever the plan says: nobody fills the store alone. */
static void a_token_has_its_share_of_the_store_and_no_more(void **state)
{
    static char large[1000];
    const uint64_t size = 4 << 20;
    struct writing w;
    struct command c;
    (void)state;

    writing_open(&w, size);
    w.config.limits_token_share = 25;
    create_token(&w, "hog", "paid");
    create_token(&w, "quiet", "paid");
    do
        c = run(&w, new_append_bytes("hog/a", large, sizeof(large), false));
    while (c.result == RESULT_OK);
    assert_result(c, SHARE);
    assert_int_equal(command_status(c.result), 507);
    assert_in_range(usage_of(&w, "hog").bytes, size / 4 - 2000, size / 4);
    struct sent *s = new_append_bytes("hog/a", large, sizeof(large), false);
    ARGS(s, message_append)->uncharged = true; /* not even so */
    assert_result(run(&w, s), SHARE);
    assert_result(append(&w, "quiet/a", "v"), OK);
    assert_true(stats_of(&w).accepting);
    assert_true(trim(&w, "hog/a", 100).removed > 0);
    assert_result(append(&w, "hog/a", "v"), OK);
    check_store(&w);
    writing_close(&w);
}

static void what_belongs_to_no_token_has_one_share_together(void **state)
{
    static char large[1000];
    struct writing w;
    struct command c;
    char topic[32];
    int i = 0;
    (void)state;

    writing_open(&w, 4 << 20);
    w.config.limits_token_share = 50;
    do {
        snprintf(topic, sizeof(topic), "/%d", i++);
        c = run(&w, new_append_bytes(topic, large, sizeof(large), false));
    } while (c.result == RESULT_OK);
    assert_result(c, SHARE);
    assert_result(append(&w, "t/a", "v"), OK);
    check_store(&w);
    writing_close(&w);
}

static void nameless_writers_are_counted_but_not_limited(void **state)
{
    struct writing w;
    struct sent *s;
    (void)state;

    writing_open(&w, 0);
    writing_plan(&w, "local")->writes_per_hour = 1;
    writing_plan(&w, "local")->payload_max = 3;
    for (int i = 0; i < 5; i++) {
        s = new_append("t/x", "12345");
        ARGS(s, message_append)->uncharged = true;
        const struct command c = run(&w, s);
        assert_result(c, OK);
        assert_int_equal(c.remaining, UINT64_MAX);
    }
    assert_int_equal(usage_of(&w, "t").bytes,
                     5 * cost("t/x", 5) +
                         account_thing_cost(slice_str("t/x")));
    assert_int_equal(usage_of(&w, "t").things, 1);
    assert_int_equal(usage_of(&w, "t").writes, 0);
    assert_result(append(&w, "t/x", "1234"), TOO_LARGE);
    assert_result(append(&w, "t/x", "123"), OK);
    assert_result(append(&w, "t/x", "123"), RATE);
    revoke_token(&w, "t");
    s = new_append("t/x", "v");
    ARGS(s, message_append)->uncharged = true;
    assert_result(run(&w, s), REVOKED);
    writing_close(&w);
}

static void topics_of_no_token_have_only_the_stores_limits(void **state)
{
    static const char *const topics[] = {"plain", "/leading", "to ken/thing",
                                         "t//x",  "t/$sys",   "$x/y"};
    struct thing_row row;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    writing_plan(&w, "local")->payload_max = 1;
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        const struct command c = append(&w, topics[i], "more than one byte");
        assert_result(c, OK);
        assert_int_equal(c.remaining, UINT64_MAX);
        assert_true(thing_of(&w, topics[i], &row));
    }
    assert_int_equal(ROWS_IN(&w, tokens), 0);
    assert_int_equal(ROWS_IN(&w, usage), 1); /* theirs together */
    assert_int_equal(check_store(&w), 6);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_an_hour_from_its_first_request),
        cmocka_unit_test(retry_after_is_rounded_up_and_never_zero),
        cmocka_unit_test(a_write_opens_or_joins_the_window),
        cmocka_unit_test(reads_are_merged_not_added),
        cmocka_unit_test(zero_means_no_limit),
        cmocka_unit_test(each_limit_has_its_verdict_at_its_edge),
        cmocka_unit_test(the_hundred_and_first_write_of_an_hour_is_refused),
        cmocka_unit_test(one_group_does_not_get_past_a_limit),
        cmocka_unit_test(the_bridges_window_is_the_tokens_window),
        cmocka_unit_test(things_of_a_token_are_limited),
        cmocka_unit_test(bytes_of_a_token_are_limited),
        cmocka_unit_test(properties_count_like_the_payload),
        cmocka_unit_test(a_token_has_its_share_of_the_store_and_no_more),
        cmocka_unit_test(what_belongs_to_no_token_has_one_share_together),
        cmocka_unit_test(nameless_writers_are_counted_but_not_limited),
        cmocka_unit_test(topics_of_no_token_have_only_the_stores_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
