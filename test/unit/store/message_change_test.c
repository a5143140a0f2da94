/* Messages that are edited, deleted and purged: what every reader sees of it, what it
 * costs, and what is left when the message goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/read/catchup.h"
#include "test/unit/store/writing.h"

#define ALL 1000000

static struct command edit(struct writing *w, const char *topic, uint64_t id,
                           const char *payload)
{
    return run(w, new_change(MESSAGE_EDIT, topic, id, payload));
}

static struct command delete (struct writing *w, const char *topic,
                              uint64_t id)
{
    return run(w, new_change(MESSAGE_DELETE, topic, id, ""));
}

static struct command purge(struct writing *w, const char *topic,
                            uint64_t before)
{
    return run(w, new_purge(topic, before));
}

static struct store_reader *look(struct writing *w)
{
    struct store_reader *r;

    assert_int_equal(store_snapshot(w->store, &r), STORE_OK);
    return r;
}

/* What a reader behind `after` is sent, as "m2:two e5>1:one d6>3 p9<9". */
static const char *sent_after(struct writing *w, const char *filter,
                              uint64_t after, bool changes)
{
    static char text[4096];
    const struct slice filters[] = {slice_str(filter)};
    struct catchup *c = catchup_new(filters, 1, after, false);
    struct store_reader *r = look(w);
    struct record record;
    size_t at = 0;

    assert_non_null(c);
    if (changes)
        catchup_with_changes(c);
    text[0] = '\0';
    for (;;) {
        const enum catchup_step step =
            catchup_next(c, r, UINT64_MAX, ALL, &record);
        if (step == CATCHUP_DONE)
            break;
        assert_int_equal(step, CATCHUP_RECORD);
        const struct message *m = &record.m;
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%c%d",
                               at == 0 ? "" : " ", "medp"[m->kind],
                               (int)m -> id);
        if (m->about != 0)
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%c%d",
                                   m->kind == MESSAGE_PURGE ? '<' : '>',
                                   (int)m->about);
        if (m->payload.len > 0)
            at += (size_t)snprintf(text + at, sizeof(text) - at, ":%.*s",
                                   (int)m->payload.len,
                                   (const char *)m->payload.data);
        assert_int_equal(catchup_position(c), m->id);
    }
    store_reader_release(r);
    catchup_free(c);
    return text;
}

/* As "1:one 2! 3:three", oldest first. */
static const char *history_of(struct writing *w, const char *topic)
{
    static char text[4096];
    struct history h = {.topic = slice_str(topic), .ascending = true};
    struct store_reader *r = look(w);
    struct record record;
    size_t at = 0;

    text[0] = '\0';
    while (store_history_next(r, &h, &record) == STORE_OK)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d%s%.*s",
                               at == 0 ? "" : " ", (int)record.m.id,
                               record.m.deleted ? "!" : ":",
                               (int)record.m.payload.len,
                               (const char *)record.m.payload.data);
    store_reader_release(r);
    return text;
}

static uint64_t latest_id(struct writing *w, const char *topic)
{
    struct store_reader *r = look(w);
    struct record record;
    const enum store_err err = store_latest(r, slice_str(topic), &record);

    store_reader_release(r);
    return err == STORE_OK ? record.m.id : 0;
}

static void opened(struct writing *w)
{
    writing_open(w, 0);
    create_token(w, "t", "paid");
}

/* ---- what readers see ------------------------------------------------------ */

static void history_and_latest_show_the_amended_message(void **state)
{
    struct writing w;

    (void)state;
    opened(&w);
    append(&w, "t/a", "one");
    append(&w, "t/a", "two");
    append(&w, "t/a", "three");
    const struct command c = edit(&w, "t/a", 2, "zwei");
    assert_result(c, OK);
    assert_int_equal(c.id, 4);
    assert_int_equal(c.seq, 2);
    assert_string_equal(history_of(&w, "t/a"), "1:one 2:zwei 3:three");
    assert_result(delete (&w, "t/a", 3), OK);
    assert_string_equal(history_of(&w, "t/a"), "1:one 2:zwei 3!");
    assert_int_equal(latest_id(&w, "t/a"), 2);
    assert_result(delete (&w, "t/a", 2), OK);
    assert_result(delete (&w, "t/a", 1), OK);
    assert_int_equal(latest_id(&w, "t/a"), 0);
    check_store(&w);
    writing_close(&w);
}

static void a_changed_message_says_when_and_by_whom(void **state)
{
    struct writing w;
    struct record record;

    (void)state;
    opened(&w);
    append(&w, "t/a", "one");
    clock_advance(5 * SECOND);
    edit(&w, "t/a", 1, "uno");
    struct store_reader *r = look(&w);
    assert_int_equal(store_latest(r, slice_str("t/a"), &record), STORE_OK);
    assert_int_equal(record.m.changed_us, TEST_EPOCH + 5 * SECOND);
    assert_int_equal(record.m.at_us, TEST_EPOCH);
    assert_true(slice_eq(record.m.changed_by, slice_str("ann")));
    assert_int_equal(record.m.change_id, 2);
    assert_int_equal(store_get(r, 2, &record), STORE_OK); /* the entry */
    assert_int_equal(record.m.kind, MESSAGE_EDIT);
    assert_int_equal(record.m.about, 1);
    assert_int_equal(record.m.seq, 1);
    assert_true(slice_eq(record.m.payload, slice_str("uno")));
    store_reader_release(r);
    writing_close(&w);
}

static void readers_behind_get_the_last_change_once_in_order(void **state)
{
    static const char *const filters[] = {"t/a", "t/+", "t/#", "#"};
    struct writing w;

    (void)state;
    opened(&w);
    append(&w, "t/a", "one"); /* 1 */
    append(&w, "t/b", "x");
    edit(&w, "t/a", 1, "uno"); /* 3, replaced by 5 */
    append(&w, "t/a", "two");
    edit(&w, "t/a", 1, "eins"); /* 5 */
    append(&w, "t/a", "three");
    delete (&w, "t/a", 4); /* 7 */
    append(&w, "t/a", "four");
    for (size_t i = 0; i < 4; i++) {
        const bool all = i > 0;
        assert_string_equal(
            sent_after(&w, filters[i], 0, true),
            all ? "m1:eins m2:x e5>1:eins m6:three d7>4 m8:four"
                : "m1:eins e5>1:eins m6:three d7>4 m8:four");
        assert_string_equal(sent_after(&w, filters[i], 2, true),
                            "e5>1:eins m6:three d7>4 m8:four");
        assert_string_equal(sent_after(&w, filters[i], 5, true),
                            "m6:three d7>4 m8:four");
        assert_string_equal(sent_after(&w, filters[i], 7, true), "m8:four");
        assert_string_equal(sent_after(&w, filters[i], 0, false),
                            all ? "m1:eins m2:x m6:three m8:four"
                                : "m1:eins m6:three m8:four");
    }
    assert_string_equal(sent_after(&w, "t/b", 0, true), "m2:x");
    assert_string_equal(sent_after(&w, "u/#", 0, true), "");
    check_store(&w);
    writing_close(&w);
}

/* Long enough that patterns merge histories, and that messages are in chunks. */
static void changes_are_found_among_many_messages(void **state)
{
    struct writing w;
    char expected[256];

    (void)state;
    opened(&w);
    append(&w, "t/a", "one");
    append(&w, "t/b", "other");
    struct sent *some[100];
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 100; i++)
            some[i] = new_append("t/much", "v");
        run_together(&w, some, 100);
        for (size_t i = 0; i < 100; i++)
            sent_free(some[i]);
        if (round == 10)
            edit(&w, "t/a", 1, "uno"); /* 1103 */
    }
    assert_string_equal(sent_after(&w, "t/a", 1, true), "e1103>1:uno");
    append(&w, "t/b", "last");
    snprintf(expected, sizeof(expected), "e1103>1:uno m%d:last",
             (int)latest_id(&w, "t/b"));
    const struct slice filters[] = {slice_str("t/a"), slice_str("t/b")};
    struct catchup *c = catchup_new(filters, 2, 2, false);
    struct store_reader *r = look(&w);
    struct record record;
    catchup_with_changes(c);
    assert_int_equal(catchup_next(c, r, UINT64_MAX, ALL, &record),
                     CATCHUP_RECORD);
    assert_int_equal(record.m.id, 1103);
    assert_int_equal(catchup_next(c, r, UINT64_MAX, ALL, &record),
                     CATCHUP_RECORD);
    assert_int_equal(record.m.id, latest_id(&w, "t/b"));
    assert_int_equal(catchup_next(c, r, UINT64_MAX, ALL, &record),
                     CATCHUP_DONE);
    store_reader_release(r);
    catchup_free(c);
    edit(&w, "t/much", 20, "in a chunk");
    delete (&w, "t/much", 40);
    check_store(&w);
    writing_close(&w);
}

static void a_small_budget_finds_the_same(void **state)
{
    struct writing w;
    const struct slice filters[] = {slice_str("t/a")};
    struct record record;
    uint64_t ids[8];
    size_t count = 0;

    (void)state;
    opened(&w);
    for (int i = 0; i < 6; i++)
        append(&w, "t/a", "v"); /* 1…6 */
    append(&w, "t/b", "v");
    edit(&w, "t/b", 7, "w"); /* 8 */
    delete (&w, "t/a", 2);   /* 9 */
    edit(&w, "t/a", 6, "z"); /* 10 */
    struct catchup *c = catchup_new(filters, 1, 3, false);
    catchup_with_changes(c);
    for (int i = 0; i < 100; i++) { /* each step in a snapshot of its own */
        struct store_reader *r = look(&w);
        const enum catchup_step step =
            catchup_next(c, r, UINT64_MAX, 1, &record);
        if (step == CATCHUP_RECORD)
            ids[count++] = record.m.id;
        store_reader_release(r);
        if (step == CATCHUP_DONE)
            break;
    }
    catchup_free(c);
    assert_int_equal(count, 5);
    assert_int_equal(ids[0], 4);
    assert_int_equal(ids[2], 6);
    assert_int_equal(ids[3], 9);
    assert_int_equal(ids[4], 10);
    writing_close(&w);
}

static void live_readers_get_what_the_log_says(void **state)
{
    struct writing w;

    (void)state;
    opened(&w);
    append(&w, "t/a", "one");
    edit(&w, "t/a", 1, "uno");
    delete (&w, "t/a", 1);
    purge(&w, "t/a", 0);
    writing_stop(&w); /* the last batch comes behind its answer */
    assert_int_equal(w.offered_count, 4);
    assert_int_equal(w.offered[1].kind, MESSAGE_EDIT);
    assert_int_equal(w.offered[1].id, 2);
    assert_int_equal(w.offered[1].at_us, w.offered[0].at_us);
    assert_int_equal(w.offered[2].kind, MESSAGE_DELETE);
    assert_int_equal(w.offered[3].kind, MESSAGE_PURGE);
    assert_int_equal(w.offered[3].id, 4);
    writing_close(&w);
}

/* ---- what is refused --------------------------------------------------------- */

static void only_messages_of_the_thing_that_are_there_change(void **state)
{
    struct writing w;

    (void)state;
    opened(&w);
    append(&w, "t/a", "one");
    append(&w, "t/b", "two");
    edit(&w, "t/a", 1, "uno");                         /* 3 */
    assert_result(edit(&w, "t/a", 2, "x"), NOT_FOUND); /* of another thing */
    assert_result(edit(&w, "t/a", 3, "x"), NOT_FOUND); /* no message */
    assert_result(edit(&w, "t/a", 99, "x"), NOT_FOUND);
    assert_result(edit(&w, "t/new", 1, "x"), NOT_FOUND);
    assert_result(edit(&w, "t/a", 0, "x"), INVALID);
    assert_result(edit(&w, "alone", 1, "x"), INVALID);
    assert_result(delete (&w, "t/a", 2), NOT_FOUND);
    delete (&w, "t/a", 1);
    assert_result(edit(&w, "t/a", 1, "x"), GONE);
    assert_result(delete (&w, "t/a", 1), GONE);
    assert_result(purge(&w, "t/new", 0), NOT_FOUND);
    trim(&w, "t/b", 2);
    assert_result(edit(&w, "t/b", 2, "x"), NOT_FOUND);
    revoke_token(&w, "t");
    assert_result(edit(&w, "t/a", 1, "x"), REVOKED);
    assert_result(purge(&w, "t/a", 0), REVOKED);
    check_store(&w);
    writing_close(&w);
}

static void limits_hold_for_edits(void **state)
{
    struct writing w;
    char large[3000];

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    writing_open(&w, 0);
    writing_stop(&w);
    writing_plan(&w, "paid")->payload_max = 2000;
    writing_plan(&w, "paid")->writes_per_hour = 4;
    writing_plan(&w, "home")->bytes_max = 3000;
    writing_plan(&w, "home")->writes_per_hour = 0;
    writing_start(&w);
    create_token(&w, "t", "paid");
    create_token(&w, "h", "home");
    append(&w, "t/a", "one");
    assert_result(edit(&w, "t/a", 1, large), TOO_LARGE);
    assert_int_equal(edit(&w, "t/a", 1, "two").remaining, 2);
    assert_result(delete (&w, "t/a", 1), OK);
    append(&w, "t/a", "three");
    const struct command c = edit(&w, "t/a", 4, "four");
    assert_result(c, RATE);
    assert_true(c.retry_after_s > 0);

    const uint64_t id = append(&w, "h/a", "one").id;
    assert_result(edit(&w, "h/a", id, large), BYTES);
    large[900] = '\0';
    assert_result(edit(&w, "h/a", id, large), OK);
    assert_result(append(&w, "h/a", large), OK);
    assert_result(append(&w, "h/a", large), BYTES);
    assert_result(edit(&w, "h/a", id, "small"), OK);
    assert_result(append(&w, "h/a", large), OK); /* it has made room */
    check_store(&w);
    writing_close(&w);
}

static void a_token_that_is_over_its_bound_can_delete(void **state)
{
    struct writing w;
    char large[1500];

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    opened(&w);
    for (int i = 0; i < 4; i++)
        append(&w, "t/a", large);
    writing_stop(&w);
    writing_plan(&w, "paid")->bytes_max = 2000;
    writing_start(&w);
    assert_result(append(&w, "t/a", "x"), BYTES);
    assert_result(edit(&w, "t/a", 2, "short"), OK);
    assert_result(delete (&w, "t/a", 1), OK);
    assert_result(purge(&w, "t/a", 0), OK);
    check_store(&w);
    writing_close(&w);
}

/* ---- once only ---------------------------------------------------------------- */

static void a_repeat_changes_nothing(void **state)
{
    struct writing w;

    (void)state;
    opened(&w);
    append(&w, "t/a", "one");
    for (int i = 0; i < 2; i++) {
        struct sent *s = new_change(MESSAGE_EDIT, "t/a", 1, "uno");
        s->c.operation = slice_str("op-1");
        const struct command c = run(&w, s);
        assert_int_equal(c.id, 2);
        assert_int_equal(c.repeated, i == 1);
    }
    edit(&w, "t/a", 1, "eins"); /* 3 */
    for (int i = 0; i < 2; i++) {
        struct sent *s = new_change(MESSAGE_DELETE, "t/a", 1, "");
        s->c.idempotency = slice_str("key");
        const struct command c = run(&w, s);
        assert_result(c, OK);
        assert_int_equal(c.id, 4);
        assert_int_equal(c.repeated, i == 1);
    }
    append(&w, "t/a", "two"); /* 5 */
    struct sent *first = new_purge("t/a", 0);
    first->c.idempotency =
        slice_str("key"); /* another's: that of a deletion */
    assert_int_equal(run(&w, first).removed, 2);
    append(&w, "t/a", "three");
    struct sent *again = new_purge("t/a", 0);
    again->c.idempotency = slice_str("key");
    const struct command c = run(&w, again);
    assert_true(c.repeated);
    assert_int_equal(c.removed, 2);
    assert_int_not_equal(latest_id(&w, "t/a"), 0);
    check_store(&w);
    writing_close(&w);
}

/* ---- retained messages -------------------------------------------------------- */

static const char *retained_of(struct writing *w, const char *topic)
{
    static char text[64];
    struct store_reader *r = look(w);
    struct record record;

    strcpy(text, "none");
    if (store_retained(r, slice_str(topic), &record) == STORE_OK)
        snprintf(text, sizeof(text), "%.*s", (int)record.m.payload.len,
                 (const char *)record.m.payload.data);
    store_reader_release(r);
    return text;
}

static void the_retained_message_changes_with_it(void **state)
{
    struct writing w;

    (void)state;
    opened(&w);
    append_retained(&w, "t/a", "on"); /* 1 */
    append(&w, "t/a", "v");
    edit(&w, "t/a", 1, "off");
    assert_string_equal(retained_of(&w, "t/a"), "off");
    delete (&w, "t/a", 2);
    assert_string_equal(retained_of(&w, "t/a"), "off");
    delete (&w, "t/a", 1);
    assert_string_equal(retained_of(&w, "t/a"), "none");
    assert_int_equal(usage_of(&w, "t").retained, 0);
    const uint64_t id = append_retained(&w, "t/a", "on").id;
    edit(&w, "t/a", id, "");
    assert_string_equal(retained_of(&w, "t/a"), "none");
    append_retained(&w, "t/a", "on");
    purge(&w, "t/a", 0);
    assert_string_equal(retained_of(&w, "t/a"), "none");
    check_store(&w);
    writing_close(&w);
}

/* ---- what is left -------------------------------------------------------------- */

static void entries_go_with_their_message(void **state)
{
    struct writing w;

    (void)state;
    opened(&w);
    for (int i = 1; i <= 40; i++)
        append(&w, "t/a", "v");
    for (int i = 1; i <= 40; i += 3)
        edit(&w, "t/a", (uint64_t)i, "changed");
    assert_int_equal(ROWS_IN(&w, changes), 14);
    assert_int_equal(trim(&w, "t/a", 20).removed, 20);
    wait_for_leftovers(&w);
    assert_int_equal(ROWS_IN(&w, changes), 7);
    check_store(&w);
    assert_int_equal(trim(&w, "t/a", 40).removed, 20);
    wait_for_leftovers(&w);
    assert_int_equal(ROWS_IN(&w, changes), 0);
    assert_int_equal(ROWS_IN(&w, log), 0);
    assert_string_equal(sent_after(&w, "t/a", 0, true), "");
    assert_int_equal(append(&w, "t/a", "next").id,
                     55); /* none is given twice */
    check_store(&w);
    writing_close(&w);
}

static void retention_counts_messages_not_changes(void **state)
{
    struct writing w;

    (void)state;
    writing_open(&w, 0);
    writing_stop(&w);
    writing_plan(&w, "paid")->retention_count = 3;
    writing_start(&w);
    create_token(&w, "t", "paid");
    for (int i = 0; i < 3; i++)
        append(&w, "t/a", "v"); /* 1…3 */
    edit(&w, "t/a", 1, "w");
    edit(&w, "t/a", 2, "w");
    assert_string_equal(history_of(&w, "t/a"), "1:w 2:w 3:v");
    append(&w, "t/a", "x"); /* 6 */
    wait_for_leftovers(&w);
    assert_string_equal(history_of(&w, "t/a"), "2:w 3:v 6:x");
    assert_string_equal(sent_after(&w, "t/a", 3, true), "e5>2:w m6:x");
    check_store(&w);
    writing_close(&w);
}

static void a_purge_is_told_and_the_thing_goes(void **state)
{
    struct thing_row row;
    struct writing w;

    (void)state;
    opened(&w);
    for (int i = 1; i <= 1000; i++)
        append(&w, "t/a", "v");
    append(&w, "t/b", "v"); /* 1001 */
    edit(&w, "t/a", 500, "w");
    const struct command c = purge(&w, "t/a", 0); /* 1003 */
    assert_result(c, OK);
    assert_int_equal(c.removed, 1000);
    assert_string_equal(history_of(&w, "t/a"), ""); /* at once */
    wait_for_leftovers(&w);
    for (int i = 0; i < 1000 && thing_of(&w, "t/a", &row); i++)
        ping(&w); /* housekeeping rides along */
    assert_false(thing_of(&w, "t/a", &row));
    assert_string_equal(sent_after(&w, "t/a", 10, true), "p1003<1003");
    assert_string_equal(sent_after(&w, "t/#", 10, true), "m1001:v p1003<1003");
    assert_int_equal(append(&w, "t/a", "new").seq, 1);
    check_store(&w);
    writing_close(&w);
}

static void a_purge_of_the_older_ones_leaves_the_rest(void **state)
{
    struct writing w;

    (void)state;
    opened(&w);
    for (int i = 1; i <= 5; i++)
        append(&w, "t/a", "v");
    assert_int_equal(purge(&w, "t/a", 4).removed, 3); /* 6 */
    assert_string_equal(history_of(&w, "t/a"), "4:v 5:v");
    assert_int_equal(purge(&w, "t/a", 4).removed, 0); /* nothing to tell */
    assert_string_equal(sent_after(&w, "t/a", 0, true), "m4:v m5:v p6<4");
    assert_int_equal(append(&w, "t/a", "new").seq, 6);
    check_store(&w);
    writing_close(&w);
}

static void entries_of_purges_are_removed_some_time(void **state)
{
    struct writing w;

    (void)state;
    opened(&w);
    for (int i = 0; i < 6; i++) {
        append(&w, "t/a", "v");
        purge(&w, "t/a", 0);
    }
    assert_int_equal(ROWS_IN(&w, changes), 12);
    const uint64_t bytes = usage_of(&w, "t").bytes;
    clock_advance(8 * INT64_C(86400) * SECOND);
    for (int i = 0; i < 2; i++) {
        append(&w, "t/a", "v");
        purge(&w, "t/a", 0);
    }
    assert_int_equal(ROWS_IN(&w, changes), 4);
    assert_true(usage_of(&w, "t").bytes < bytes);
    check_store(&w);
    writing_close(&w);
}

static void nothing_of_a_deleted_token_is_left(void **state)
{
    struct writing w;

    (void)state;
    opened(&w);
    for (int i = 0; i < 200; i++) {
        append(&w, "t/a", "v");
        purge(&w, "t/a", 0);
    }
    append(&w, "t/a", "v");
    edit(&w, "t/a", append(&w, "t/a", "w").id, "x");
    for (int i = 0; i < 20; i++) {
        struct sent *s = new_command(COMMAND_TOKEN_DELETE);
        ARGS(s, token_delete)->token = slice_str("t");
        run(&w, s);
        clock_advance(2 * SECOND);
    }
    assert_int_equal(ROWS_IN(&w, tokens), 0);
    assert_int_equal(ROWS_IN(&w, changes), 0);
    assert_int_equal(ROWS_IN(&w, log), 0);
    check_store(&w);
    writing_close(&w);
}

static void changes_are_there_after_a_restart(void **state)
{
    struct writing w;

    (void)state;
    opened(&w);
    append(&w, "t/a", "one");
    edit(&w, "t/a", 1, "uno");
    writing_restart(&w);
    assert_string_equal(sent_after(&w, "t/a", 1, true), "e2>1:uno");
    edit(&w, "t/a", 1, "eins");
    delete (&w, "t/a", 1);
    writing_restart(&w);
    assert_string_equal(sent_after(&w, "t/a", 1, true), "d4>1");
    assert_int_equal(append(&w, "t/a", "two").id, 5);
    check_store(&w);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_and_latest_show_the_amended_message),
        cmocka_unit_test(a_changed_message_says_when_and_by_whom),
        cmocka_unit_test(readers_behind_get_the_last_change_once_in_order),
        cmocka_unit_test(changes_are_found_among_many_messages),
        cmocka_unit_test(a_small_budget_finds_the_same),
        cmocka_unit_test(live_readers_get_what_the_log_says),
        cmocka_unit_test(only_messages_of_the_thing_that_are_there_change),
        cmocka_unit_test(limits_hold_for_edits),
        cmocka_unit_test(a_token_that_is_over_its_bound_can_delete),
        cmocka_unit_test(a_repeat_changes_nothing),
        cmocka_unit_test(the_retained_message_changes_with_it),
        cmocka_unit_test(entries_go_with_their_message),
        cmocka_unit_test(retention_counts_messages_not_changes),
        cmocka_unit_test(a_purge_is_told_and_the_thing_goes),
        cmocka_unit_test(a_purge_of_the_older_ones_leaves_the_rest),
        cmocka_unit_test(entries_of_purges_are_removed_some_time),
        cmocka_unit_test(nothing_of_a_deleted_token_is_left),
        cmocka_unit_test(changes_are_there_after_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
