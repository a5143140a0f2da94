#include "bridge/url.h"

#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool url_decode(struct slice in, bool plus, char *out, size_t *ret_len)
{
    const char *p = in.data;
    size_t n = 0;

    for (size_t i = 0; i < in.len; i++) {
        char c = p[i];
        if (c == '%') {
            const int high = i + 2 < in.len ? hex(p[i + 1]) : -1;
            const int low = high >= 0 ? hex(p[i + 2]) : -1;
            if (low < 0 || (high | low) == 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        out[n++] = c;
    }
    *ret_len = n;
    return true;
}

bool url_next_segment(struct slice *path, struct slice *ret_segment)
{
    if (path->data == NULL)
        return false;
    const char *slash =
        path->len == 0 ? NULL : memchr(path->data, '/', path->len);
    if (slash == NULL) {
        *ret_segment = *path;
        *path = (struct slice){0};
        return true;
    }
    const size_t len = (size_t)(slash - (const char *)path->data);
    *ret_segment = slice_of(path->data, len);
    *path = slice_of(slash + 1, path->len - len - 1);
    return true;
}

bool url_query(struct slice query, const char *name, struct slice *ret_value)
{
    const char *p = query.data;
    const char *end = p + query.len;
    const size_t len = strlen(name);

    while (query.len > 0 && p < end) {
        const char *amp = memchr(p, '&', (size_t)(end - p));
        const char *stop = amp == NULL ? end : amp;
        const size_t n = (size_t)(stop - p);
        if (n >= len && memcmp(p, name, len) == 0 &&
            (n == len || p[len] == '=')) {
            *ret_value = n == len ? slice_of(stop, 0)
                                  : slice_of(p + len + 1, n - len - 1);
            return true;
        }
        p = stop + 1;
    }
    return false;
}
