/* Starting threads, and how many to start. Any thread may call these. */
#ifndef CONFAB_BASE_THREAD_H
#define CONFAB_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Starts `run(argument)` in a thread with a name for top(1), gdb and perf (the
 * kernel keeps 15 characters). The thread gets only the signals that its own
 * faults raise; the main thread gets all others. */
bool thread_start(pthread_t *ret_thread, const char *name,
                  void *(*run)(void *), void *argument);

/* Number of cores this process may run on (taskset, cpusets), at least 1. */
unsigned thread_cores(void);

/* How many threads of one kind to start: one per core, less one core for the
 * writer, because all of them wait for it. At least 1. */
unsigned thread_cores_for_many(void);

#endif
