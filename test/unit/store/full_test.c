/* No room and no disk: what is refused, what goes on, and that writing resumes
 * by itself. A full disk is tested with the real server (test/fault). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "test/unit/store/writing.h"

#define MiB (UINT64_C(1) << 20)

static char large[1 << 20];

static struct command append_large(struct writing *w, const char *topic,
                                   size_t len)
{
    return run(w, new_append_bytes(topic, large, len, false));
}

#define TOGETHER 64

static bool fits(struct writing *w, const char *topic, size_t len)
{
    const struct command c = append_large(w, topic, len);

    if (c.result == RESULT_OK)
        return true;
    assert_result(c, FULL);
    assert_int_equal(c.id, 0);
    assert_int_equal(command_status(c.result), 507);
    return false;
}

/* Until refused; returns the number accepted. */
static uint64_t fill(struct writing *w, const char *topic, size_t len)
{
    struct sent *all[TOGETHER];
    uint64_t n = 0;

    for (uint64_t refused = 0; refused == 0;) {
        for (int i = 0; i < TOGETHER; i++)
            all[i] = new_append_bytes(topic, large, len, false);
        run_together(w, all, TOGETHER);
        for (int i = 0; i < TOGETHER; i++) {
            n += all[i]->c.result == RESULT_OK;
            refused += all[i]->c.result == RESULT_FULL;
            sent_free(all[i]);
        }
        assert_int_equal((n + refused) % TOGETHER, 0);
    }
    while (fits(w, topic, len)) /* what was estimated is measured now */
        n++;
    return n;
}

static void trim_until_accepted(struct writing *w, const char *topic,
                                size_t len)
{
    struct thing_row row;

    for (int i = 0; i < 100; i++) {
        assert_true(thing_of(w, topic, &row));
        assert_result(trim(w, topic, row.first_id + 9), OK);
        for (int j = 0; j < 5; j++)
            if (fits(w, topic, len))
                return;
    }
    fail_msg("trimming never made room");
}

static void above_the_soft_limit_appends_are_refused_and_the_rest_goes_on(
    void **state)
{
    struct writing w;
    struct command c;
    (void)state;

    writing_open(&w, 4 * MiB);
    append(&w, "t/x", "the first");
    uint64_t n = fill(&w, "t/fill", 1000);
    assert_true(n > 2000 && n < 4200);
    assert_false(stats_of(&w).accepting);
    assert_result(create_token(&w, "new", "free"), FULL);
    assert_result(ping(&w), FULL); /* written, and says so */
    assert_result(tell_usage(&w, "t", TEST_EPOCH, 5), OK);
    c = run(&w, new_event("$events/t/typing/x"));
    assert_result(c, OK);
    writing_restart(&w); /* a full store opens */
    n += fill(&w, "t/fill", 1000);
    assert_true(n < 4200);
    assert_result(trim(&w, "t/x", UINT64_MAX), OK);
    assert_result(revoke_token(&w, "t"), OK);
    assert_int_equal(check_store(&w), n);
    writing_close(&w);
}

static void trimming_makes_room_again_and_again(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 2 * MiB);
    fill(&w, "t/x", 1000);
    for (int round = 0; round < 10; round++) {
        assert_false(stats_of(&w).accepting);
        trim_until_accepted(&w, "t/x", 1000);
        wait_for_leftovers(&w);
        fill(&w, "t/x", round % 2 ? 1000 : 5000); /* with and without
                                                    pages of their own */
    }
    assert_true(store_end(store_env(w.store)) < 12 * MiB);
    check_store(&w);
    writing_close(&w);
}

static void a_message_too_large_for_the_room_left_is_refused_alone(
    void **state)
{
    struct sent *all[3];
    struct writing w;
    (void)state;

    writing_open(&w, 1 * MiB);
    all[0] = new_append("t/x", "v");
    all[1] = new_append_bytes("t/x", large, sizeof(large), false);
    all[2] = new_append("t/x", "v");
    run_together(&w, all, 3);
    assert_result(all[0]->c, OK);
    assert_result(all[1]->c, FULL);
    assert_result(all[2]->c, OK);
    assert_int_equal(all[2]->c.seq, 2);
    for (int i = 0; i < 3; i++)
        sent_free(all[i]);
    assert_true(stats_of(&w).accepting);
    assert_int_equal(check_store(&w), 2);
    writing_close(&w);
}

static void one_group_does_not_get_past_the_soft_limit(void **state)
{
    const size_t n = 4000;
    struct sent **all = calloc(n, sizeof(*all));
    struct writing w;
    uint64_t ok = 0;
    (void)state;

    writing_open(&w, 2 * MiB);
    for (size_t i = 0; i < n; i++)
        all[i] = new_append_bytes("t/x", large, 2500, false);
    run_together(&w, all, n);
    for (size_t i = 0; i < n; i++) {
        if (all[i]->c.result == RESULT_OK)
            assert_int_equal(all[i]->c.seq, ++ok);
        else
            assert_result(all[i]->c, FULL);
        sent_free(all[i]);
    }
    free(all);
    assert_true(ok > 300 && ok < 700); /* pages of 4096 */
    assert_true(store_end(store_env(w.store)) < 3 * MiB);
    assert_int_equal(check_store(&w), ok);
    writing_close(&w);
}

static void a_pinned_reader_costs_room_but_not_the_trims(void **state)
{
    struct thing_row row;
    struct writing w;
    (void)state;

    writing_open(&w, 4 * MiB);
    fill(&w, "t/x", 1000);
    struct store_reader *r = store_reader_acquire(w.store);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    const uint64_t head = store_head(r);
    for (int i = 0; i < 50; i++) {
        assert_true(thing_of(&w, "t/x", &row));
        assert_result(trim(&w, "t/x", row.first_id + 9), OK);
        assert_result(append_large(&w, "t/x", 1000), FULL);
        assert_result(ping(&w), FULL);
    }
    assert_int_equal(store_head(r), head);
    store_reader_release(r);
    wait_for_leftovers(&w);
    /* The pages it held come back; the free list is not walked all the time. */
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    assert_result(append_large(&w, "t/x", 1000), OK);
    assert_true(stats_of(&w).accepting);
    check_store(&w);
    writing_close(&w);
}

/* ---- the reserve of the map ------------------------------------------- */

#define TOKENS 4000

static struct sent *usage_of_token(int i, int round)
{
    static char names[TOKENS][12];
    struct sent *s = new_command(COMMAND_USAGE);

    snprintf(names[i], sizeof(names[i]), "token-%04d", i);
    ARGS(s, token_reads)->token = slice_str(names[i]);
    ARGS(s, token_reads)->window_start_us = TEST_EPOCH;
    ARGS(s, token_reads)->reads = (uint64_t)round;
    return s;
}

/* Many tokens, so that a group can touch many pages. */
static void append_to_tokens(struct writing *w)
{
    static struct sent *all[TOKENS];

    for (int i = 0; i < TOKENS; i++) {
        char topic[32];
        snprintf(topic, sizeof(topic), "token-%04d/x", i);
        all[i] = new_append(topic, "v");
    }
    run_together(w, all, TOKENS);
    for (int i = 0; i < TOKENS; i++) {
        assert_result(all[i]->c, OK);
        sent_free(all[i]);
    }
}

/* Commits that each take new pages while a reader pins the old ones, until
 * there are `left` bytes of the map; returns how many were refused as FULL. */
static int use_up_reserve(struct writing *w, uint64_t left)
{
    struct store_env *e = store_env(w->store);
    struct sent *all[TOKENS / 20];
    int refused = 0;

    for (int round = 1; refused == 0 && store_end(e) + left < e->real_map;
         round++) {
        for (int i = 0; i < TOKENS / 20; i++)
            all[i] = usage_of_token(20 * i, round);
        run_together(w, all, TOKENS / 20);
        for (int i = 0; i < TOKENS / 20; i++) {
            if (all[i]->c.result != RESULT_OK) {
                assert_result(all[i]->c, FULL);
                refused++;
            }
            sent_free(all[i]);
        }
    }
    return refused;
}

/* Deleting takes new pages while a reader pins the old ones: when half of the
 * reserve is gone, trims only hide, and deleting waits for the reader. */
static void hiding_goes_on_where_deleting_would_use_up_the_reserve(
    void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 2 * MiB);
    append_to_tokens(&w);
    for (int i = 0; i < 100; i++)
        append(&w, "t/x", "v");
    struct store_reader *r = store_reader_acquire(w.store);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    struct store_env *e = store_env(w.store);
    assert_int_equal(use_up_reserve(&w, 31 * MiB), 0);
    const uint64_t end = store_end(e);
    assert_int_equal(trim(&w, "t/x", TOKENS + 90).removed, 90);
    for (int i = 0; i < 5; i++)
        ping(&w); /* would take the leftovers along */
    assert_true(ROWS_IN(&w, trims) > 0);
    assert_true(ROWS_IN(&w, log) > TOKENS + 80);
    assert_true(store_end(e) - end < MiB);
    assert_int_equal(check_store(&w), TOKENS + 10);
    store_reader_release(r);
    wait_for_leftovers(&w);
    assert_int_equal(check_store(&w), TOKENS + 10);
    writing_close(&w);
}

/* The reserve itself used up. Every refusal is FULL, and when the reader is
 * gone all goes on. */
static void a_full_map_refuses_and_recovers(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 2 * MiB);
    append_to_tokens(&w);
    struct store_reader *r = store_reader_acquire(w.store);
    assert_int_equal(store_reader_begin(r), STORE_OK);
    assert_true(use_up_reserve(&w, 0) > 0);
    assert_result(append(&w, "token-0001/x", "v"), FULL);
    assert_false(stats_of(&w).accepting);
    assert_int_equal(check_store(&w), TOKENS); /* reading goes on */
    store_reader_release(r);
    nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
    assert_result(ping(&w), OK);
    assert_result(append(&w, "token-0001/x", "v"), OK);
    assert_true(stats_of(&w).accepting);
    assert_int_equal(check_store(&w), TOKENS + 1);
    writing_close(&w);
}

/* ---- a disk that refuses ---------------------------------------------- */

/* Writes behind this offset fail with EFBIG, as other errors of a disk do in
 * the middle of a commit. LMDB's meta pages lie before it. */
static void disk_refuses(bool refuses)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = refuses ? 8192 : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_disk_that_refuses_loses_nothing_acknowledged(void **state)
{
    struct writing w;
    struct command c;
    (void)state;

    signal(SIGXFSZ, SIG_IGN);
    writing_open(&w, 0);
    for (int i = 0; i < 40; i++)
        append(&w, "t/x", "v");
    disk_refuses(true);
    c = append(&w, "t/x", "lost");
    const struct command again = append(&w, "t/y", "lost");
    const struct command quick = append(&w, "t/z", "lost");
    const bool accepting = stats_of(&w).accepting;
    const struct command pinged = ping(&w);
    const struct command event = run(&w, new_event("$events/t/typing/x"));
    disk_refuses(false);
    assert_result(c, IO);
    assert_result(again, IO);
    assert_result(quick, IO);
    assert_result(pinged, IO);
    assert_result(event, OK);
    assert_false(accepting);
    assert_int_equal(check_store(&w), 40); /* reading went on */

    nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
    c = append(&w, "t/x", "v"); /* the pause is over: tried, and it works */
    assert_result(c, OK);
    assert_int_equal(c.id, 41);
    assert_int_equal(c.seq, 41);
    assert_true(stats_of(&w).accepting);
    assert_int_equal(usage_of(&w, "t").things, 1); /* y and z never were */
    writing_restart(&w);
    assert_int_equal(check_store(&w), 41);
    writing_close(&w);
}

static void a_group_that_fails_is_answered_to_the_last(void **state)
{
    const size_t n = 1000;
    struct sent **all = calloc(n, sizeof(*all));
    struct writing w;
    (void)state;

    signal(SIGXFSZ, SIG_IGN);
    writing_open(&w, 0);
    append(&w, "t/x", "v");
    for (size_t i = 0; i < n; i++)
        all[i] = i % 10 == 0 ? new_event("$events/t/typing/x")
                             : new_append("t/x", "v");
    disk_refuses(true);
    run_together(&w, all, n);
    disk_refuses(false);
    for (size_t i = 0; i < n; i++) {
        if (i % 10 == 0)
            assert_result(all[i]->c, OK);
        else
            assert_result(all[i]->c, IO);
        sent_free(all[i]);
    }
    free(all);
    assert_int_equal(stats_of(&w).commits, 1);
    assert_int_equal(stats_of(&w).refused, 900);
    assert_int_equal(check_store(&w), 1);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            above_the_soft_limit_appends_are_refused_and_the_rest_goes_on),
        cmocka_unit_test(trimming_makes_room_again_and_again),
        cmocka_unit_test(
            a_message_too_large_for_the_room_left_is_refused_alone),
        cmocka_unit_test(one_group_does_not_get_past_the_soft_limit),
        cmocka_unit_test(a_pinned_reader_costs_room_but_not_the_trims),
        cmocka_unit_test(
            hiding_goes_on_where_deleting_would_use_up_the_reserve),
        cmocka_unit_test(a_full_map_refuses_and_recovers),
        cmocka_unit_test(a_disk_that_refuses_loses_nothing_acknowledged),
        cmocka_unit_test(a_group_that_fails_is_answered_to_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
