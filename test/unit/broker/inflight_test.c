/* Packet ids in flight and their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/client/inflight.h"

static void packet_ids_are_unique_and_come_back(void **state)
{
    struct inflight f;
    bool seen[INFLIGHT_MAX + 1] = {0};
    (void)state;

    inflight_init(&f, INFLIGHT_MAX);
    for (int i = 0; i < INFLIGHT_MAX; i++) {
        assert_false(inflight_full(&f));
        const struct inflight_entry *e = inflight_take(&f);
        assert_in_range(e->packet_id, 1, INFLIGHT_MAX);
        assert_false(seen[e->packet_id]);
        seen[e->packet_id] = true;
    }
    assert_true(inflight_full(&f));
    inflight_remove(&f, inflight_find(&f, 77));
    assert_null(inflight_find(&f, 77));
    assert_null(inflight_find(&f, 0));
    assert_null(inflight_find(&f, INFLIGHT_MAX + 1));
    assert_null(inflight_find(&f, 65535));
    assert_int_equal(inflight_take(&f)->packet_id, 77);
    inflight_release(&f);
}

static void the_order_of_sending_survives_any_order_of_acknowledging(
    void **state)
{
    struct inflight f;
    (void)state;

    inflight_init(&f, INFLIGHT_MAX);
    for (uint64_t i = 0; i < 2000; i++) {
        while (f.count < 200)
            inflight_take(&f)->log_id = 1000 + i;
        inflight_remove(&f, inflight_at(&f, (unsigned)(i * 7919 % f.count)));
        if (i % 3 == 0)
            inflight_remove(&f, inflight_at(&f, 0));
        for (unsigned j = 1; j < f.count; j++)
            assert_true(inflight_at(&f, j - 1)->order <
                        inflight_at(&f, j)->order);
        for (unsigned j = 0; j < f.count; j++)
            assert_ptr_equal(inflight_find(&f, inflight_at(&f, j)->packet_id),
                             inflight_at(&f, j));
    }
    inflight_release(&f);
    assert_null(f.entries);
}

static void what_was_on_disk_goes_on_where_it_was(void **state)
{
    struct inflight f;
    const struct inflight_entry a = {.packet_id = 9, .order = 40, .log_id = 5},
                                b = {.packet_id = 3, .order = 41, .log_id = 7},
                                bad = {.packet_id = 0}, again = a;
    (void)state;

    inflight_init(&f, 2);
    assert_true(inflight_restore(&f, &a));
    assert_true(inflight_restore(&f, &b));
    assert_false(inflight_restore(&f, &bad));
    assert_false(inflight_restore(&f, &again));
    assert_true(inflight_full(&f));
    assert_int_equal(inflight_at(&f, 0)->log_id, 5);
    inflight_remove(&f, inflight_find(&f, 9));
    const struct inflight_entry *next = inflight_take(&f);
    assert_int_equal(next->packet_id, 4);
    assert_int_equal(next->order, 42);
    inflight_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packet_ids_are_unique_and_come_back),
        cmocka_unit_test(
            the_order_of_sending_survives_any_order_of_acknowledging),
        cmocka_unit_test(what_was_on_disk_goes_on_where_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
