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

static void several_go_together_or_not_at_all(void **state)
{
    atomic_int wakes = 0;
    struct mailbox *mb = mailbox_new(5, count_wake, &wakes);
    int items[6];
    void *all[6], *got[6];

    (void)state;
    for (int i = 0; i < 6; i++)
        all[i] = &items[i];
    assert_false(mailbox_send_all(mb, all, 6)); /* never had room for it */
    assert_true(mailbox_send_all(mb, all, 0));
    assert_int_equal(atomic_load(&wakes), 0);
    for (int round = 0; round < 5; round++) { /* around the ring's end */
        const int before = atomic_load(&wakes);
        assert_true(mailbox_send_all(mb, all, 3));
        assert_false(mailbox_send_all(mb, all + 3, 3)); /* two would fit */
        assert_int_equal(mailbox_count(mb), 3);
        assert_true(mailbox_send_all(mb, all + 3, 2));
        assert_int_equal(atomic_load(&wakes), before + 1);
        assert_int_equal(mailbox_receive(mb, got, 6), 5);
        assert_memory_equal(got, all, 5 * sizeof(got[0]));
        assert_true(mailbox_send(mb, all[0])); /* begin elsewhere next time */
        assert_int_equal(mailbox_receive(mb, got, 6), 1);
    }
    mailbox_free(mb);
}

#define SENDERS 4
#define EACH 20000
#define TOGETHER 5

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

/* Items say who sent them and as how manieth. */
struct sender {
    struct mailbox *mb;
    uintptr_t number;
};

static void *send_together(void *arg)
{
    const struct sender *s = arg;
    void *items[TOGETHER];

    for (uintptr_t at = 0; at < EACH;) {
        for (uintptr_t i = 0; i < TOGETHER; i++)
            items[i] = (void *)(s->number * EACH + at + i);
        if (mailbox_send_all(s->mb, items, TOGETHER))
            at += TOGETHER;
    }
    return NULL;
}

/* The bound is no multiple of what is sent, the receiver takes other portions:
 * there is often room for a part. */
static void nobody_comes_between_what_goes_together(void **state)
{
    struct mailbox *mb = mailbox_new(3 * TOGETHER + 2, NULL, NULL);
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    uintptr_t next[SENDERS] = {0}, sender = 0;
    void *got[7];

    (void)state;
    for (uintptr_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){mb, i};
        assert_int_equal(
            pthread_create(&threads[i], NULL, send_together, &senders[i]), 0);
    }
    for (size_t count = 0; count < SENDERS * EACH;) {
        const size_t n = mailbox_receive(mb, got, 7);
        for (size_t i = 0; i < n; i++, count++) {
            const uintptr_t item = (uintptr_t)got[i];
            if (count % TOGETHER == 0)
                sender = item / EACH;
            assert_int_equal(item, sender * EACH + next[sender]);
            next[sender]++;
        }
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(mailbox_count(mb), 0);
    mailbox_free(mb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_order_and_a_burst_wakes_once),
        cmocka_unit_test(a_full_mailbox_refuses_and_loses_nothing),
        cmocka_unit_test(several_go_together_or_not_at_all),
        cmocka_unit_test(many_senders_lose_and_double_nothing),
        cmocka_unit_test(nobody_comes_between_what_goes_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
