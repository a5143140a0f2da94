/* Starting threads, and how many are worth starting. Any thread may call. */
#ifndef CONFAB_BASE_THREAD_H
#define CONFAB_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Starts `run(argument)` under a name for top(1), gdb and perf (the kernel
 * keeps 15 characters). The thread gets no signals but those that its own faults
 * raise: they are main's. */
bool thread_start(pthread_t *ret_thread, const char *name,
                  void *(*run)(void *), void *argument);

/* Cores this process may run on (taskset, cpusets), at least 1. */
unsigned thread_cores(void);

/* How many threads of one kind to start where one per core would do: one less,
 * because one core is the writer's, for whom all of them wait. At least 1. */
unsigned thread_cores_for_many(void);

#endif
