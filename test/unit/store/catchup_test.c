#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/read/catchup.h"
#include "test/unit/store/store_fixture.h"

#define ALL 1000000 /* a budget that is never used up */

/* Filters as strings, at most eight, NULL at the end. */
struct filters {
    struct slice list[8];
    size_t count;
};

static struct filters filters_of(const char *const *names)
{
    struct filters f = {.count = 0};

    while (names[f.count] != NULL) {
        f.list[f.count] = slice_str(names[f.count]);
        f.count++;
    }
    return f;
}

#define FILTERS(...) filters_of((const char *const[]){__VA_ARGS__, NULL})

static struct catchup *catch_up(struct filters f, uint64_t after)
{
    struct catchup *c = catchup_new(f.list, f.count, after, false);

    assert_non_null(c);
    return c;
}

static bool matches(const struct filters *f, struct slice topic)
{
    for (size_t i = 0; i < f->count; i++)
        if (filter_matches(f->list[i], topic))
            return true;
    return false;
}

/* Runs c to `upto`: everything that store_next() gives and the filters match,
 * neither more nor less. Returns the number of steps. */
static unsigned assert_caught_up(struct fixture *f, struct catchup *c,
                                 struct filters filters, uint64_t upto,
                                 unsigned budget)
{
    struct store_reader *r = f->reader;
    uint64_t id = catchup_position(c);
    struct record expected, got;
    enum catchup_step step;
    unsigned steps = 0;

    for (;;) {
        do {
            step = catchup_next(c, r, upto, budget, &got);
            steps++;
        } while (step == CATCHUP_MORE);
        assert_int_not_equal(step, CATCHUP_FAILED);

        enum store_err err;
        do {
            err = store_next(r, id, &expected);
            if (err == STORE_OK)
                id = expected.m.id;
        } while (err == STORE_OK && id <= upto &&
                 (expected.m.kind != MESSAGE_MESSAGE ||
                  !matches(&filters, expected.m.topic)));
        if (err != STORE_OK || id > upto) {
            assert_int_equal(step, CATCHUP_DONE);
            return steps;
        }
        assert_int_equal(step, CATCHUP_RECORD);
        assert_int_equal(got.m.id, id);
        assert_true(slice_eq(got.m.topic, expected.m.topic));
        assert_true(slice_eq(got.m.payload, expected.m.payload));
        assert_int_equal(catchup_position(c), id);
    }
}

static unsigned assert_catches_up(struct fixture *f, struct filters filters,
                                  uint64_t after, uint64_t upto,
                                  unsigned budget)
{
    struct catchup *c = catch_up(filters, after);
    const unsigned steps = assert_caught_up(f, c, filters, upto, budget);

    if (upto <= store_head(f->reader) && after <= upto)
        assert_int_equal(catchup_position(c), upto);
    catchup_free(c);
    return steps;
}

/* Entry i goes to t/<i mod things>; every 10th to u/x; every 17th is an edit. */
static void fill(struct fixture *f, unsigned count, unsigned things)
{
    char topic[16];

    for (unsigned i = 0; i < count; i++) {
        snprintf(topic, sizeof(topic), "t/%u", i % things);
        if (i % 17 == 16) {
            const struct message edit = {.kind = MESSAGE_EDIT,
                                         .topic = slice_str(topic)};
            fixture_put(f, &edit);
        } else {
            fixture_append(f, i % 10 == 9 ? "u/x" : topic, i);
        }
    }
    fixture_look(f);
}

/* ------------------------------------------------------------------------ */

static void every_set_of_filters_gets_its_messages_in_order(void **state)
{
    const struct filters sets[] = {
        FILTERS("t/1"),
        FILTERS("t/unknown"),
        FILTERS("t/1", "t/4"),
        FILTERS("t/1", "t/1", "t/unknown"),
        FILTERS("t/+"),
        FILTERS("t/#", "t/1", "t/+"), /* each message once */
        FILTERS("#"),
        FILTERS("+/x"),
        FILTERS("u/#", "t/5"),
        FILTERS("v/#"),
    };
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fill(&f, 3000, 7);
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        const uint64_t after[] = {0, 1, 1000, 2900, 2999, 3000};
        for (size_t a = 0; a < 6; a++) {
            assert_catches_up(&f, sets[i], after[a], 3000, ALL);
            assert_catches_up(&f, sets[i], after[a], 3000, 1);
            assert_catches_up(&f, sets[i], after[a], 3000, 13);
            assert_catches_up(&f, sets[i], after[a], 2950, 100);
            assert_catches_up(&f, sets[i], after[a], UINT64_MAX, 100);
        }
    }
    fixture_close(&f);
}

static void the_position_never_goes_back(void **state)
{
    struct catchup *c = catch_up(FILTERS("t/1"), 500);
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fill(&f, 100, 2); /* a cursor of the future, or of another store */
    assert_int_equal(catchup_next(c, f.reader, 100, 10, &record),
                     CATCHUP_DONE);
    assert_int_equal(catchup_position(c), 500);
    catchup_free(c);
    fixture_close(&f);
}

static void a_step_looks_at_no_more_than_its_budget(void **state)
{
    const struct filters nothing = FILTERS("v/#");
    struct catchup *c = catchup_new(nothing.list, 1, 0, true); /* scans */
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fill(&f, 1000, 2);
    assert_non_null(c);
    for (uint64_t position = 50; position < 1000; position += 50) {
        assert_int_equal(catchup_next(c, f.reader, 1000, 50, &record),
                         CATCHUP_MORE);
        assert_int_equal(catchup_position(c), position);
    }
    assert_int_equal(catchup_next(c, f.reader, 1000, 50, &record),
                     CATCHUP_DONE);
    catchup_free(c);
    fixture_close(&f);
}

static void few_messages_among_many_are_not_looked_for_one_by_one(void **state)
{
    const struct filters quiet = FILTERS("quiet/#");
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_append(&f, "quiet/a", 0);
    fixture_append(&f, "quiet/b", 0);
    fill(&f, 10000, 3);
    fixture_append(&f, "quiet/a", 0);
    fill(&f, 10000, 3);
    fixture_append(&f, "quiet/b", 0);
    fixture_look(&f);
    /* A scan takes 2000 steps. */
    assert_true(assert_catches_up(&f, quiet, 0, f.head, 10) < 50);
    assert_true(assert_catches_up(&f, quiet, 2, f.head, 10) < 50);
    assert_true(assert_catches_up(&f, FILTERS("quiet/a", "quiet/b"), 0, f.head,
                                  10) < 50);
    assert_true(assert_catches_up(&f, FILTERS("quiet/a"), 0, f.head, 10) < 50);
    fixture_close(&f);
}

static void choosing_ends_when_a_scan_has_become_cheaper(void **state)
{
    struct catchup *c = catch_up(FILTERS("t/+"), 0);
    struct record record;
    struct fixture f;
    unsigned steps = 1;

    (void)state;
    fixture_open(&f);
    fill(&f, 5000, 500); /* about nine each, 46 by the model: 110 do */
    while (catchup_next(c, f.reader, f.head, 1, &record) == CATCHUP_MORE)
        steps++;
    assert_int_equal(record.m.id, 1);
    assert_in_range(steps, 90, 130);
    catchup_free(c);
    fixture_close(&f);
}

static void more_things_than_a_merge_holds_take_several_rounds(void **state)
{
    const struct filters all = FILTERS("many/+");
    char topic[16];
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MERGE_SOURCES + 500; i++) {
            /* names in another order than ids */
            snprintf(topic, sizeof(topic), "many/%u", (i * 7919) % 65536);
            fixture_append(&f, topic, i);
            fixture_append(&f, "other", i); /* a round may end with it */
        }
        fixture_skip(&f, UINT64_C(1) << 30); /* what a scan seems to cost */
    }
    fixture_look(&f);
    assert_catches_up(&f, all, 0, f.head, ALL);
    assert_catches_up(&f, all, 0, f.head, 7);
    assert_catches_up(&f, all, 1000, f.head, 100);
    assert_catches_up(&f, FILTERS("many/1+", "many/#"), 3, f.head, 100);
    fixture_close(&f);
}

static void live_messages_follow_without_gap_or_double(void **state)
{
    const struct filters sets[] = {FILTERS("t/1"), FILTERS("t/+"),
                                   FILTERS("t/1", "u/#"), FILTERS("new/#")};
    struct catchup *c[4];
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fill(&f, 2000, 40);
    for (size_t i = 0; i < 4; i++)
        c[i] = catch_up(sets[i], 0);
    for (unsigned round = 0; round < 30; round++) {
        for (size_t i = 0; i < 4; i++)
            assert_caught_up(&f, c[i], sets[i], f.head, 20 + round);
        fill(&f, round * 10 % 70, 40);
        if (round % 7 == 0)
            fixture_append(&f, "new/a", 1);
        fixture_look(&f);
    }
    for (size_t i = 0; i < 4; i++)
        catchup_free(c[i]);
    fixture_close(&f);
}

/* One record per snapshot, while messages keep coming. */
static void a_step_may_run_in_any_snapshot(void **state)
{
    const struct filters filters = FILTERS("t/3", "u/#", "q/+");
    struct catchup *c = catch_up(filters, 0);
    struct record got, expected;
    uint64_t id = 0;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_append(&f, "q/a", 1);
    fill(&f, 5000, 400);
    for (unsigned n = 0; n < 300; n++) {
        enum catchup_step step;
        do {
            fixture_append(&f, n % 3 == 0 ? "q/b" : "t/1", 1);
            fixture_look(&f);
            step = catchup_next(c, f.reader, UINT64_MAX, 3, &got);
        } while (step == CATCHUP_MORE);
        assert_int_equal(step, CATCHUP_RECORD);
        do {
            assert_int_equal(store_next(f.reader, id, &expected), STORE_OK);
            id = expected.m.id;
        } while (expected.m.kind != MESSAGE_MESSAGE ||
                 !matches(&filters, expected.m.topic));
        assert_int_equal(got.m.id, id);
    }
    catchup_free(c);
    fixture_close(&f);
}

static void edits_come_only_when_asked_for(void **state)
{
    const struct filters filters = FILTERS("t/0");
    struct catchup *c;
    struct record record;
    unsigned edits = 0, messages = 0;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fill(&f, 1000, 1);
    c = catchup_new(filters.list, 1, 0, true);
    assert_non_null(c);
    while (catchup_next(c, f.reader, f.head, ALL, &record) == CATCHUP_RECORD) {
        edits += record.m.kind == MESSAGE_EDIT;
        messages += record.m.kind == MESSAGE_MESSAGE;
    }
    catchup_free(c);
    for (unsigned i = 0; i < 1000; i++) { /* as fill() made them */
        edits -= i % 17 == 16;
        messages -= i % 17 != 16 && i % 10 != 9;
    }
    assert_int_equal(edits, 0);
    assert_int_equal(messages, 0);
    fixture_close(&f);
}

/* ---- retention --------------------------------------------------------- */

static void what_is_trimmed_is_passed_over(void **state)
{
    const struct filters sets[] = {FILTERS("t/1"), FILTERS("t/+"),
                                   FILTERS("t/1", "t/2"),
                                   FILTERS("q/#", "t/1")};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_append(&f, "q/a", 1);
    fill(&f, 3000, 60);
    for (int erase = 0; erase < 2; erase++) {
        struct catchup *c[4];
        for (size_t i = 0; i < 4; i++) {
            struct record record;
            c[i] = catch_up(sets[i], 0); /* on its way already */
            assert_int_equal(catchup_next(c[i], f.reader, f.head, ALL,
                                          &record),
                             CATCHUP_RECORD);
        }
        fixture_trim(&f, "t/1", 1000 + 1000 * (uint64_t)erase, erase);
        fixture_trim(&f, "t/2", 500, erase);
        fixture_look(&f);
        for (size_t i = 0; i < 4; i++) {
            assert_caught_up(&f, c[i], sets[i], f.head, 10);
            catchup_free(c[i]);
            assert_catches_up(&f, sets[i], 0, f.head, 10);
        }
    }
    fixture_trim(&f, "t/1", f.head, true);
    fixture_look(&f);
    for (size_t i = 0; i < 4; i++)
        assert_catches_up(&f, sets[i], 0, f.head, 10);
    fixture_close(&f);
}

static uint64_t gap(struct fixture *f, struct filters filters, uint64_t after)
{
    uint64_t to = 0;
    const bool found =
        catchup_gap(f->reader, filters.list, filters.count, after, &to);

    assert_int_equal(found, to != 0);
    return to;
}

static void a_gap_is_what_a_matching_thing_has_lost(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fill(&f, 100, 4); /* t/0: 1, 5, …; t/1: 2, 6, … but for u/x and edits */
    assert_int_equal(gap(&f, FILTERS("#"), 0), 0);
    fixture_trim(&f, "t/0", 21, false);
    fixture_trim(&f, "t/1", 38, true);
    fixture_look(&f);
    assert_int_equal(gap(&f, FILTERS("t/0"), 0), 21);
    assert_int_equal(gap(&f, FILTERS("t/0"), 20), 21);
    assert_int_equal(gap(&f, FILTERS("t/0"), 21), 0);
    assert_int_equal(gap(&f, FILTERS("t/2"), 0), 0);
    assert_int_equal(gap(&f, FILTERS("t/unknown"), 0), 0);
    assert_int_equal(gap(&f, FILTERS("t/0", "t/1"), 0), 38);
    assert_int_equal(gap(&f, FILTERS("t/+"), 30), 38);
    assert_int_equal(gap(&f, FILTERS("t/+"), 38), 0);
    assert_int_equal(gap(&f, FILTERS("u/#"), 0), 0);

    fixture_trim(&f, "t/0", f.head, true); /* also when nothing is left */
    fixture_look(&f);
    assert_int_equal(gap(&f, FILTERS("t/0"), 0), 97);
    fixture_close(&f);
}

#define THINGS 90

static unsigned things_of(struct fixture *f, const char *prefix)
{
    struct thing_row row = {.topic = slice_of(NULL, 0)};
    unsigned n = 0;

    while (store_thing_next(f->reader, slice_str(prefix), row.topic, &row) ==
           STORE_OK)
        n++;
    return n;
}

/* Whatever the budget, the walk finds the same and looks at everything once. */
static void a_walk_for_gaps_looks_at_no_more_than_its_budget(void **state)
{
    static const unsigned budgets[] = {1, 7, 50, 1000};
    const struct filters filters = FILTERS("t/+", "t/5");
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fill(&f, 10 * THINGS, THINGS);
    fixture_trim(&f, "t/3", 4 + THINGS, false);
    fixture_look(&f);
    const uint64_t expected = gap(&f, filters, 0);
    assert_true(expected > 0);
    for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
        struct gap_walk walk = {0};
        unsigned looked = 0, steps = 0;
        bool done = false;
        while (!done) {
            unsigned budget = budgets[i];
            done = gap_walk_step(&walk, f.reader, filters.list, filters.count,
                                 &budget);
            assert_true(done || budget == 0);
            looked += budgets[i] - budget;
            steps++;
        }
        assert_int_equal(walk.trimmed_id, expected);
        /* each thing of t, the exact one again, and the end of each filter */
        assert_int_equal(looked, things_of(&f, "t/") + 1 + filters.count);
        assert_true(steps <= looked / budgets[i] + 1);
        gap_walk_release(&walk);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set_of_filters_gets_its_messages_in_order),
        cmocka_unit_test(the_position_never_goes_back),
        cmocka_unit_test(a_step_looks_at_no_more_than_its_budget),
        cmocka_unit_test(
            few_messages_among_many_are_not_looked_for_one_by_one),
        cmocka_unit_test(choosing_ends_when_a_scan_has_become_cheaper),
        cmocka_unit_test(more_things_than_a_merge_holds_take_several_rounds),
        cmocka_unit_test(live_messages_follow_without_gap_or_double),
        cmocka_unit_test(a_step_may_run_in_any_snapshot),
        cmocka_unit_test(edits_come_only_when_asked_for),
        cmocka_unit_test(what_is_trimmed_is_passed_over),
        cmocka_unit_test(a_gap_is_what_a_matching_thing_has_lost),
        cmocka_unit_test(a_walk_for_gaps_looks_at_no_more_than_its_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
