#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/share/share_returned.h"

static void they_come_out_in_order_however_they_went_in(void **state)
{
    struct share_returned r = {0};
    uint64_t a[] = {50, 10, 40, 30}, c[] = {60, 20}, d[] = {5};
    (void)state;

    assert_true(share_returned_add(&r, a, 4));
    assert_int_equal(share_returned_first(&r), 10);
    share_returned_pop(&r);
    assert_true(share_returned_add(&r, c, 2));
    assert_true(share_returned_add(&r, d, 1));
    assert_true(share_returned_add(&r, NULL, 0));
    for (uint64_t want = 5; r.count > 0; want = want == 5 ? 20 : want + 10) {
        assert_int_equal(share_returned_first(&r), want);
        share_returned_pop(&r);
    }
    assert_null(r.ids); /* no memory while there are none */
}

static void hundreds_agree_with_sorting(void **state)
{
    enum { MANY = 3000 };
    struct share_returned r = {0};
    uint64_t ids[64], last = 0;
    unsigned in = 0, out = 0;
    (void)state;

    srand(1);
    while (in < MANY) { /* multiples of a prime modulo another: all differ */
        const unsigned n = (unsigned)rand() % 64;
        for (unsigned i = 0; i < n; i++)
            ids[i] = 1 + (uint64_t)(in++) * 7919 % 104729;
        assert_true(share_returned_add(&r, ids, n));
        if (r.count > 0 && in % 3 == 0) {
            const uint64_t id = share_returned_first(&r);
            share_returned_pop(&r);
            out++;
            assert_true(share_returned_add(&r, &(uint64_t){id}, 1));
            out--;
        }
    }
    for (; r.count > 0; out++) {
        assert_true(share_returned_first(&r) > last);
        last = share_returned_first(&r);
        share_returned_pop(&r);
    }
    assert_int_equal(out, in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_out_in_order_however_they_went_in),
        cmocka_unit_test(hundreds_agree_with_sorting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
