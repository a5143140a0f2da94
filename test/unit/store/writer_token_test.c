/* Tokens coming into being, being refused and revoked: store/commands/token_*.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/store/writing.h"

/* token, plan and flags as readers see them; plan "" when there is no row */
static void check_token(struct writing *w, const char *token, const char *plan,
                        bool implied, bool revoked)
{
    struct store_reader *r = store_reader_acquire(w->store);
    struct token_row row;

    assert_int_equal(store_reader_begin(r), STORE_OK);
    const enum store_err err = store_token(r, slice_str(token), &row);
    if (plan[0] == '\0') {
        assert_int_equal(err, STORE_NOTFOUND);
    } else {
        assert_int_equal(err, STORE_OK);
        assert_true(slice_eq(row.plan, slice_str(plan)));
        assert_int_equal(row.implied, implied);
        assert_int_equal(row.revoked_us != 0, revoked);
        assert_int_equal(row.created_us, TEST_EPOCH);
    }
    store_reader_release(r);
}

static void in_open_mode_a_token_comes_into_being_with_its_first_write(
    void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    writing_plan(&w, "local")->payload_max = 3;
    assert_result(append(&w, "t/x", "too long"), TOO_LARGE);
    check_token(&w, "t", "", false, false);
    assert_result(append(&w, "t/x", "v"), OK);
    check_token(&w, "t", "local", true, false);
    writing_restart(&w);
    assert_result(append(&w, "t/x", "v"), OK);
    assert_result(create_token(&w, "t", "paid"), OK); /* on purpose now */
    writing_close(&w);
}

static void in_registered_mode_unknown_tokens_are_refused(void **state)
{
    struct command c;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    w.config.tokens_access = ACCESS_REGISTERED;
    for (int i = 0; i < 3; i++) {
        c = append(&w, "t/x", "v");
        assert_result(c, UNKNOWN_TOKEN);
        assert_int_equal(c.remaining, 0);
    }
    assert_int_equal(stats_of(&w).commits, 0);
    assert_result(create_token(&w, "t", "free"), OK);
    check_token(&w, "t", "free", false, false);
    c = append(&w, "t/x", "v");
    assert_result(c, OK);
    assert_int_equal(c.remaining, 99);
    writing_restart(&w);
    assert_result(append(&w, "t/x", "v"), OK);
    assert_result(append(&w, "u/x", "v"), UNKNOWN_TOKEN);
    writing_close(&w);
}

static void a_created_token_gets_the_default_plan_unless_told(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    assert_result(create_token(&w, "a", ""), OK);
    assert_result(create_token(&w, "b", "paid"), OK);
    assert_result(create_token(&w, "a", "paid"), EXISTS);
    check_token(&w, "a", "free", false, false);
    check_token(&w, "b", "paid", false, false);
    writing_close(&w);
}

static void a_name_of_open_mode_is_unknown_elsewhere_until_it_is_created(
    void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    assert_result(append(&w, "t/x", "v"), OK);
    writing_stop(&w);
    w.config.tokens_access = ACCESS_REGISTERED;
    writing_start(&w);
    assert_result(append(&w, "t/x", "v"), UNKNOWN_TOKEN);
    assert_result(create_token(&w, "t", "paid"), OK);
    check_token(&w, "t", "paid", false, false);
    assert_result(append(&w, "t/x", "v"), OK);
    writing_restart(&w);
    assert_result(append(&w, "t/x", "v"), OK);
    assert_int_equal(usage_of(&w, "t").things, 1); /* what it holds stays */
    assert_result(create_token(&w, "t", "free"), EXISTS);
    assert_int_equal(check_store(&w), 3);
    writing_close(&w);
}

static void two_creations_of_one_name_in_a_group_give_one_token(void **state)
{
    struct writing w;
    struct sent *all[3];
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < 3; i++) {
        all[i] = new_command(COMMAND_TOKEN_CREATE);
        ARGS(all[i], token_create)->token = slice_str("t");
        all[i]->c.operation = slice_str(i < 2 ? "boot.1" : "boot.2");
    }
    run_together(&w, all, 3);
    assert_result(all[0]->c, OK);
    assert_result(all[1]->c, OK); /* the same request, sent again */
    assert_true(all[1]->c.repeated);
    assert_result(all[2]->c, EXISTS);
    for (int i = 0; i < 3; i++)
        sent_free(all[i]);
    assert_int_equal(ROWS_IN(&w, tokens), 1);
    writing_close(&w);
}

static void a_revoked_token_is_refused_and_its_data_stays(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    append(&w, "t/x", "v");
    assert_result(revoke_token(&w, "t"), OK);
    assert_result(append(&w, "t/x", "v"), REVOKED);
    check_token(&w, "t", "local", true, true);
    writing_restart(&w);
    const struct command c = append(&w, "t/x", "v");
    assert_result(c, REVOKED);
    assert_int_equal(c.remaining, 0);
    assert_int_equal(command_status(c.result), 401);
    assert_result(create_token(&w, "t", "free"), EXISTS);
    assert_result(revoke_token(&w, "nobody"), NOT_FOUND);
    assert_true(usage_of(&w, "t").bytes > 0);
    assert_int_equal(check_store(&w), 1);
    writing_close(&w);
}

static void revoking_offers_an_event_in_its_place(void **state)
{
    struct writing w;
    struct sent *all[3];
    (void)state;

    writing_open(&w, 0);
    append(&w, "t/x", "v");
    all[0] = new_append("t/x", "before");
    all[1] = new_command(COMMAND_TOKEN_REVOKE);
    ARGS(all[1], token_revoke)->token = slice_str("t");
    all[2] = new_append("t/x", "after");
    run_together(&w, all, 3);
    assert_result(all[0]->c, OK);
    assert_result(all[2]->c, REVOKED);
    for (int i = 0; i < 3; i++)
        sent_free(all[i]);
    const uint64_t commits = stats_of(&w).commits;
    /* Again: nothing to store, but the connections are to go. */
    const struct command again = revoke_token(&w, "t");
    assert_result(again, OK);
    assert_true(again.repeated);
    assert_int_equal(stats_of(&w).commits, commits);
    writing_stop(&w);

    assert_int_equal(w.offered_count, 5); /* v, gate, before, event, event */
    for (int i = 3; i < 5; i++) {
        assert_int_equal(w.offered[i].kind, MESSAGE_EVENT);
        assert_int_equal(w.offered[i].id, 0);
        assert_string_equal(w.offered[i].topic, "$events/t/revoked/");
    }
    assert_int_equal(w.head, 2);
    writing_close(&w);
}

static void a_plan_no_longer_configured_is_the_default_plan(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_token(&w, "t", "paid");
    assert_int_equal(append(&w, "t/x", "v").remaining, UINT64_MAX);
    writing_stop(&w);
    memcpy(writing_plan(&w, "paid")->name, "gone", 5);
    writing_start(&w);
    assert_int_equal(append(&w, "t/x", "v").remaining, 98);
    check_token(&w, "t", "paid", false, false); /* the row keeps its word */
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_name_of_open_mode_is_unknown_elsewhere_until_it_is_created),
        cmocka_unit_test(
            in_open_mode_a_token_comes_into_being_with_its_first_write),
        cmocka_unit_test(in_registered_mode_unknown_tokens_are_refused),
        cmocka_unit_test(a_created_token_gets_the_default_plan_unless_told),
        cmocka_unit_test(two_creations_of_one_name_in_a_group_give_one_token),
        cmocka_unit_test(a_revoked_token_is_refused_and_its_data_stays),
        cmocka_unit_test(revoking_offers_an_event_in_its_place),
        cmocka_unit_test(a_plan_no_longer_configured_is_the_default_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
