#include "bridge/http/url.h"

#include <string.h>

#include "base/hex.h"

bool url_decode(struct slice in, bool plus, char *out, size_t *ret_len)
{
    const char *p = in.data;
    size_t n = 0;

    for (size_t i = 0; i < in.len; i++) {
        char c = p[i];
        if (c == '%') {
            const int high = i + 2 < in.len ? hex_digit(p[i + 1]) : -1;
            const int low = high >= 0 ? hex_digit(p[i + 2]) : -1;
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

bool url_next_parameter(struct slice *query, struct url_parameter *ret)
{
    while (query->len > 0) {
        const char *p = query->data, *end = p + query->len;
        const char *amp = memchr(p, '&', query->len);
        const char *stop = amp == NULL ? end : amp;
        const size_t len = (size_t)(stop - p);
        const char *equals = len == 0 ? NULL : memchr(p, '=', len);

        *query = amp == NULL ? (struct slice){0}
                             : slice_of(amp + 1, (size_t)(end - amp - 1));
        if (len == 0) /* "a&&b", "a&" */
            continue;
        const char *name_end = equals == NULL ? stop : equals;
        ret->name = slice_of(p, (size_t)(name_end - p));
        ret->has_value = equals != NULL;
        ret->value = equals == NULL
                         ? slice_of(stop, 0)
                         : slice_of(equals + 1, (size_t)(stop - equals - 1));
        return true;
    }
    return false;
}

bool url_is_named(const struct url_parameter *p, struct slice name)
{
    char decoded[64];
    size_t len;

    if (slice_eq(p->name, name))
        return true;
    return p->name.len <= sizeof(decoded) &&
           url_decode(p->name, true, decoded, &len) &&
           slice_eq(slice_of(decoded, len), name);
}

bool url_query(struct slice query, const char *name, struct slice *ret_value)
{
    struct url_parameter p;

    while (url_next_parameter(&query, &p))
        if (url_is_named(&p, slice_str(name))) {
            *ret_value = p.value;
            return true;
        }
    return false;
}
