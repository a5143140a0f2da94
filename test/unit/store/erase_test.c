#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/env/environment.h"
#include "test/unit/store/writing.h"

static struct command delete_token(struct writing *w, const char *token)
{
    struct sent *s = new_command(COMMAND_TOKEN_DELETE);

    ARGS(s, token_delete)->token = slice_str(token);
    return run(w, s);
}

static struct command purge(struct writing *w, const char *topic)
{
    struct sent *s = new_command(COMMAND_THING_PURGE);

    ARGS(s, thing_purge)->topic = slice_str(topic);
    return run(w, s);
}

static struct command set_plan(struct writing *w, const char *token,
                               const char *plan)
{
    struct sent *s = new_command(COMMAND_TOKEN_SET);

    ARGS(s, token_set)->token = slice_str(token);
    ARGS(s, token_set)->plan = slice_str(plan);
    return run(w, s);
}

static void open_session(struct writing *w, const char *token, unsigned number,
                         const struct message *will)
{
    char identity[100];
    const int len =
        snprintf(identity, sizeof(identity), "%s%cc%u", token, 0, number);
    struct session_open o = {
        .identity = slice_of(identity, (size_t)len),
        .expiry_s = SESSION_NEVER,
        .fresh_number = number,
        .will = will,
    };
    struct session_subscription subscriptions[2] = {
        {.filter = slice_str("t/#"), .qos = 1},
        {.filter = slice_str("$share/g/t/#"), .qos = 1},
    };
    struct session_inflight inflight = {.packet_id = 1, .log_id = 1, .qos = 1};
    struct session_save save = {
        .identity = o.identity,
        .number = number,
        .entries = &inflight,
        .entry_count = 1,
        .subscriptions = subscriptions,
        .subscription_count = 2,
        .adds = true,
    };

    struct sent *s = new_command(COMMAND_SESSION_OPEN);
    s->c.args = &o;
    assert_result(run(w, s), OK);
    s = new_command(COMMAND_SESSION_SAVE);
    s->c.args = &save;
    assert_result(run(w, s), OK);
}

/* Until nothing is left; returns the number of commands it took. */
static unsigned delete_all(struct writing *w, const char *token)
{
    unsigned steps = 0;

    do {
        clock_advance(SECOND);
        assert_in_range(++steps, 1, 1000);
    } while (delete_token(w, token).result != RESULT_NOT_FOUND);
    return steps;
}

static void fill(struct writing *w, const char *token, unsigned things,
                 unsigned messages)
{
    char topic[100];

    for (unsigned i = 0; i < things; i++)
        for (unsigned j = 0; j < messages; j++) {
            snprintf(topic, sizeof(topic), "%s/thing%u", token, i);
            assert_result(j == 0 ? append_retained(w, topic, "v")
                                 : append(w, topic, "v"),
                          OK);
        }
}

static void assert_only_bystander(struct writing *w, uint64_t messages)
{
    struct thing_row row;

    wait_for_leftovers(w);
    assert_false(thing_of(w, "t/thing0", &row));
    assert_int_equal(check_store(w), messages);
    assert_int_equal(ROWS_IN(w, things), 1);
    assert_int_equal(ROWS_IN(w, retained), 1);
    assert_int_equal(ROWS_IN(w, tokens), 1);
    assert_int_equal(ROWS_IN(w, usage), 1);
    assert_int_equal(ROWS_IN(w, sessions), 1);
    assert_int_equal(ROWS_IN(w, subscriptions), 2);
    assert_int_equal(ROWS_IN(w, inflight), 1);
    assert_int_equal(ROWS_IN(w, groups), 1);
    assert_int_equal(ROWS_IN(w, wills), 0);
}

static void a_deleted_token_leaves_nothing_and_its_name_is_free(void **state)
{
    const struct message will = {.topic = slice_str("t/will"),
                                 .payload = slice_str("gone")};
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    fill(&w, "t-", 1, 20); /* names that begin alike */
    open_session(&w, "t-", 1000, NULL);
    fill(&w, "t", 3, 40);
    for (unsigned i = 1; i <= 40; i++)
        open_session(&w, "t", i, &will);
    const uint64_t meta = ROWS_IN(&w, meta);

    struct command c = delete_token(&w, "t");
    assert_result(c, OK);
    assert_true(c.more); /* its connections have a second to go */
    assert_int_equal(c.removed, 0);
    assert_result(append(&w, "t/thing0", "v"), REVOKED);
    assert_result(create_token(&w, "t", "paid"), EXISTS);
    assert_in_range(delete_all(&w, "t"), 2, 20);
    assert_only_bystander(&w, 20);
    /* `head` may have come, for the log's end is gone; nothing else. */
    assert_in_range(ROWS_IN(&w, meta), meta, meta + 1);

    assert_result(create_token(&w, "t", "paid"), OK);
    c = append(&w, "t/thing0", "v");
    assert_result(c, OK);
    assert_int_equal(c.seq, 1);
    assert_int_equal(usage_of(&w, "t").things, 1);
    assert_int_equal(usage_of(&w, "t").sessions, 0);
    writing_restart(&w);
    assert_int_equal(check_store(&w), 21);
    writing_close(&w);
}

/* Nobody can read it any more. */
static void damage_sessions(struct writing *w)
{
    struct store_env *e = store_env(w->store);
    MDB_cursor *cursor;
    MDB_txn *txn;
    MDB_val k, v, nonsense = {1, "?"};

    assert_int_equal(mdb_txn_begin(e->env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_cursor_open(txn, e->db.sessions, &cursor), 0);
    while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0)
        assert_int_equal(mdb_cursor_put(cursor, &k, &nonsense, MDB_CURRENT),
                         0);
    mdb_cursor_close(cursor);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

/* Such sessions cannot leave their groups: these go with all that is theirs. */
static void groups_of_damaged_sessions_leave_nothing(void **state)
{
    const struct session_given given = {.filter = slice_str("$share/g/t/#"),
                                        .log_id = 1};
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    fill(&w, "t", 1, 1);
    open_session(&w, "t", 7, NULL);
    struct session_save save = {
        .identity = slice_of("t\0c7", 4),
        .number = 7,
        .given = &given,
        .given_count = 1,
    };
    struct sent *s = new_command(COMMAND_SESSION_SAVE);
    s->c.args = &save;
    assert_result(run(&w, s), OK);
    assert_int_equal(ROWS_IN(&w, given), 1);
    writing_stop(&w);
    writing_start(&w);
    damage_sessions(&w);
    (void)delete_all(&w, "t");
    assert_int_equal(ROWS_IN(&w, sessions), 0);
    assert_int_equal(ROWS_IN(&w, groups), 0);
    assert_int_equal(ROWS_IN(&w, given), 0);
    writing_close(&w);
}

static void a_deletion_goes_on_by_itself_after_a_crash(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    fill(&w, "b", 1, 20);
    open_session(&w, "b", 1000, NULL);
    fill(&w, "t", 2, 700); /* more than one transaction deletes */
    for (unsigned i = 1; i <= 30; i++)
        open_session(&w, "t", i, NULL);
    assert_result(delete_token(&w, "t"), OK);
    writing_restart(&w);
    clock_advance(2 * SECOND);
    ping(&w); /* so that the writer looks at the clock */
    for (unsigned i = 0; ROWS_IN(&w, tokens) > 1; i++) {
        assert_in_range(i, 0, 10000);
        usleep(1000);
    }
    assert_only_bystander(&w, 20);
    assert_result(delete_token(&w, "t"), NOT_FOUND);
    writing_close(&w);
}

static void one_step_removes_no_more_than_a_transaction_may(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    fill(&w, "t", 1, 3000);
    uint64_t removed = 0;
    for (bool more = true; more;) {
        const struct command c = purge(&w, "t/thing0");
        if (c.result == RESULT_NOT_FOUND)
            break; /* housekeeping was faster */
        assert_result(c, OK);
        assert_in_range(c.removed, 0, 600);
        removed += c.removed;
        more = c.more;
    }
    wait_for_leftovers(&w);
    struct thing_row row;
    for (unsigned i = 0; thing_of(&w, "t/thing0", &row); i++) {
        assert_in_range(i, 0, 10000);
        usleep(1000);
    }
    assert_in_range(removed, 1, 3000);
    assert_int_equal(check_store(&w), 0);
    assert_int_equal(ROWS_IN(&w, log), 1); /* the entry that tells of it */
    assert_int_equal(ROWS_IN(&w, retained), 0);
    assert_int_equal(usage_of(&w, "t").things, 0);
    assert_in_range(usage_of(&w, "t").bytes, 1, 512);
    assert_int_equal(usage_of(&w, "t").retained, 0);
    /* Ids are never given twice, even when the log is empty. */
    assert_int_equal(append(&w, "t/x", "v").id, 3002);
    writing_close(&w);
}

static void what_comes_after_the_order_stays(void **state)
{
    struct writing w;
    struct sent *all[3];
    (void)state;

    writing_open(&w, 0);
    fill(&w, "t", 1, 2000);
    all[0] = new_command(COMMAND_THING_PURGE);
    ARGS(all[0], thing_purge)->topic = slice_str("t/thing0");
    all[1] = new_append_bytes("t/thing0", "kept", 4, true);
    all[2] = new_append("t/thing0", "kept too");
    run_together(&w, all, 3);
    for (int i = 0; i < 3; i++)
        assert_result(all[i]->c, OK);
    const uint64_t kept = all[1]->c.id;
    for (int i = 0; i < 3; i++)
        sent_free(all[i]);
    struct thing_row row;
    for (unsigned i = 0; thing_of(&w, "t/thing0", &row) && row.count > 2;
         i++) {
        assert_in_range(i, 0, 10000);
        usleep(1000);
    }
    wait_for_leftovers(&w);
    assert_true(thing_of(&w, "t/thing0", &row));
    assert_int_equal(row.count, 2);
    assert_int_equal(row.first_id, kept);
    assert_int_equal(ROWS_IN(&w, retained), 1);
    assert_int_equal(check_store(&w), 2);
    writing_close(&w);
}

static void a_purged_thing_may_be_written_in_the_same_transaction(void **state)
{
    struct writing w;
    struct sent *all[2];
    (void)state;

    writing_open(&w, 0);
    fill(&w, "t", 1, 3);
    all[0] = new_command(COMMAND_THING_PURGE);
    ARGS(all[0], thing_purge)->topic = slice_str("t/thing0");
    all[1] = new_append("t/thing0", "new");
    run_together(&w, all, 2);
    assert_result(all[0]->c, OK);
    assert_false(all[0]->c.more);
    assert_int_equal(all[0]->c.removed, 3);
    assert_result(all[1]->c, OK);
    assert_int_equal(all[1]->c.seq, 1);
    for (int i = 0; i < 2; i++)
        sent_free(all[i]);
    assert_int_equal(check_store(&w), 1);
    assert_int_equal(usage_of(&w, "t").things, 1);
    writing_restart(&w);
    assert_int_equal(check_store(&w), 1);
    assert_result(purge(&w, "t/none"), NOT_FOUND);
    assert_result(purge(&w, "t"), INVALID);
    writing_close(&w);
}

static void another_plan_holds_from_the_next_write(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    assert_result(create_token(&w, "t", "free"), OK);
    assert_int_equal(append(&w, "t/x", "v").remaining, 99);
    assert_result(set_plan(&w, "t", "paid"), OK);
    assert_int_equal(append(&w, "t/x", "v").remaining, UINT64_MAX);
    writing_restart(&w);
    assert_int_equal(append(&w, "t/x", "v").remaining, UINT64_MAX);
    assert_result(set_plan(&w, "t", "golden"), INVALID);
    assert_result(set_plan(&w, "nobody", "paid"), NOT_FOUND);
    assert_result(revoke_token(&w, "t"), OK);
    assert_result(set_plan(&w, "t", "paid"), REVOKED);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deleted_token_leaves_nothing_and_its_name_is_free),
        cmocka_unit_test(groups_of_damaged_sessions_leave_nothing),
        cmocka_unit_test(a_deletion_goes_on_by_itself_after_a_crash),
        cmocka_unit_test(one_step_removes_no_more_than_a_transaction_may),
        cmocka_unit_test(what_comes_after_the_order_stays),
        cmocka_unit_test(
            a_purged_thing_may_be_written_in_the_same_transaction),
        cmocka_unit_test(another_plan_holds_from_the_next_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
