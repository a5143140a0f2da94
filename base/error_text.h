/* The text of an errno value, valid until this thread's next call. Any thread:
 * since glibc 2.32, which is older than any that Confab is built with,
 * strerror() has a buffer per thread; lists of thread-unsafe functions still
 * contain it. */
#ifndef CONFAB_BASE_ERROR_TEXT_H
#define CONFAB_BASE_ERROR_TEXT_H

#include <string.h>

static inline const char *error_text(int code)
{
    return strerror(code); /* NOLINT(concurrency-mt-unsafe) */
}

#endif
