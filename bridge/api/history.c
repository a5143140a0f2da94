/* GET /{token}/chat/{thing}/history: a JSON array, or rows of NDJSON or CSV of
 * any number. */
#include <stdlib.h>
#include <string.h>

#include "bridge/accept.h"
#include "bridge/api/doors.h"
#include "bridge/api/message_json.h"
#include "bridge/api/paged.h"
#include "bridge/api/reading.h"
#include "bridge/msgpack_json.h"
#include "bridge/time_text.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 1000
#define PAGE_RECORDS 256
#define PAGE_BYTES (64U * 1024)
#define MSGPACK_MAX (64U * 1024 * 1024) /* that answer is built in memory */

enum shape { SHAPE_JSON, SHAPE_NDJSON, SHAPE_CSV, SHAPE_MSGPACK };
static const char *const types[] = {"application/json", "application/x-ndjson",
                                    "text/csv", "application/msgpack"};

struct rows {
    struct store *store;
    struct history history;
    enum shape shape;
    uint64_t left; /* rows still to give */
    bool begun;
    bool first_row_given;
    size_t token_len, topic_len;
    char topic[TOKEN_MAX + 1 + THING_MAX];
};

static struct slice thing_of(const struct rows *r)
{
    return slice_of(r->topic + r->token_len + 1,
                    r->topic_len - r->token_len - 1);
}

/* RFC 4180: always quoted, quotes doubled. A leading = + - @ would be taken
 * for a formula by spreadsheets, but the value is data: kept as it is. */
static void put_csv_field(struct buffer *b, const char *text, size_t len)
{
    buffer_put_char(b, '"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            buffer_put_char(b, '"');
        buffer_put_char(b, text[i]);
    }
    buffer_put_char(b, '"');
}

static void put_csv_row(struct buffer *b, struct slice thing,
                        const struct message *m)
{
    struct buffer chat = BUFFER_INIT;

    payload_put_json(&chat, m->payload, (enum payload_class)m->payload_class,
                     PAYLOAD_AS_SENT);
    buffer_put_u64(b, m->id);
    buffer_put_char(b, ',');
    put_csv_field(b, thing.data, thing.len);
    buffer_put_char(b, ',');
    buffer_put_time(b, m->at_us, 3);
    buffer_put_char(b, ',');
    put_csv_field(b, chat.data, chat.len);
    buffer_put_str(b, "\r\n");
    if (!buffer_ok(&chat))
        b->failed = true;
    buffer_release(&chat);
}

static void put_row(struct rows *r, struct buffer *out, const struct message *m)
{
    switch (r->shape) {
    case SHAPE_CSV:
        put_csv_row(out, thing_of(r), m);
        break;
    case SHAPE_NDJSON:
        put_history_item(out, thing_of(r), m, PAYLOAD_ONE_LINE);
        buffer_put_char(out, '\n');
        break;
    case SHAPE_JSON:
    case SHAPE_MSGPACK:
        if (r->first_row_given)
            buffer_put_char(out, ',');
        put_history_item(out, thing_of(r), m, PAYLOAD_AS_SENT);
        break;
    }
    r->first_row_given = true;
}

static bool is_array(const struct rows *r)
{
    return r->shape == SHAPE_JSON || r->shape == SHAPE_MSGPACK;
}

static enum store_err put_page(struct rows *r, struct store_reader *reader,
                               struct buffer *out)
{
    struct record record;
    enum store_err err = store_reader_begin(reader);
    const size_t from = out->len;

    if (err != STORE_OK)
        return err;
    for (int i = 0; i < PAGE_RECORDS && out->len - from < PAGE_BYTES; i++) {
        err = r->left == 0 ? STORE_NOTFOUND
                           : store_history_next(reader, &r->history, &record);
        if (err != STORE_OK)
            break;
        put_row(r, out, &record.m);
        r->left--;
    }
    store_reader_end(reader);
    return err;
}

static enum pages_next fill(void *arg, struct buffer *out)
{
    struct rows *r = arg;
    struct store_reader *reader = store_reader_acquire(r->store);

    if (reader == NULL)
        return PAGES_FAILED;
    if (!r->begun && is_array(r))
        buffer_put_char(out, '[');
    if (!r->begun && r->shape == SHAPE_CSV)
        buffer_put_str(out, "id,thing,createdAt,chat\r\n");
    r->begun = true;
    const enum store_err err = put_page(r, reader, out);
    store_reader_release(reader);
    if (err == STORE_OK)
        return PAGES_MORE;
    if (err != STORE_NOTFOUND)
        return PAGES_FAILED;
    if (is_array(r))
        buffer_put_char(out, ']');
    return PAGES_END;
}

static enum http_next answer_msgpack(struct call *c, struct rows *r)
{
    struct buffer json = {.limit = MSGPACK_MAX}, packed = BUFFER_INIT;
    enum pages_next next = PAGES_MORE;

    while (next == PAGES_MORE && buffer_ok(&json))
        next = fill(r, &json);
    free(r);
    if (!buffer_ok(&json)) {
        buffer_release(&json);
        return answer_error(c, 400, "limit: more than 64 MiB of messages; ask "
                                    "for fewer or for application/x-ndjson");
    }
    if (next == PAGES_FAILED) {
        buffer_release(&json);
        return reading_failed(c, STORE_IO, 1);
    }
    json_to_msgpack(buffer_slice(&json), &packed);
    buffer_release(&json);
    return answer(c, 200, types[SHAPE_MSGPACK], &packed);
}

/* ---- parameters ---------------------------------------------------------- */

static int query_time(struct call *c, const char *name, int64_t *ret)
{
    char text[48];
    const int there = query_text(c, name, text, sizeof(text));

    if (there == 0 || (there == 1 && time_parse(text, ret)))
        return there;
    answer_error(c, 400, "%s: must be a time like 2026-11-21T06:32:17Z or "
                         "milliseconds since 1970", name);
    return -1;
}

static bool take_limit(struct call *c, struct rows *r)
{
    char text[64];
    const int there = query_text(c, "limit", text, sizeof(text));
    const size_t len = there == 1 ? strlen(text) : 0;
    /* beyond 64 bits: ULLONG_MAX, which is clamped like any large number */
    const uint64_t limit = there == 1 ? strtoull(text, NULL, 10) : 0;

    if (there != 0 && (limit == 0 || strspn(text, "0123456789") != len)) {
        answer_error(c, 400, "limit: must be a positive whole number");
        return false;
    }
    if (is_array(r))
        r->left = there == 0         ? LIMIT_DEFAULT
                  : limit > LIMIT_MAX ? LIMIT_MAX
                                      : limit;
    else
        r->left = there == 0 ? UINT64_MAX : limit;
    return true;
}

static bool take_order(struct call *c, struct rows *r)
{
    char text[8];
    const int there = query_text(c, "order", text, sizeof(text));

    r->history.ascending = there == 1 && strcmp(text, "asc") == 0;
    if (there == 0 || r->history.ascending ||
        (there == 1 && strcmp(text, "desc") == 0))
        return true;
    answer_error(c, 400, "order: must be asc or desc");
    return false;
}

/* In our bounds 0 means open; asked for, it means what it says. */
static bool take_bounds(struct call *c, struct rows *r)
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
    struct slice accept = {0};
    struct reading g;
    struct rows *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return answer_error(c, 500, "out of memory");
    http_header(c->q, "Accept", &accept);
    r->shape = (enum shape)accept_best(accept, types, 4);
    r->store = c->front->store;

    /* who, then what, then the charge: a refusal costs nothing */
    if (!reading_begin(c, &g, true, 0)) {
        free(r);
        return HTTP_ANSWERED;
    }
    reading_end(&g);
    if (!take_limit(c, r) || !take_order(c, r) || !take_bounds(c, r) ||
        !reading_begin(c, &g, true, 1)) {
        free(r);
        return HTTP_ANSWERED;
    }
    memcpy(r->topic, g.topic, g.topic_len);
    r->topic_len = g.topic_len;
    r->token_len = c->arguments[0].len;
    r->history.topic = slice_of(r->topic, r->topic_len);
    reading_end(&g);

    http_add_header(c->q, "Vary", "Accept");
    if (r->shape == SHAPE_MSGPACK)
        return answer_msgpack(c, r);
    return answer_pages(c, types[r->shape], (struct pages){fill, free, r});
}
