#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* All signals except those that a thread's own fault raises: if those were
 * blocked, a fault would end the process without running their handlers, and a
 * sanitizer would print nothing. */
static void fill_with_others(sigset_t *set)
{
    sigfillset(set);
    sigdelset(set, SIGSEGV);
    sigdelset(set, SIGBUS);
    sigdelset(set, SIGFPE);
    sigdelset(set, SIGILL);
}

bool thread_start(pthread_t *ret_thread, const char *name,
                  void *(*run)(void *), void *argument)
{
    sigset_t others, before;
    char kept[16];

    fill_with_others(&others);
    pthread_sigmask(SIG_SETMASK, &others, &before);
    const bool started = pthread_create(ret_thread, NULL, run, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started)
        return false;
    (void)snprintf(kept, sizeof(kept), "%s", name);
    (void)pthread_setname_np(*ret_thread,
                             kept); /* a missing name does no harm */
    return true;
}

unsigned thread_cores(void)
{
    cpu_set_t set;

    /* Fails on machines with more than 1,024 cores: then use all cores
     * online. */
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    const long on = sysconf(_SC_NPROCESSORS_ONLN);
    return on < 1 ? 1 : (unsigned)on;
}

unsigned thread_cores_for_many(void)
{
    const unsigned cores = thread_cores();

    return cores > 2 ? cores - 1 : 1;
}
