#include "bridge/stream/name_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 5000

struct table_entry {
    struct name_node node;
    char text[24];
};

static struct table_entry *add(struct name_table *t, int i)
{
    struct table_entry *e = calloc(1, sizeof(*e));

    assert_non_null(e);
    snprintf(e->text, sizeof(e->text), "name-%d", i);
    e->node.name = slice_str(e->text);
    name_table_add(t, &e->node);
    return e;
}

static struct name_node *find(struct name_table *t, int i)
{
    char text[24];

    snprintf(text, sizeof(text), "name-%d", i);
    return name_table_find(t, slice_str(text));
}

static void remove_node(void *arg, struct name_node *n)
{
    name_table_remove(arg, n);
    free(n);
}

static void what_was_added_is_found_until_removed(void **state)
{
    struct name_table t;
    struct table_entry *entries[MANY];

    (void)state;
    name_table_init(&t);
    for (int i = 0; i < MANY; i++)
        entries[i] = add(&t, i);
    assert_int_equal(t.count, MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(find(&t, i), &entries[i]->node);
    for (int i = 0; i < MANY; i += 2)
        remove_node(&t, &entries[i]->node);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(find(&t, i), i % 2 == 0 ? NULL : &entries[i]->node);
    name_table_each(&t, remove_node, &t);
    assert_int_equal(t.count, 0);
    assert_null(find(&t, 1));
    name_table_release(&t);
}

static void names_are_bytes(void **state)
{
    struct name_table t;
    struct name_node a = {.name = slice_of("a\0b", 3)};
    struct name_node b = {.name = slice_of("a\0c", 3)};
    struct name_node empty = {.name = slice_of(NULL, 0)};

    (void)state;
    name_table_init(&t);
    name_table_add(&t, &a);
    name_table_add(&t, &b);
    name_table_add(&t, &empty);
    assert_ptr_equal(name_table_find(&t, slice_of("a\0b", 3)), &a);
    assert_ptr_equal(name_table_find(&t, slice_of("a\0c", 3)), &b);
    assert_ptr_equal(name_table_find(&t, slice_of("", 0)), &empty);
    assert_null(name_table_find(&t, slice_str("a")));
    name_table_release(&t);
}

static void count_node(void *arg, struct name_node *n)
{
    (void)n;
    ++*(int *)arg;
}

static void some_by_some_all_are_met(void **state)
{
    struct name_table t;
    size_t at = 0;
    int met = 0, calls = 0;

    (void)state;
    name_table_init(&t);
    for (int i = 0; i < 1000; i++)
        add(&t, i);
    while (at < t.bucket_count) {
        name_table_some(&t, &at, 20, count_node, &met);
        calls++;
    }
    assert_in_range(met, 1000, 1100); /* the last part may begin anew */
    assert_in_range(calls, 18, 20);
    name_table_each(&t, remove_node, &t);
    name_table_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_until_removed),
        cmocka_unit_test(names_are_bytes),
        cmocka_unit_test(some_by_some_all_are_met),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
