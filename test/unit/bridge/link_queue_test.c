#include "bridge/link/link_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT 6

static struct link_request requests[COUNT];

static void fill(struct link_queue *b)
{
    link_queue_init(b);
    for (int i = 0; i < COUNT; i++) {
        requests[i] = (struct link_request){.deadline_us = 100 + i};
        link_queue_accept(b, &requests[i]);
    }
}

static void send_next(struct link_queue *b, int packet_id)
{
    link_queue_sent(b, link_queue_next(b), packet_id);
}

static void requests_leave_in_order_and_return_by_packet(void **state)
{
    struct link_queue b;

    (void)state;
    fill(&b);
    send_next(&b, 1);
    send_next(&b, 1 + LINK_PACKET_SLOTS); /* the same slot */
    assert_ptr_equal(link_queue_next(&b), &requests[2]);
    assert_null(link_queue_answered(&b, 2));
    assert_ptr_equal(link_queue_answered(&b, 1 + LINK_PACKET_SLOTS),
                     &requests[1]);
    assert_ptr_equal(link_queue_answered(&b, 1), &requests[0]);
    assert_null(link_queue_answered(&b, 1));
    assert_int_equal(b.count, COUNT - 2);
}

static void a_packet_may_hold_several(void **state)
{
    struct link_queue b;

    (void)state;
    fill(&b);
    assert_int_equal(b.waiting_count, COUNT);
    send_next(&b, 7);
    send_next(&b, 8);
    send_next(&b, 7);
    assert_int_equal(b.waiting_count, COUNT - 3);
    link_queue_remove(&b, &requests[5]);
    assert_int_equal(b.waiting_count, COUNT - 4);
    assert_ptr_equal(link_queue_answered(&b, 7), &requests[2]);
    assert_ptr_equal(link_queue_answered(&b, 7), &requests[0]);
    assert_null(link_queue_answered(&b, 7));
    link_queue_lost(&b);
    assert_int_equal(b.waiting_count, 3);
    assert_ptr_equal(link_queue_next(&b), &requests[1]);
}

static void after_a_loss_the_unanswered_come_first_in_order(void **state)
{
    struct link_queue b;

    (void)state;
    fill(&b);
    for (int i = 0; i < 4; i++)
        send_next(&b, 10 + i);
    assert_ptr_equal(link_queue_answered(&b, 11), &requests[1]);
    link_queue_lost(&b);
    assert_null(link_queue_answered(&b, 10));
    static const int order[] = {0, 2, 3, 4, 5};
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(link_queue_next(&b), &requests[order[i]]);
        send_next(&b, 20 + i);
    }
    assert_null(link_queue_next(&b));
    assert_int_equal(b.count, 5);
}

static void only_what_was_never_sent_is_known_not_to_be_stored(void **state)
{
    struct link_queue b;
    struct link_request_queue expired = TAILQ_HEAD_INITIALIZER(expired);
    struct link_request *q;

    (void)state;
    fill(&b);
    send_next(&b, 1);
    send_next(&b, 2);
    link_queue_lost(&b);
    send_next(&b, 3); /* 0 is under way, 1 was, the others never */
    link_queue_expire(&b, 0, true, &expired);
    for (int i = 2; i < COUNT; i++) {
        q = TAILQ_FIRST(&expired);
        assert_ptr_equal(q, &requests[i]);
        assert_int_equal(q->outcome, LINK_AWAY);
        TAILQ_REMOVE(&expired, q, entry);
    }
    assert_true(TAILQ_EMPTY(&expired));
    link_queue_expire(&b, 100, true, &expired);
    assert_ptr_equal(TAILQ_FIRST(&expired), &requests[0]);
    assert_int_equal(requests[0].outcome, LINK_TIMEOUT);
    assert_null(link_queue_answered(&b, 3));
    assert_int_equal(b.count, 1);
    link_queue_expire(&b, 101, false, &expired);
    assert_int_equal(requests[1].outcome, LINK_TIMEOUT);
    assert_int_equal(b.count, 0);
}

static void a_deadline_ends_waiting_too(void **state)
{
    struct link_queue b;
    struct link_request_queue expired = TAILQ_HEAD_INITIALIZER(expired);

    (void)state;
    fill(&b);
    link_queue_expire(&b, 99, false, &expired);
    assert_true(TAILQ_EMPTY(&expired));
    link_queue_expire(&b, 100, false, &expired);
    assert_ptr_equal(TAILQ_FIRST(&expired), &requests[0]);
    assert_ptr_equal(TAILQ_LAST(&expired, link_request_queue), &requests[0]);
    assert_int_equal(requests[0].outcome, LINK_AWAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_leave_in_order_and_return_by_packet),
        cmocka_unit_test(a_packet_may_hold_several),
        cmocka_unit_test(after_a_loss_the_unanswered_come_first_in_order),
        cmocka_unit_test(only_what_was_never_sent_is_known_not_to_be_stored),
        cmocka_unit_test(a_deadline_ends_waiting_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
