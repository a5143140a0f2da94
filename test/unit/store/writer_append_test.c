/* Numbering, order and group commit: store/commands/message_append.c, store/write/group_commit.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/store/writing.h"

static void ids_grow_over_all_topics_and_seqs_within_each(void **state)
{
    static const char *const topics[] = {"a/x", "b/x", "a/y"};
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    for (uint64_t i = 0; i < 90; i++) {
        const struct command c = append(&w, topics[i % 3], "v");
        assert_result(c, OK);
        assert_int_equal(c.id, i + 1);
        assert_int_equal(c.seq, i / 3 + 1);
        assert_int_equal(c.at_us, TEST_EPOCH);
    }
    assert_int_equal(check_store(&w), 90);
    assert_int_equal(usage_of(&w, "a").things, 2);
    assert_int_equal(usage_of(&w, "b").writes, 30);
    writing_close(&w);
}

static void numbering_goes_on_after_a_restart(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < 20; i++) /* one chunk and an open one */
        append(&w, "t/x", "v");
    writing_restart(&w);
    const struct command c = append(&w, "t/x", "v");
    assert_int_equal(c.id, 21);
    assert_int_equal(c.seq, 21);
    assert_int_equal(check_store(&w), 21);
    writing_close(&w);
}

static void numbering_goes_on_when_the_whole_log_was_trimmed(void **state)
{
    struct thing_row row;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < 40; i++)
        append(&w, "t/x", "v");
    assert_int_equal(trim(&w, "t/x", UINT64_MAX).removed, 40);
    wait_for_leftovers(&w);
    assert_int_equal(ROWS_IN(&w, log), 0);
    assert_int_equal(ROWS_IN(&w, chunks), 0);
    writing_restart(&w);
    const struct command c = append(&w, "t/x", "v");
    assert_int_equal(c.id, 41);
    assert_int_equal(c.seq, 41);
    assert_true(thing_of(&w, "t/x", &row));
    assert_int_equal(row.trimmed_id, 40);
    assert_int_equal(row.first_seq, 41);
    assert_int_equal(check_store(&w), 1);
    writing_close(&w);
}

static void refused_append_uses_no_number(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_token(&w, "t", "free");
    char *large = calloc(1, 10241);
    struct sent *all[] = {new_append("t/x", "1"),
                          new_append_bytes("t/x", large, 10241, false),
                          new_append("t/x", "2")};
    run_together(&w, all, 3);
    assert_result(all[1]->c, TOO_LARGE);
    assert_int_equal(all[1]->c.id, 0);
    assert_int_equal(all[1]->c.message->id, 0);
    assert_int_equal(all[2]->c.id, all[0]->c.id + 1);
    assert_int_equal(all[2]->c.seq, all[0]->c.seq + 1);
    for (int i = 0; i < 3; i++)
        sent_free(all[i]);
    free(large);
    assert_int_equal(check_store(&w), 2);
    writing_close(&w);
}

static void times_never_decrease_within_a_thing(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    append(&w, "t/x", "v");
    clock_advance(-5 * SECOND); /* much more: wall_clock_test.c */
    assert_int_equal(append(&w, "t/x", "v").at_us, TEST_EPOCH);
    assert_int_equal(append(&w, "t/y", "v").at_us, TEST_EPOCH - 5 * SECOND);
    writing_restart(&w);
    assert_int_equal(append(&w, "t/x", "v").at_us, TEST_EPOCH);
    clock_set(TEST_EPOCH + 5);
    assert_int_equal(append(&w, "t/x", "v").at_us, TEST_EPOCH + 5);
    check_store(&w);
    writing_close(&w);
}

#define GROUP 1000

static void what_waits_is_one_commit_and_one_batch_in_order(void **state)
{
    struct sent *all[GROUP];
    struct writing w;
    char topic[16];
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < GROUP; i++) {
        snprintf(topic, sizeof(topic), "t/%d", i % 7);
        all[i] = i % 10 == 9 ? new_event("$events/t/typing/1")
                             : new_append(topic, "v");
    }
    run_together(&w, all, GROUP);
    assert_int_equal(stats_of(&w).commits, 1);
    assert_int_equal(stats_of(&w).appended, 900);
    assert_int_equal(stats_of(&w).events, 101); /* and the gate's */
    writing_stop(&w);

    assert_int_equal(w.batches, 2);
    assert_int_equal(w.offered_count, GROUP + 1);
    assert_int_equal(w.head, 900);
    for (int i = 0; i < GROUP; i++) {
        const struct offered *o = &w.offered[i + 1];
        assert_int_equal(o->batch, 2);
        assert_int_equal(o->id, all[i]->c.id);
        assert_int_equal(o->kind,
                         i % 10 == 9 ? MESSAGE_EVENT : MESSAGE_MESSAGE);
        if (i % 10 != 9)
            assert_int_equal(o->id, i + 1 - i / 10);
        sent_free(all[i]);
    }
    writing_start(&w);
    assert_int_equal(check_store(&w), 900);
    writing_close(&w);
}

static void more_than_a_group_is_several_commits_in_order(void **state)
{
    const int n = 10000;
    struct sent **all = calloc((size_t)n, sizeof(*all));
    struct writing w;
    char topic[16];
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < n; i++) {
        snprintf(topic, sizeof(topic), "t/%d", i % 501);
        all[i] = new_append(topic, "v");
    }
    run_together(&w, all, (size_t)n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(all[i]->c.id, i + 1);
        sent_free(all[i]);
    }
    assert_int_equal(stats_of(&w).commits, 3); /* of 4096 at most */
    assert_int_equal(check_store(&w), n);
    free(all);
    writing_close(&w);
}

static void events_and_refusals_cost_no_commit(void **state)
{
    struct sent *all[4];
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    create_token(&w, "t", "free");
    append(&w, "t/x", "v");
    revoke_token(&w, "t");
    const struct writer_stats before = stats_of(&w);
    all[0] = new_event("$events/u/typing/x");
    all[1] = new_append("t/x", "v");
    all[2] = new_append("t/y", "v");
    all[3] = new_event("$events/t/typing/y");
    run_together(&w, all, 4);
    assert_result(all[1]->c, REVOKED);
    assert_result(all[0]->c, OK);
    assert_result(all[3]->c, REVOKED);
    for (int i = 0; i < 4; i++)
        sent_free(all[i]);
    const struct writer_stats after = stats_of(&w);
    assert_int_equal(after.commits, before.commits);
    assert_int_equal(after.events, before.events + 2); /* and the hold's */
    assert_int_equal(after.refused, before.refused + 3);
    assert_int_equal(ROWS_IN(&w, log), 1);
    writing_close(&w);
}

static void commits_are_timed(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    assert_int_equal(stats_of(&w).last_commit_us, 0);
    for (int i = 0; i < 10; i++)
        append(&w, "t/x", "v");
    const struct writer_stats s = stats_of(&w);
    assert_int_equal(s.commits, 10);
    assert_int_equal(s.last_commit_us, TEST_EPOCH);
    assert_true(s.accepting);
    assert_true(s.commit_p50_us > 0 && s.commit_p50_us <= s.commit_p99_us);
    clock_advance(SECOND);
    assert_result(ping(&w), OK);
    assert_int_equal(stats_of(&w).last_commit_us, TEST_EPOCH + SECOND);
    assert_int_equal(stats_of(&w).commits, 11);
    writing_close(&w);
}

static void check_retained(struct writing *w, const char *topic,
                           const char *payload)
{
    struct store_reader *r = store_reader_acquire(w->store);
    struct record record;

    assert_int_equal(store_reader_begin(r), STORE_OK);
    const enum store_err err = store_retained(r, slice_str(topic), &record);
    if (payload == NULL) {
        assert_int_equal(err, STORE_NOTFOUND);
    } else {
        assert_int_equal(err, STORE_OK);
        assert_true(slice_eq(record.m.payload, slice_str(payload)));
    }
    store_reader_release(r);
}

static void retained_message_is_replaced_and_cleared(void **state)
{
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    append_retained(&w, "t/x", "one");
    append(&w, "t/x", "not retained");
    check_retained(&w, "t/x", "one");
    append_retained(&w, "t/x", "two");
    append_retained(&w, "t/y", "three");
    check_retained(&w, "t/x", "two");
    assert_int_equal(usage_of(&w, "t").retained, 2);
    writing_restart(&w);
    /* MQTT-3.3.1-6: cleared; the empty message is one like any other */
    const struct command c = append_retained(&w, "t/x", "");
    assert_int_equal(c.seq, 4);
    check_retained(&w, "t/x", NULL);
    check_retained(&w, "t/y", "three");
    assert_int_equal(usage_of(&w, "t").retained, 1);
    append_retained(&w, "t/x", ""); /* nothing to clear */
    assert_int_equal(usage_of(&w, "t").retained, 1);
    assert_int_equal(check_store(&w), 6);
    writing_close(&w);
}

static void names_longer_than_a_key_are_kept_apart(void **state)
{
    char a[601], b[601];
    struct thing_row row;
    struct writing w;
    (void)state;

    memset(a, 'n', 600);
    a[600] = '\0';
    memcpy(b, a, sizeof(b));
    b[599] = 'm';
    writing_open(&w, 0);
    for (int i = 0; i < 20; i++) {
        append(&w, a, "a");
        append_retained(&w, b, "bb");
    }
    assert_true(thing_of(&w, a, &row));
    assert_int_equal(row.bytes, 20);
    assert_true(thing_of(&w, b, &row));
    assert_int_equal(row.bytes, 40);
    check_retained(&w, b, "bb");
    check_retained(&w, a, NULL);
    writing_restart(&w);
    assert_int_equal(append(&w, a, "a").seq, 21);
    assert_int_equal(check_store(&w), 41);
    writing_close(&w);
}

static void malformed_commands_are_refused(void **state)
{
    static const char long_text[257];
    struct writing w;
    struct sent *s;
    (void)state;

    writing_open(&w, 0);
    s = new_append("t/x", "v");
    s->c.message->kind = MESSAGE_EDIT; /* the next issue's */
    assert_result(run(&w, s), INVALID);
    s = new_append("t/x", "v");
    s->c.operation = slice_of(long_text, 65);
    assert_result(run(&w, s), INVALID);
    s = new_append("t/x", "v");
    s->c.idempotency = slice_of(long_text, 257);
    assert_result(run(&w, s), INVALID);
    s = new_event("$events/t/x/y");
    s->c.message->kind = MESSAGE_MESSAGE;
    assert_result(run(&w, s), INVALID);
    assert_result(create_token(&w, "no/token", "free"), INVALID);
    assert_result(create_token(&w, "t", "no such plan"), INVALID);
    assert_result(trim(&w, "", 1), INVALID);
    assert_result(trim(&w, "never/seen", 1), NOT_FOUND);
    assert_int_equal(stats_of(&w).commits, 0);
    writing_close(&w);
}

static void a_stopped_writer_answers_stopped(void **state)
{
    struct sent *s = new_append("t/x", "v");
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    append(&w, "t/x", "v");
    writer_stop(w.writer);
    submit(&w, s);
    wait_for(s);
    assert_result(s->c, STOPPED);
    assert_int_equal(command_status(s->c.result), 503);
    sent_free(s);
    writer_free(w.writer);
    w.writer = NULL;
    store_close(w.store);
    writing_close(&w);
}

static void stopping_commits_what_waits(void **state)
{
    struct sent *all[500];
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < 500; i++)
        submit(&w, all[i] = new_append("t/x", "v"));
    writing_stop(&w);
    for (int i = 0; i < 500; i++) {
        wait_for(all[i]);
        assert_result(all[i]->c, OK);
        assert_int_equal(all[i]->c.seq, i + 1);
        sent_free(all[i]);
    }
    writing_start(&w);
    assert_int_equal(check_store(&w), 500);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_grow_over_all_topics_and_seqs_within_each),
        cmocka_unit_test(numbering_goes_on_after_a_restart),
        cmocka_unit_test(numbering_goes_on_when_the_whole_log_was_trimmed),
        cmocka_unit_test(refused_append_uses_no_number),
        cmocka_unit_test(times_never_decrease_within_a_thing),
        cmocka_unit_test(what_waits_is_one_commit_and_one_batch_in_order),
        cmocka_unit_test(more_than_a_group_is_several_commits_in_order),
        cmocka_unit_test(events_and_refusals_cost_no_commit),
        cmocka_unit_test(commits_are_timed),
        cmocka_unit_test(retained_message_is_replaced_and_cleared),
        cmocka_unit_test(names_longer_than_a_key_are_kept_apart),
        cmocka_unit_test(malformed_commands_are_refused),
        cmocka_unit_test(a_stopped_writer_answers_stopped),
        cmocka_unit_test(stopping_commits_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
