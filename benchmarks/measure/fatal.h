/* How the benchmark programs end when something is wrong: loudly. A figure
 * from a run that lost, doubled or garbled a message is worth nothing. */
#ifndef CONFAB_BENCHMARKS_MEASURE_FATAL_H
#define CONFAB_BENCHMARKS_MEASURE_FATAL_H

#include <stddef.h>

/* Prints `<program>: <text>` on stderr and `{"ok":false,"error":"<text>"}` on
 * stdout, then exits with 1. Any thread; the others die with it. */
void fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* malloc, calloc and realloc that end the program instead of failing. */
void *must_alloc(size_t size);
void *must_zalloc(size_t count, size_t size);
void *must_realloc(void *memory, size_t size);

#endif
