#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/store/store_fixture.h"

static const struct slice start; /* empty: from the first */

static void assert_things(struct store_reader *r, const char *prefix,
                          const char *const *topics, size_t count)
{
    struct slice after = start;
    struct thing_row row;

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(store_thing_next(r, slice_str(prefix), after, &row),
                         STORE_OK);
        assert_true(slice_eq(row.topic, slice_str(topics[i])));
        after = row.topic;
    }
    assert_int_equal(store_thing_next(r, slice_str(prefix), after, &row),
                     STORE_NOTFOUND);
}

#define THINGS(r, prefix, ...)                                                \
    assert_things(r, prefix, (const char *const[]){__VA_ARGS__},              \
                  sizeof((const char *const[]){__VA_ARGS__}) /                \
                      sizeof(char *))

static void a_thing_counts_its_messages(void **state)
{
    struct thing_row row;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 40; i++) {
        fixture_append(&f, "t/a", 100 + i);
        fixture_append(&f, "t/b", 0);
    }
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_thing(r, slice_str("t/a"), &row), STORE_OK);
    assert_true(slice_eq(row.topic, slice_str("t/a")));
    assert_int_equal(row.count, 40);
    assert_int_equal(row.first_id, 1);
    assert_int_equal(row.last_id, 79);
    assert_int_equal(row.first_seq, 1);
    assert_int_equal(row.last_seq, 40);
    assert_int_equal(row.trimmed_id, 0);
    assert_int_equal(row.bytes, 5 * 2 + 35 * 3); /* "p1" … "p79" */
    assert_true(row.last_at_us == 139);
    assert_int_equal(store_thing(r, slice_str("t/"), &row), STORE_NOTFOUND);
    assert_int_equal(store_thing(r, slice_str("t/aa"), &row), STORE_NOTFOUND);
    assert_int_equal(store_thing(r, start, &row), STORE_INVALID);
    fixture_close(&f);
}

static void things_are_listed_bytewise_by_prefix(void **state)
{
    static const char *const topics[] = {"t/b",  "t/a",        "t/a/x",
                                         "t/a0", "u",          "t0/a",
                                         "s/z",  "t/\xc3\xa4", "t"};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        fixture_append(&f, topics[i], 1);
    struct store_reader *r = fixture_look(&f);
    THINGS(r, "", "s/z", "t", "t/a", "t/a/x", "t/a0", "t/b", "t/\xc3\xa4",
           "t0/a", "u");
    THINGS(r, "t/", "t/a", "t/a/x", "t/a0", "t/b", "t/\xc3\xa4");
    THINGS(r, "t/a/", "t/a/x");
    THINGS(r, "u", "u");
    assert_things(r, "v", NULL, 0);
    assert_things(r, "a", NULL, 0);
    fixture_close(&f);
}

static void a_listing_goes_on_after_a_thing_that_is_not_there(void **state)
{
    struct thing_row row;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_append(&f, "t/a", 1);
    fixture_append(&f, "t/c", 1);
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_thing_next(r, slice_str("t/"), slice_str("t/b"),
                                      &row),
                     STORE_OK);
    assert_true(slice_eq(row.topic, slice_str("t/c")));
    /* `after` below the prefix is no further than the prefix */
    assert_int_equal(
        store_thing_next(r, slice_str("t/"), slice_str("a"), &row), STORE_OK);
    assert_true(slice_eq(row.topic, slice_str("t/a")));
    assert_int_equal(store_thing_next(r, slice_str("t/"), slice_str("z"),
                                      &row),
                     STORE_NOTFOUND);
    fixture_close(&f);
}

/* prefix, then `len` bytes of `fill` */
static char *long_topic(const char *prefix, char fill, size_t len)
{
    const size_t before = strlen(prefix);
    char *topic = malloc(before + len + 1);

    assert_non_null(topic);
    memcpy(topic, prefix, before);
    memset(topic + before, fill, len);
    topic[before + len] = 0;
    return topic;
}

static void very_long_topics_are_things_like_others(void **state)
{
    char *const a = long_topic("t/", 'a', 500),
                *const b = long_topic(a, 'b', 1),
                *const c = long_topic(a, 'c', 60000),
                *const prefix = long_topic("t/", 'a', 400);
    struct slice after = start;
    struct thing_row row;
    struct record record;
    struct fixture f;
    unsigned seen = 0;

    (void)state;
    fixture_open(&f);
    fixture_append(&f, "t/a", 1);
    fixture_append(&f, a, 2);
    fixture_append(&f, b, 3);
    for (int i = 0; i < 20; i++) /* with a chunk */
        fixture_append(&f, c, 4);
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_latest(r, slice_str(b), &record), STORE_OK);
    assert_int_equal(record.m.id, 3);
    assert_true(slice_eq(record.m.topic, slice_str(b)));
    assert_int_equal(store_by_seq(r, slice_str(c), 1, &record), STORE_OK);
    assert_int_equal(record.m.id, 4);

    /* Each once; the prefix is longer than what keys show of a name. */
    while (store_thing_next(r, slice_str(prefix), after, &row) == STORE_OK) {
        seen |= slice_eq(row.topic, slice_str(a))   ? 1
                : slice_eq(row.topic, slice_str(b)) ? 2
                : slice_eq(row.topic, slice_str(c)) ? 4
                                                    : 8;
        after = row.topic;
    }
    assert_int_equal(seen, 7);
    assert_int_equal(store_thing_next(r, slice_str(c), start, &row), STORE_OK);
    assert_true(slice_eq(row.topic, slice_str(c)));
    assert_int_equal(store_thing_next(r, slice_str(c), row.topic, &row),
                     STORE_NOTFOUND);
    free(a), free(b), free(c), free(prefix);
    fixture_close(&f);
}

static void the_latest_message_is_the_last_one(void **state)
{
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int i = 1; i <= 40; i++) { /* also right after a chunk is full */
        const uint64_t id = fixture_append(&f, "t/a", i);
        fixture_append(&f, "t/b", i);
        struct store_reader *r = fixture_look(&f);
        assert_int_equal(store_latest(r, slice_str("t/a"), &record), STORE_OK);
        assert_int_equal(record.m.id, id);
        assert_int_equal(record.m.seq, i);
    }
    fixture_close(&f);
}

static void an_emptied_thing_is_listed_but_has_no_messages(void **state)
{
    struct history h = {.topic = slice_str("t/a"), .ascending = true};
    struct thing_row row;
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 20; i++)
        fixture_append(&f, "t/a", i);
    fixture_trim(&f, "t/a", 20, true);
    struct store_reader *r = fixture_look(&f);
    assert_int_equal(store_thing_next(r, start, start, &row), STORE_OK);
    assert_int_equal(row.count, 0);
    assert_int_equal(row.bytes, 0);
    assert_int_equal(row.trimmed_id, 20);
    assert_int_equal(row.last_seq, 20);
    assert_int_equal(row.first_seq, 21);
    assert_int_equal(store_latest(r, h.topic, &record), STORE_NOTFOUND);
    assert_int_equal(store_history_next(r, &h, &record), STORE_NOTFOUND);
    assert_int_equal(store_by_seq(r, h.topic, 20, &record), STORE_NOTFOUND);

    fixture_append(&f, "t/a", 30); /* and counts on */
    r = fixture_look(&f);
    assert_int_equal(store_latest(r, h.topic, &record), STORE_OK);
    assert_int_equal(record.m.seq, 21);
    assert_int_equal(store_by_seq(r, h.topic, 21, &record), STORE_OK);
    assert_int_equal(record.m.id, 21);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thing_counts_its_messages),
        cmocka_unit_test(things_are_listed_bytewise_by_prefix),
        cmocka_unit_test(a_listing_goes_on_after_a_thing_that_is_not_there),
        cmocka_unit_test(very_long_topics_are_things_like_others),
        cmocka_unit_test(the_latest_message_is_the_last_one),
        cmocka_unit_test(an_emptied_thing_is_listed_but_has_no_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
