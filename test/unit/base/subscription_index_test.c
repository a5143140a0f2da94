#include "base/subscription_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/filter_shape.h"
#include "base/topic.h"

/* A subscription with a number, which is its `who`. */
struct index_entry {
    struct subscription where;
    char filter[64];
    bool in;
};

static void add(struct subscription_index *ix, struct index_entry *e,
                const char *filter)
{
    const struct subscriber s = {.who = e, .qos = 1, .since_id = 7};

    snprintf(e->filter, sizeof(e->filter), "%s", filter);
    assert_true(subscription_index_add(ix, slice_str(filter), &s, &e->where));
    e->in = true;
}

static void take_out(struct subscription_index *ix, struct index_entry *e)
{
    subscription_index_remove(ix, &e->where);
    e->in = false;
}

static size_t count_hits(struct subscription_index *ix, const char *topic,
                         const void *who)
{
    const struct index_match *m;
    const size_t n = subscription_index_match(ix, slice_str(topic), &m);
    size_t hits = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m[i].count; j++)
            hits += who == NULL || m[i].subscribers[j].who == who;
    return hits;
}

static void matches_what_the_standard_says(void **state)
{
    static const struct {
        const char *filter, *topic;
        bool matches;
    } rows[] = {
        {"a", "a", true},           {"a", "b", false},
        {"a", "a/", false},         {"a/", "a/", true},
        {"/a", "/a", true},         {"/a", "a", false},
        {"+", "a", true},           {"+", "/a", false},
        {"+/+", "/a", true},        {"/+", "/a", true},
        {"+/", "a/", true},         {"a/b", "a", false},
        {"#", "a/b/c", true},       {"a/#", "a", true},
        {"a/#", "a/b/c", true},     {"a/#", "ab", false},
        {"a/+/#", "a", false},      {"a/+/#", "a/b", true},
        {"+/#", "a", true},         {"a/+/c", "a/b/c", true},
        {"a/+/c", "a/b/d", false},  {"a/+", "a", false},
        {"a//b", "a//b", true},     {"a/+/b", "a//b", true},
        {"#", "$SYS/a", false},     {"+/a", "$SYS/a", false},
        {"$SYS/#", "$SYS/a", true}, {"$SYS/+", "$SYS/a", true},
        {"a/+", "a/$b", true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct subscription_index *ix = subscription_index_new();
        struct index_entry e = {0};
        add(ix, &e, rows[i].filter);
        if (count_hits(ix, rows[i].topic, &e) != rows[i].matches)
            fail_msg("%s against %s", rows[i].filter, rows[i].topic);
        subscription_index_free(ix);
    }
}

static void each_matching_filter_of_a_client_is_one_match(void **state)
{
    struct subscription_index *ix = subscription_index_new();
    struct index_entry e[4] = {0};
    const struct index_match *m;
    (void)state;

    add(ix, &e[0], "t/a/b");
    add(ix, &e[1], "t/+/b");
    add(ix, &e[2], "t/#");
    add(ix, &e[3], "t/a/c");
    assert_int_equal(subscription_index_match(ix, slice_str("t/a/b"), &m), 3);
    assert_int_equal(m[0].subscribers[0].since_id, 7);
    assert_int_equal(subscription_index_count(ix), 4);
    subscription_index_free(ix);
}

static void options_are_changed_in_place(void **state)
{
    struct subscription_index *ix = subscription_index_new();
    struct index_entry e = {0};
    const struct index_match *m;
    (void)state;

    add(ix, &e, "t/#");
    subscription_index_entry(&e.where)->qos = 0;
    assert_int_equal(subscription_index_match(ix, slice_str("t/x"), &m), 1);
    assert_int_equal(m[0].subscribers[0].qos, 0);
    subscription_index_free(ix);
}

static void removing_from_a_crowd_takes_the_right_one(void **state)
{
    enum { CROWD = 1000 };
    struct subscription_index *ix = subscription_index_new();
    struct index_entry *e = calloc(CROWD, sizeof(*e));
    (void)state;

    for (int i = 0; i < CROWD; i++)
        add(ix, &e[i], "t/same");
    for (int i = 0; i < CROWD; i += 2)
        take_out(ix, &e[i]);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(count_hits(ix, "t/same", &e[i]), i % 2);
    assert_int_equal(count_hits(ix, "t/same", NULL), CROWD / 2);
    subscription_index_free(ix);
    free(e);
}

static void hundreds_of_levels_are_walked(void **state)
{
    char topic[2 * TOPIC_LEVELS_MAX], filter[2 * TOPIC_LEVELS_MAX];
    struct subscription_index *ix = subscription_index_new();
    struct index_entry e[2] = {0};
    struct subscriber s = {.who = &e[1]};
    (void)state;

    for (int i = 0; i < TOPIC_LEVELS_MAX; i++) {
        topic[2 * i] = 'a';
        filter[2 * i] = i % 2 ? 'a' : '+';
        topic[2 * i + 1] = filter[2 * i + 1] = '/';
    }
    const size_t len = 2 * TOPIC_LEVELS_MAX - 1;
    topic[len] = filter[len] = '\0';
    assert_true(
        subscription_index_add(ix, slice_of(filter, len), &s, &e[1].where));
    assert_int_equal(count_hits(ix, topic, &e[1]), 1);
    topic[len - 1] = 'b';
    assert_int_equal(count_hits(ix, topic, &e[1]), 0);
    subscription_index_free(ix);
}

static void random_name(char *to, size_t levels, bool filter)
{
    static const char *const names[] = {"a", "b", "", "cc", "$d"};
    size_t at = 0;

    for (size_t i = 0; i < levels; i++) {
        if (i > 0)
            to[at++] = '/';
        const int dice = rand() % 10;
        if (filter && dice == 0 && i + 1 == levels) {
            to[at++] = '#';
        } else if (filter && dice < 4) {
            to[at++] = '+';
        } else {
            const char *name = names[rand() % 5];
            at += (size_t)sprintf(to + at, "%s", name);
        }
    }
    if (at == 0)
        to[at++] = 'x';
    to[at] = '\0';
}

static void compare(struct subscription_index *ix, struct index_entry *e,
                    size_t n)
{
    char topic[64];

    random_name(topic, 1 + (size_t)rand() % 5, false);
    for (size_t i = 0; i < n; i++) {
        const bool expected = e[i].in && filter_matches(slice_str(e[i].filter),
                                                        slice_str(topic));
        if (count_hits(ix, topic, &e[i]) != expected)
            fail_msg("%s against %s, %s", e[i].filter, topic,
                     e[i].in ? "in" : "out");
    }
}

/* The tree against the rule it stands for, filter by filter. */
static void agrees_with_matching_one_by_one(void **state)
{
    enum { MANY = 200 };
    struct subscription_index *ix = subscription_index_new();
    struct index_entry *e = calloc(MANY, sizeof(*e));
    char filter[64];
    (void)state;

    srand(1);
    for (int round = 0; round < 3000; round++) {
        struct index_entry *one = &e[rand() % MANY];
        if (one->in) {
            take_out(ix, one);
        } else {
            random_name(filter, 1 + (size_t)rand() % 5, true);
            add(ix, one, filter);
        }
        if (round % 10 == 0)
            compare(ix, e, MANY);
    }
    for (int i = 0; i < MANY; i++)
        if (e[i].in)
            take_out(ix, &e[i]);
    assert_int_equal(subscription_index_count(ix), 0);
    assert_int_equal(count_hits(ix, "a/b", NULL), 0);
    subscription_index_free(ix);
    free(e);
}

/* A filter or topic of `levels` levels below `token`: where `mask` has a bit,
 * `yes`, else `no`. */
static void by_mask(char *to, const char *token, unsigned levels,
                    unsigned mask, char yes, char no)
{
    size_t at = (size_t)sprintf(to, "%s", token);

    for (unsigned i = 0; i < levels; i++) {
        to[at++] = '/';
        to[at++] = mask >> i & 1 ? yes : no;
    }
    to[at] = '\0';
}

static size_t cost_of_match(struct subscription_index *ix, const char *topic)
{
    (void)count_hits(ix, topic, NULL);
    return subscription_index_visited(ix);
}

static void a_topic_costs_the_same_among_100000_filters(void **state)
{
    enum { FEW = 100, MANY = 100000 };
    static const char *const forms[] = {
        "t/%d/+/x", "t/+/%d/x", "t/%d/#",   "t/+/+/%d",
        "u%d/+/x",  "t/a/b/%d", "+/%d/b/#",
    };
    struct subscription_index *ix = subscription_index_new();
    struct index_entry *e = calloc(MANY, sizeof(*e));
    size_t cost = 0;
    char filter[64];
    (void)state;

    for (int i = 0; i < MANY; i++) {
        snprintf(filter, sizeof(filter), forms[i % 7], i / 7);
        add(ix, &e[i], filter);
        if (i + 1 == FEW)
            cost = cost_of_match(ix, "t/3/3/3");
    }
    assert_int_equal(count_hits(ix, "t/3/3/3", NULL), 2);
    assert_int_equal(cost_of_match(ix, "t/3/3/3"), cost);
    assert_true(cost_of_match(ix, "t/9999/9999/9999") <= cost);
    assert_true(cost_of_match(ix, "nobody/9999/9999/9999") <= cost);
    subscription_index_free(ix);
    free(e);
}

/* a/+/a/+, +/a/+/a and all the others: a tree in which one topic would visit
 * every node. */
static void filters_made_to_branch_are_bounded(void **state)
{
    enum { LEVELS = 14, MASKS = 1 << LEVELS };
    struct subscription_index *ix = subscription_index_new();
    struct index_entry *e = calloc(MASKS, sizeof(*e));
    struct subscriber s = {0};
    char filter[64], topic[64];
    unsigned taken = 0;
    (void)state;

    by_mask(topic, "t", LEVELS, 0, 'a', 'a');
    for (unsigned i = 0; i < MASKS; i++) {
        by_mask(filter, "t", LEVELS, i, '+', 'a');
        s.who = &e[i];
        e[i].in =
            subscription_index_add(ix, slice_str(filter), &s, &e[i].where);
        taken += e[i].in;
        assert_int_equal(e[i].in, i <= FILTER_SHAPES_MAX);
        assert_true(e[i].in ||
                    !subscription_index_takes(ix, slice_str(filter)));
    }
    /* and the one without `+`, which is no shape */
    assert_int_equal(taken, FILTER_SHAPES_MAX + 1);
    assert_int_equal(count_hits(ix, topic, NULL), taken);
    assert_true(subscription_index_visited(ix) <=
                (LEVELS + 1) * (FILTER_SHAPES_MAX + 1));

    /* more of a shape that is there, and other owners, are not concerned */
    struct index_entry more[3] = {0};
    by_mask(filter, "t", LEVELS, 1, '+', 'b');
    add(ix, &more[0], filter);
    by_mask(filter, "u", LEVELS, MASKS - 1, '+', 'a');
    add(ix, &more[1], filter);
    by_mask(filter, "$events/u", LEVELS, MASKS - 1, '+', 'a');
    add(ix, &more[2], filter);

    /* one that is free again may be another one */
    by_mask(filter, "t", LEVELS, MASKS - 1, '+', 'a');
    assert_false(subscription_index_takes(ix, slice_str(filter)));
    take_out(ix, &e[2]);
    assert_true(subscription_index_takes(ix, slice_str(filter)));
    add(ix, &e[MASKS - 1], filter);

    for (unsigned i = 0; i < MASKS; i++)
        if (e[i].in)
            take_out(ix, &e[i]);
    for (int i = 0; i < 3; i++)
        take_out(ix, &more[i]);
    assert_int_equal(cost_of_match(ix, topic), 1);
    subscription_index_free(ix);
    free(e);
}

static void no_tenant_uses_up_the_events_of_another(void **state)
{
    struct subscription_index *ix = subscription_index_new();
    struct index_entry *e = calloc(FILTER_SHAPES_MAX + 1, sizeof(*e));
    char filter[64];
    (void)state;

    for (unsigned i = 1; i <= FILTER_SHAPES_MAX; i++) {
        by_mask(filter, "$events/t", 8, i, '+', 'a');
        add(ix, &e[i], filter);
    }
    assert_false(
        subscription_index_takes(ix, slice_str("$events/t/+/+/+/+/+/+/+/+")));
    assert_true(
        subscription_index_takes(ix, slice_str("$events/u/+/+/+/+/+/+/+/+")));
    assert_true(subscription_index_takes(ix, slice_str("$events/t/a/#")));
    subscription_index_free(ix);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_what_the_standard_says),
        cmocka_unit_test(each_matching_filter_of_a_client_is_one_match),
        cmocka_unit_test(options_are_changed_in_place),
        cmocka_unit_test(removing_from_a_crowd_takes_the_right_one),
        cmocka_unit_test(hundreds_of_levels_are_walked),
        cmocka_unit_test(agrees_with_matching_one_by_one),
        cmocka_unit_test(a_topic_costs_the_same_among_100000_filters),
        cmocka_unit_test(filters_made_to_branch_are_bounded),
        cmocka_unit_test(no_tenant_uses_up_the_events_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
