/* What errno says, in words: good until this thread's next call. Any thread:
 * strerror() has a text of its own for each since glibc 2.32, which is older than
 * what Confab is built with; lists of unsafe functions still have it. */
#ifndef CONFAB_BASE_ERROR_TEXT_H
#define CONFAB_BASE_ERROR_TEXT_H

#include <string.h>

static inline const char *error_text(int code)
{
    return strerror(code); /* NOLINT(concurrency-mt-unsafe) */
}

#endif
