#include "bridge/http/accept.h"

#include <stdlib.h>
#include <strings.h>

/* Returns what precedes the first `c`, trimmed; *rest becomes what follows it. */
static struct slice cut_at(struct slice *rest, char c)
{
    const char *p = rest->data;
    const char *at = rest->len == 0 ? NULL : memchr(p, c, rest->len);
    const size_t n = at == NULL ? rest->len : (size_t)(at - p);
    const struct slice head = slice_of(p, n);

    *rest =
        at == NULL ? (struct slice){0} : slice_of(at + 1, rest->len - n - 1);
    return slice_trim(head);
}

/* The quality in thousandths, from `q=0.5`; 1000 when there is none or it is not a
 * number. */
static unsigned read_quality(struct slice parameters)
{
    while (parameters.len > 0) {
        const struct slice one = cut_at(&parameters, ';');
        const char *p = one.data;
        unsigned q = 0, unit = 1000;
        if (one.len < 3 || (p[0] != 'q' && p[0] != 'Q') || p[1] != '=')
            continue;
        for (size_t i = 2; i < one.len && unit > 0; i++) {
            if (p[i] == '.') { /* Java sends q=.2 */
                unit = 100;
                continue;
            }
            if (p[i] < '0' || p[i] > '9')
                return 1000;
            q += (unsigned)(p[i] - '0') * unit;
            unit /= 10;
        }
        return q > 1000 ? 1000 : q;
    }
    return 1000;
}

/* How closely a range matches the type: 3 exactly, 2 type/ *, 1 all, 0 not. */
static int match_range(struct slice range, const char *type)
{
    const char *p = range.data;
    const size_t len = strlen(type);

    if (range.len == len && strncasecmp(p, type, len) == 0)
        return 3;
    if (range.len == 1 && p[0] == '*') /* Java sends that, too */
        return 1;
    if (range.len >= 3 && memcmp(p + range.len - 2, "/*", 2) == 0) {
        if (range.len == 3 && p[0] == '*')
            return 1;
        if (range.len - 1 <= len && strncasecmp(p, type, range.len - 1) == 0)
            return 2;
    }
    return 0;
}

static unsigned quality_of(struct slice accept, const char *type)
{
    unsigned q = 0;
    int closest = 0;

    while (accept.len > 0) {
        struct slice parameters = cut_at(&accept, ',');
        const struct slice range = cut_at(&parameters, ';');
        const int c = match_range(range, type);
        if (c > closest) {
            closest = c;
            q = read_quality(parameters);
        }
    }
    return q;
}

size_t accept_best(struct slice accept, const char *const *types, size_t count)
{
    size_t best = 0;
    unsigned best_quality = 0;

    for (size_t i = 0; i < count; i++) {
        const unsigned q = quality_of(accept, types[i]);
        if (q > best_quality) {
            best_quality = q;
            best = i;
        }
    }
    return best;
}

bool accept_allows(struct slice accept, const char *type)
{
    return slice_trim(accept).len == 0 || quality_of(accept, type) > 0;
}
