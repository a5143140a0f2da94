#include "base/mailbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void count_wake(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void items_come_in_order_and_a_burst_wakes_once(void **state)
{
    atomic_int wakes = 0;
    struct mailbox *mb = mailbox_new(4, count_wake, &wakes);
    int items[5];
    void *got[4];

    (void)state;
    for (int round = 1; round <= 3; round++) { /* around the ring's end */
        for (int i = 0; i < 3; i++)
            assert_true(mailbox_send(mb, &items[i]));
        assert_int_equal(atomic_load(&wakes), round);
        assert_int_equal(mailbox_receive(mb, got, 4), 3);
        for (int i = 0; i < 3; i++)
            assert_ptr_equal(got[i], &items[i]);
    }
    assert_int_equal(mailbox_receive(mb, got, 4), 0);
    mailbox_free(mb);
}

static void a_full_mailbox_refuses_and_loses_nothing(void **state)
{
    struct mailbox *mb = mailbox_new(2, NULL, NULL);
    int a, b, c;
    void *got[2];

    (void)state;
    assert_true(mailbox_send(mb, &a));
    assert_true(mailbox_send(mb, &b));
    assert_false(mailbox_send(mb, &c));
    assert_int_equal(mailbox_count(mb), 2);
    assert_int_equal(mailbox_receive(mb, got, 1), 1);
    assert_ptr_equal(got[0], &a);
    assert_true(mailbox_send(mb, &c));
    assert_int_equal(mailbox_receive(mb, got, 2), 2);
    assert_ptr_equal(got[0], &b);
    assert_ptr_equal(got[1], &c);
    mailbox_free(mb);
}

#define SENDERS 4
#define EACH 20000

static void *send_many(void *arg)
{
    struct mailbox *mb = arg;

    for (uintptr_t i = 1; i <= EACH;)
        if (mailbox_send(mb, (void *)i))
            i++;
    return NULL;
}

static void many_senders_lose_and_double_nothing(void **state)
{
    struct mailbox *mb = mailbox_new(64, NULL, NULL);
    pthread_t threads[SENDERS];
    void *got[16];
    uint64_t sum = 0;

    (void)state;
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, mb), 0);
    for (size_t count = 0; count < SENDERS * EACH;) {
        const size_t n = mailbox_receive(mb, got, 16);
        for (size_t i = 0; i < n; i++)
            sum += (uintptr_t)got[i];
        count += n;
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(mailbox_count(mb), 0);
    assert_int_equal(sum, (uint64_t)SENDERS * EACH * (EACH + 1) / 2);
    mailbox_free(mb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_order_and_a_burst_wakes_once),
        cmocka_unit_test(a_full_mailbox_refuses_and_loses_nothing),
        cmocka_unit_test(many_senders_lose_and_double_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
