/* A run of bytes that is owned elsewhere. Do not expect it to be
 * NUL-terminated; `data` may be NULL if `len` is 0. The function that returns
 * a slice says how long it is valid. */
#ifndef CONFAB_BASE_SLICE_H
#define CONFAB_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const void *data;
    size_t len;
};

static inline struct slice slice_of(const void *data, size_t len)
{
    return (struct slice){data, len};
}

static inline struct slice slice_str(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len &&
           (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Without blanks and tabs at both ends (OWS, RFC 9110 §5.6.3). */
static inline struct slice slice_trim(struct slice s)
{
    const char *p = (const char *)s.data;

    while (s.len > 0 && (*p == ' ' || *p == '\t'))
        p++, s.len--;
    while (s.len > 0 && (p[s.len - 1] == ' ' || p[s.len - 1] == '\t'))
        s.len--;
    return slice_of(p, s.len);
}

#endif
