#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "test/unit/store/store_fixture.h"

static void retain(struct fixture *f, const char *topic)
{
    fixture_retain(f, topic, fixture_append(f, topic, 1));
}

/* All that match, with a budget of `budget` rows per step. */
static void assert_retained(struct store_reader *r, const char *filter,
                            unsigned budget, const char *const *topics)
{
    struct slice after = {0};
    struct record record;

    for (;;) {
        const enum store_err err =
            store_retained_next(r, slice_str(filter), after, budget, &record,
                                &after);
        if (err == STORE_NOTFOUND)
            break;
        if (err == STORE_INVALID) {
            assert_true(after.len > 0); /* it got somewhere */
            continue;
        }
        assert_int_equal(err, STORE_OK);
        assert_non_null(*topics);
        assert_true(slice_eq(record.m.topic, slice_str(*topics)));
        topics++;
    }
    assert_null(*topics);
}

#define RETAINED(r, filter, budget, ...)                                      \
    assert_retained(r, filter, budget, (const char *const[]){__VA_ARGS__})

static void retained_messages_are_found_by_filter(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    retain(&f, "t/b");
    retain(&f, "t/a");
    retain(&f, "t/a/x");
    retain(&f, "u/a");
    retain(&f, "$internal/a");
    retain(&f, "t");
    fixture_append(&f, "t/plain", 1);
    struct store_reader *r = fixture_look(&f);
    for (unsigned budget = 1; budget < 9; budget++) {
        RETAINED(r, "t/a", budget, "t/a", NULL);
        RETAINED(r, "#", budget, "t", "t/a", "t/a/x", "t/b", "u/a", NULL);
        RETAINED(r, "t/#", budget, "t", "t/a", "t/a/x", "t/b", NULL);
        RETAINED(r, "t/+", budget, "t/a", "t/b", NULL);
        RETAINED(r, "+/a", budget, "t/a", "u/a", NULL);
        RETAINED(r, "$internal/#", budget, "$internal/a", NULL);
        RETAINED(r, "t/plain", budget, NULL);
        RETAINED(r, "v/#", budget, NULL);
    }
    fixture_close(&f);
}

static void the_budget_bounds_what_one_step_looks_at(void **state)
{
    struct slice resume = {0};
    struct record record;
    char topic[16];
    struct fixture f;
    unsigned steps = 1;

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 100; i++) {
        snprintf(topic, sizeof(topic), "t/%02d/x", i);
        retain(&f, topic);
    }
    retain(&f, "t/99/y");
    struct store_reader *r = fixture_look(&f);
    while (store_retained_next(r, slice_str("t/+/y"), resume, 10, &record,
                               &resume) == STORE_INVALID)
        steps++;
    assert_int_equal(steps, 11); /* 101 rows */
    assert_true(slice_eq(record.m.topic, slice_str("t/99/y")));
    fixture_close(&f);
}

static void the_retained_message_outlives_its_history(void **state)
{
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    retain(&f, "t/a"); /* id 1 */
    for (int i = 0; i < 20; i++)
        fixture_append(&f, "t/a", 2);
    fixture_trim(&f, "t/a", 5, false); /* hidden, then deleted */
    assert_int_equal(
        store_retained(fixture_look(&f), slice_str("t/a"), &record), STORE_OK);
    assert_int_equal(record.m.id, 1);
    assert_int_equal(store_get(f.reader, 1, &record), STORE_NOTFOUND);

    retain(&f, "t/b");
    const uint64_t id = f.head;
    fixture_trim(&f, "t/b", id, true);
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_retained(r, slice_str("t/b"), &record), STORE_OK);
    assert_int_equal(record.m.id, id);
    assert_int_equal(record.m.seq, 1);
    assert_int_equal(record.m.payload.len, 3); /* "p22" */
    assert_memory_equal(record.m.payload.data, "p22", 3);
    RETAINED(r, "t/b", 1, "t/b", NULL);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retained_messages_are_found_by_filter),
        cmocka_unit_test(the_budget_bounds_what_one_step_looks_at),
        cmocka_unit_test(the_retained_message_outlives_its_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
