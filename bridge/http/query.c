#include "bridge/http/query.h"

#include <ctype.h>

#include "bridge/http/url.h"

#define NAME_MAX_SHOWN 40
#define SPELLINGS_MAX 32

/* The next spelling of the next known name. *ret_first: it is the first spelling of its
 * name. */
static bool next_spelling(const char **known, struct slice *ret,
                          bool *ret_first)
{
    const char *p = *known;

    *ret_first = *p != '|';
    p += strspn(p, " |");
    const size_t len = strcspn(p, " |");
    *ret = slice_of(p, len);
    *known = p + len;
    return len > 0;
}

/* ---- suggesting a name --------------------------------------------------- */

/* Lower case, without hyphens and underscores; a name that is too long is cut. */
static size_t fold_name(struct slice name, char *out, size_t size)
{
    const char *p = name.data;
    size_t n = 0;

    for (size_t i = 0; i < name.len && n < size; i++)
        if (p[i] != '-' && p[i] != '_')
            out[n++] = (char)tolower((unsigned char)p[i]);
    return n;
}

static unsigned min_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The number of letters to insert, drop or change (Levenshtein), row by row. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b,
                              size_t b_len)
{
    unsigned row[NAME_MAX_SHOWN + 1];

    for (unsigned j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 0; i < a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < b_len; j++) {
            const unsigned above = row[j + 1];
            row[j + 1] =
                min_of(diagonal + (a[i] != b[j]), min_of(above, row[j]) + 1);
            diagonal = above;
        }
    }
    return row[b_len];
}

static bool is_prefix(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len >= 3 && a_len <= b_len && memcmp(a, b, a_len) == 0;
}

struct slice query_nearest(struct slice name, const char *known)
{
    char a[NAME_MAX_SHOWN], b[NAME_MAX_SHOWN];
    const size_t a_len = fold_name(name, a, sizeof(a));
    struct slice spelling, of = {0}, best = {0};
    unsigned best_distance = a_len < 4 ? 2 : 3; /* must be less than that */
    bool first;

    while (next_spelling(&known, &spelling, &first)) {
        if (first)
            of = spelling;
        const size_t b_len = fold_name(spelling, b, sizeof(b));
        unsigned d = edit_distance(a, a_len, b, b_len);
        if (d > 1 &&
            (is_prefix(a, a_len, b, b_len) || is_prefix(b, b_len, a, a_len)))
            d = 1;
        if (d < best_distance) {
            best_distance = d;
            best = of;
        }
    }
    return best;
}

/* ---- the check ----------------------------------------------------------- */

/* The name decoded, if possible, and cut to what fits an answer. */
static struct slice shown_name(struct slice name, char *out)
{
    size_t len;

    if (name.len > NAME_MAX_SHOWN)
        name.len = NAME_MAX_SHOWN;
    return url_decode(name, true, out, &len) ? slice_of(out, len) : name;
}

static void put_known(struct buffer *out, const char *known)
{
    struct slice spelling;
    bool first;
    const char *separator = "";

    if (*known == '\0') {
        buffer_put_str(out, "this path takes none");
        return;
    }
    buffer_put_str(out, "this path takes ");
    while (next_spelling(&known, &spelling, &first)) {
        if (!first)
            continue;
        buffer_put_str(out, separator);
        buffer_put_slice(out, spelling);
        separator = ", ";
    }
}

static bool refuse_unknown(struct slice name, const char *known,
                           struct buffer *out)
{
    char text[NAME_MAX_SHOWN];
    const struct slice seen = shown_name(name, text);
    const struct slice meant = query_nearest(seen, known);

    buffer_put_slice(out, seen);
    buffer_put_str(out, ": unknown query parameter; ");
    if (meant.len > 0) {
        buffer_put_str(out, "did you mean ");
        buffer_put_slice(out, meant);
        buffer_put_str(out, "? ");
    }
    put_known(out, known);
    return false;
}

static bool refuse_twice(struct slice name, struct buffer *out)
{
    char text[NAME_MAX_SHOWN];

    buffer_put_slice(out, shown_name(name, text));
    buffer_put_str(out, ": given twice; send it once");
    if (slice_eq(name, slice_str("things")))
        buffer_put_str(out, ", with commas between the filters: things=a,b");
    return false;
}

bool query_check(struct slice query, const char *known, struct buffer *out)
{
    struct url_parameter p;
    uint32_t seen = 0; /* one bit for each spelling */

    while (known != NULL && url_next_parameter(&query, &p)) {
        const char *rest = known;
        struct slice spelling;
        bool first, found = false;

        if (p.name.len > 0 && *(const char *)p.name.data == '_')
            continue;
        for (unsigned i = 0; i < SPELLINGS_MAX && !found &&
                             next_spelling(&rest, &spelling, &first);
             i++) {
            found = url_is_named(&p, spelling);
            if (found && (seen & UINT32_C(1) << i) != 0)
                return refuse_twice(spelling, out);
            if (found)
                seen |= UINT32_C(1) << i;
        }
        if (!found)
            return refuse_unknown(p.name, known, out);
    }
    return true;
}
