/* A worker's way through the batches, a step at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "broker/fan_out/fan_out.h"
#include "test/unit/store/by_hand.h"

static struct by_hand h;

static int begin(void **state)
{
    (void)state;
    by_hand_begin(&h, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    by_hand_end(&h);
    return 0;
}

/* So little time that the fan-out ends after its first step. */
static void one_step(struct worker *w)
{
    w->mono_us = 0;
    assert_true(fan_out_turn(w, 1));
}

static void a_batch_that_concerns_nobody_is_behind_at_once(void **state)
{
    struct worker *w = h.workers[0];
    const uint64_t before = w->head;
    (void)state;

    by_hand_append(&h, "t/x", 1, slice_str("1"));
    one_step(w);
    assert_int_equal(w->head, before + 1);
    assert_null(w->current);
    by_hand_turn(&h);
}

/* The group begins where the log ended at the SUBSCRIBE; what was passed over
 * meanwhile, because there was no group, it has to read. */
static void a_group_that_joins_behind_it_reads_it(void **state)
{
    struct peer p = by_hand_guest(&h, "member", "t");
    struct worker *w = h.workers[0];
    (void)state;

    says(&p, "82[ 0001 ('$share/g/t/#') 00 ]");
    while (mailbox_count(w->share->mail) == 0) /* JOIN */
        by_hand_turn(&h);
    by_hand_append(&h, "t/x", 1, slice_str("2"));
    one_step(w);
    hears(&p, "90 03 0001 00");
    hears(&p, "30[ ('t/x') '2' ]");
    peer_close(&p);
    do
        by_hand_turn(&h);
    while (w->share->groups != NULL || !share_is_quiet(w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_that_concerns_nobody_is_behind_at_once),
        cmocka_unit_test(a_group_that_joins_behind_it_reads_it),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
