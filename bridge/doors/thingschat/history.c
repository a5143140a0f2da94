/* GET /{token}/chat/{thing}/history: parses the query and chooses the format; rows.c
 * writes the rows. */
#include <stdlib.h>
#include <string.h>

#include "bridge/doors/thingschat/reading.h"
#include "bridge/doors/thingschat/rows.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/http/accept.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 1000

/* X(type asked for, format, type of the answer). If several types are equally good,
 * the first one is chosen. */
#define TYPES(X)                                                              \
    X("application/json", ROWS_JSON, "application/json")                      \
    X("application/x-ndjson", ROWS_NDJSON, "application/x-ndjson")            \
    X("application/ndjson", ROWS_NDJSON, "application/ndjson")                \
    X("application/jsonl", ROWS_NDJSON, "application/jsonl")                  \
    X("application/x-jsonl", ROWS_NDJSON, "application/x-jsonl")              \
    X("application/jsonlines", ROWS_NDJSON, "application/jsonlines")          \
    X("application/x-jsonlines", ROWS_NDJSON, "application/x-jsonlines")      \
    X("text/csv", ROWS_CSV, "text/csv; charset=utf-8")                        \
    X("application/msgpack", ROWS_MSGPACK, "application/msgpack")             \
    X("application/vnd.msgpack", ROWS_MSGPACK, "application/vnd.msgpack")     \
    X("application/x-msgpack", ROWS_MSGPACK, "application/x-msgpack")

#define X(type, format, answer) type,
static const char *const types[] = {TYPES(X)};
#undef X
#define X(type, format, answer) {format, answer},
static const struct {
    enum rows_format format;
    const char *content_type;
} answers[] = {TYPES(X)};
#undef X
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

/* values of ?format= */
static const char *const words[] = {"json", "ndjson", "csv", "msgpack",
                                    "jsonl"};
static const char *const type_of_word[] = {"application/json",
                                           "application/x-ndjson", "text/csv",
                                           "application/msgpack",
                                           "application/jsonl"};

/* The query wins over Accept: links and spreadsheets cannot set headers. */
static bool choose_format(struct call *c, struct rows *r,
                          const char **ret_content_type)
{
    struct slice accept = {0};
    size_t word;
    const int there = query_word(c, "format", words, 5, &word);

    if (there < 0)
        return false;
    if (there == 1) {
        accept = slice_str(type_of_word[word]);
    } else {
        http_header(c->q, "Accept", &accept);
        http_add_header(c->q, "Vary", "Accept");
    }
    const size_t best = accept_best(accept, types, TYPE_COUNT);
    r->format = answers[best].format;
    *ret_content_type = answers[best].content_type;
    return true;
}

/* Programs hold an array in memory as a whole, but read rows one by one. */
static bool is_array(const struct rows *r)
{
    return r->format == ROWS_JSON || r->format == ROWS_MSGPACK;
}

static bool read_limit(struct call *c, struct rows *r)
{
    char text[64];
    const int there = query_text(c, "limit", text, sizeof(text));
    const size_t len = there == 1 ? strlen(text) : 0;
    /* above 64 bits strtoull() returns ULLONG_MAX, which is clamped, too */
    const uint64_t limit = there == 1 ? strtoull(text, NULL, 10) : 0;

    if (there < 0)
        return false;
    if (there == 1 && (limit == 0 || strspn(text, "0123456789") != len)) {
        answer_error(c, 400, "limit: must be a positive whole number");
        return false;
    }
    if (is_array(r))
        r->left = there == 0          ? LIMIT_DEFAULT
                  : limit > LIMIT_MAX ? LIMIT_MAX
                                      : limit;
    else
        r->left = there == 0 ? UINT64_MAX : limit;
    return true;
}

static bool read_order(struct call *c, struct rows *r)
{
    static const char *const orders[] = {"desc", "asc"};
    size_t order = 0;

    if (query_word(c, "order", orders, 2, &order) < 0)
        return false;
    r->history.ascending = order == 1;
    return true;
}

/* In struct history 0 means open; in the query it means zero. */
static bool read_bounds(struct call *c, struct rows *r)
{
    struct history *h = &r->history;
    const int before = query_u64(c, "before", &h->before);
    const int after = before < 0 ? -1 : query_u64(c, "after", &h->after);
    const int until = after < 0 ? -1 : query_time(c, "until", &h->until_us);
    const int since = until < 0 ? -1 : query_time(c, "since", &h->since_us);

    if (since < 0)
        return false;
    if ((before == 1 && h->before == 0) || (until == 1 && h->until_us <= 0))
        r->left = 0; /* nothing is older than that */
    return true;
}

enum http_next chat_history(struct call *c)
{
    const char *content_type;
    struct reading g;
    struct rows *r = rows_new();

    if (r == NULL)
        return answer_error(c, 500, "out of memory");
    /* check the token, then the query, then charge */
    if (!reading_begin(c, &g, true)) {
        free(r);
        return HTTP_ANSWERED;
    }
    if (!choose_format(c, r, &content_type) || !read_limit(c, r) ||
        !read_order(c, r) || !read_bounds(c, r) || !reading_charge(c, &g, 1)) {
        reading_end(&g);
        free(r);
        return HTTP_ANSWERED;
    }
    /* Its columns could not say so. */
    r->history.skips_deleted = r->format == ROWS_CSV;
    r->store = c->front->store;
    memcpy(r->topic, g.topic, g.topic_len);
    r->topic_len = g.topic_len;
    r->token_len = c->arguments[0].len;
    reading_end(&g);

    /* it changes with the next message, and has no validator */
    http_add_header(c->q, "Cache-Control", "no-store");
    return answer_pages(c, content_type, rows_pages(r));
}
