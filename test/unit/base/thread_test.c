#include "base/thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void *tell_mask(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return NULL;
}

static sigset_t mask_of_a_thread(void)
{
    pthread_t thread;
    sigset_t mask;

    sigemptyset(&mask);
    assert_true(thread_start(&thread, "test", tell_mask, &mask));
    assert_int_equal(pthread_join(thread, NULL), 0);
    return mask;
}

static void signals_are_mains(void **state)
{
    static const int others[] = {SIGTERM, SIGINT,  SIGHUP, SIGQUIT,
                                 SIGPIPE, SIGCHLD, SIGUSR1};
    sigset_t before, after;

    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    const sigset_t mask = mask_of_a_thread();
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(sigismember(&mask, others[i]), 1);
        assert_int_equal(sigismember(&after, others[i]),
                         sigismember(&before, others[i]));
    }
}

static void a_fault_reaches_its_handler(void **state)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    const sigset_t mask = mask_of_a_thread();

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        assert_int_equal(sigismember(&mask, faults[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_are_mains),
        cmocka_unit_test(a_fault_reaches_its_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
