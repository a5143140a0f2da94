/* Requests that come again: operation ids and Idempotency-Keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/write/repeat.h"
#include "test/unit/store/writing.h"

static struct sent *with_operation(struct sent *s, const char *id)
{
    s->c.operation = slice_str(id);
    return s;
}

static struct sent *with_key(struct sent *s, const char *key)
{
    s->c.idempotency = slice_str(key);
    return s;
}

static void check_same(const struct command *first,
                       const struct command *again)
{
    assert_result(*again, OK);
    assert_true(again->repeated);
    assert_int_equal(again->id, first->id);
    assert_int_equal(again->seq, first->seq);
    assert_int_equal(again->at_us, first->at_us);
}

static void a_repeated_operation_gets_the_first_answer(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_token(&w, "t", "free");
    append(&w, "t/x", "other");
    const struct command first =
        run(&w, with_operation(new_append("t/x", "v"), "boot.1"));
    assert_false(first.repeated);
    assert_int_equal(first.remaining, 98);
    const uint64_t commits = stats_of(&w).commits;
    append(&w, "t/x", "other");
    clock_advance(5 * SECOND);
    struct command again =
        run(&w, with_operation(new_append("t/x", "v"), "boot.1"));
    check_same(&first, &again);
    assert_int_equal(again.remaining, 97); /* as of now; not counted itself */
    assert_int_equal(stats_of(&w).commits, commits + 1); /* the other's */
    writing_restart(&w);
    again = run(&w, with_operation(new_append("t/x", "v"), "boot.1"));
    check_same(&first, &again);
    assert_int_equal(check_store(&w), 3);
    writing_close(&w);
}

static void twins_in_one_group_are_stored_once(void **state)
{
    struct writing w;
    struct sent *all[6];
    (void)state;

    writing_open(&w, 0);
    all[0] = with_operation(new_append("t/x", "v"), "boot.1");
    all[1] = with_operation(new_append("t/x", "v"), "boot.1");
    all[2] = with_key(new_append("t/x", "v"), "key");
    all[3] = with_key(new_append("t/x", "v"), "key");
    all[4] = with_operation(with_key(new_append("t/x", "v"), "key"), "boot.2");
    all[5] = with_key(new_append("t/y", "v"), "key"); /* another thing's key */
    run_together(&w, all, 6);
    check_same(&all[0]->c, &all[1]->c);
    check_same(&all[2]->c, &all[3]->c);
    check_same(&all[2]->c, &all[4]->c);
    assert_false(all[5]->c.repeated);
    for (int i = 0; i < 6; i++)
        sent_free(all[i]);
    writing_stop(&w);
    assert_int_equal(w.offered_count, 4); /* the gate and what was stored */
    writing_start(&w);
    assert_int_equal(check_store(&w), 3);
    writing_close(&w);
}

static void a_refusal_is_not_remembered(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    writing_plan(&w, "paid")->writes_per_hour = 1;
    create_token(&w, "t", "paid");
    append(&w, "t/x", "v");
    for (int i = 0; i < 2; i++)
        assert_result(
            run(&w, with_operation(with_key(new_append("t/x", "v"), "key"),
                                   "boot.1")),
            RATE);
    clock_advance(3600 * SECOND);
    const struct command c =
        run(&w,
            with_operation(with_key(new_append("t/x", "v"), "key"), "boot.1"));
    assert_result(c, OK);
    assert_false(c.repeated);
    assert_int_equal(check_store(&w), 2);
    writing_close(&w);
}

static void an_idempotency_key_holds_for_a_day_and_across_a_restart(
    void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    const struct command first =
        run(&w, with_key(new_append("t/x", "v"), "k"));
    clock_advance(86399 * SECOND);
    append(&w, "t/y", "purges what is old");
    writing_restart(&w);
    struct command again = run(&w, with_key(new_append("t/x", "v"), "k"));
    check_same(&first, &again);
    clock_advance(SECOND);
    again = run(&w, with_key(new_append("t/x", "v"), "k"));
    assert_false(again.repeated);
    assert_int_equal(again.seq, 2);
    /* and now it holds for another day, whatever the purge found of the old */
    clock_advance(86399 * SECOND);
    append(&w, "t/y", "purges what is old");
    const struct command third =
        run(&w, with_key(new_append("t/x", "v"), "k"));
    check_same(&again, &third);
    assert_int_equal(ROWS_IN(&w, idempotency), 1);
    assert_int_equal(ROWS_IN(&w, idempotency_by_time), 1);
    writing_close(&w);
}

static void a_key_longer_than_a_database_key_is_kept_apart(void **state)
{
    char a[257], b[257];
    struct writing w;
    (void)state;

    memset(a, 'k', 256);
    a[256] = '\0';
    memcpy(b, a, sizeof(b));
    b[255] = 'l';
    writing_open(&w, 0);
    assert_false(run(&w, with_key(new_append("t/x", "v"), a)).repeated);
    assert_false(run(&w, with_key(new_append("t/x", "v"), b)).repeated);
    assert_true(run(&w, with_key(new_append("t/x", "v"), a)).repeated);
    /* topic and key do not run into each other */
    assert_false(run(&w, with_key(new_append("t/xk", "v"), a + 1)).repeated);
    assert_false(run(&w, with_key(new_append("t/x", "v"), a + 1)).repeated);
    writing_close(&w);
}

static void operations_are_forgotten_after_ten_minutes_in_small_steps(
    void **state)
{
    struct writing w;
    char id[16];
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "boot.%d", i);
        run(&w, with_operation(new_append("t/x", "v"), id));
    }
    clock_advance(599 * SECOND);
    for (int i = 0; i < 5; i++)
        append(&w, "t/x", "v");
    assert_int_equal(ROWS_IN(&w, operations), 200);
    clock_advance(SECOND);
    append(&w, "t/x", "v");
    const uint64_t left = ROWS_IN(&w, operations);
    assert_true(left < 200 && left > 100);
    for (int i = 0; i < 20; i++)
        append(&w, "t/x", "v");
    assert_int_equal(ROWS_IN(&w, operations), 0);
    assert_int_equal(ROWS_IN(&w, operations_by_time), 0);
    writing_close(&w);
}

static void a_repeated_trim_says_what_the_first_removed(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < 10; i++)
        append(&w, "t/x", "v");
    for (int i = 0; i < 2; i++) {
        struct sent *s = new_command(COMMAND_TRIM);
        ARGS(s, thing_trim)->topic = slice_str("t/x");
        ARGS(s, thing_trim)->through = 4;
        const struct command c = run(&w, with_operation(s, "boot.1"));
        assert_result(c, OK);
        assert_int_equal(c.removed, 4);
        assert_int_equal(c.repeated, i == 1);
    }
    assert_int_equal(check_store(&w), 6);
    writing_close(&w);
}

static void a_revoked_token_gets_no_idempotent_answer(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    run(&w, with_operation(with_key(new_append("t/x", "v"), "k"), "boot.1"));
    revoke_token(&w, "t");
    assert_result(run(&w, with_key(new_append("t/x", "v"), "k")), REVOKED);
    /* but the link is told what became of the request it sent before */
    assert_result(run(&w, with_operation(new_append("t/x", "v"), "boot.1")),
                  OK);
    writing_close(&w);
}

/* The name is somebody else's, and so is everything below it. */
static void a_key_of_a_deleted_token_is_unknown_to_the_next_of_that_name(
    void **state)
{
    struct writing w;
    (void)state;

    for (int open_mode = 0; open_mode < 2; open_mode++) {
        writing_open(&w, 0);
        const struct command first =
            run(&w, with_key(new_append("t/x", "v"), "k"));
        assert_result(first, OK);
        struct command gone;
        do {
            struct sent *s = new_command(COMMAND_TOKEN_DELETE);
            ARGS(s, token_delete)->token = slice_str("t");
            clock_advance(SECOND);
            gone = run(&w, s);
        } while (gone.result != RESULT_NOT_FOUND);
        if (!open_mode)
            create_token(&w, "t", "free");
        const struct command fresh =
            run(&w, with_key(new_append("t/x", "new"), "k"));
        assert_result(fresh, OK);
        assert_false(fresh.repeated);
        assert_true(fresh.id > first.id);
        assert_int_equal(fresh.seq, 1);
        const struct command again =
            run(&w, with_key(new_append("t/x", "new"), "k"));
        check_same(&fresh, &again);
        writing_restart(&w);
        const struct command later =
            run(&w, with_key(new_append("t/x", "new"), "k"));
        check_same(&fresh, &later);
        assert_int_equal(check_store(&w), 1);
        writing_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeated_operation_gets_the_first_answer),
        cmocka_unit_test(twins_in_one_group_are_stored_once),
        cmocka_unit_test(a_refusal_is_not_remembered),
        cmocka_unit_test(
            an_idempotency_key_holds_for_a_day_and_across_a_restart),
        cmocka_unit_test(a_key_longer_than_a_database_key_is_kept_apart),
        cmocka_unit_test(
            operations_are_forgotten_after_ten_minutes_in_small_steps),
        cmocka_unit_test(a_repeated_trim_says_what_the_first_removed),
        cmocka_unit_test(a_revoked_token_gets_no_idempotent_answer),
        cmocka_unit_test(
            a_key_of_a_deleted_token_is_unknown_to_the_next_of_that_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
