#include "benchmarks/load/sse_reader.h"

#include "benchmarks/load/http_client.h"
#include "benchmarks/measure/fatal.h"

#define WHAT "SSE reader"

/* One event, borrowed from the bytes read. */
struct load_event {
    const char *name; /* NULL: none given */
    size_t name_len;
    const char *data; /* NULL: none given */
    size_t data_len;
};

static void become_ready(struct sse_reader *r)
{
    if (r->ready)
        return;
    r->ready = true;
    ++*r->target->ready;
}

static bool is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

static void dispatch(struct sse_reader *r, const struct load_event *e,
                     int64_t now_ns)
{
    struct ledger *ledger = r->target->ledger;

    if (e->name != NULL && is(e->name, e->name_len, "status")) {
        become_ready(r);
        return;
    }
    if (e->data == NULL) /* §9.2.6: nothing is dispatched without data */
        return;
    if (e->name != NULL && !is(e->name, e->name_len, "message"))
        fatal(WHAT ": event %.*s: %.*s", (int)e->name_len, e->name,
              (int)e->data_len, e->data);
    if (ledger == NULL)
        fatal(WHAT ": a message nobody sent: %.*s", (int)e->data_len, e->data);
    const char *payload =
        payload_find(&ledger->format, e->data, e->data_len, &r->payload_at);

    if (payload == NULL)
        fatal(WHAT ": no payload in: %.*s", (int)e->data_len, e->data);
    ledger_deliver(ledger, &r->book, payload, ledger->format.size, now_ns);
}

static void take_line(struct load_event *e, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);

    if (colon == NULL || colon == line)
        return; /* a field without value, or a comment */
    const size_t name_len = (size_t)(colon - line);
    const char *value = colon + 1;
    size_t value_len = len - name_len - 1;

    if (value_len > 0 && *value == ' ') {
        value++;
        value_len--;
    }
    if (is(line, name_len, "data")) {
        if (e->data != NULL)
            fatal(WHAT ": a payload of one line came as several: %.*s",
                  (int)len, line);
        e->data = value;
        e->data_len = value_len;
    } else if (is(line, name_len, "event")) {
        e->name = value;
        e->name_len = value_len;
    }
}

/* Handles the event at the beginning of `data`. Returns its length, blank line
 * included, or 0 when its end has not arrived yet. */
static size_t take_event(struct sse_reader *r, const char *data, size_t len,
                         int64_t now_ns)
{
    const char *line = data;
    const char *end = data + len;
    struct load_event e = {0};

    for (;;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));

        if (newline == NULL)
            return 0;
        size_t line_len = (size_t)(newline - line);

        if (line_len > 0 && line[line_len - 1] == '\r')
            line_len--;
        if (line_len == 0) {
            dispatch(r, &e, now_ns);
            return (size_t)(newline + 1 - data);
        }
        take_line(&e, line, line_len);
        line = newline + 1;
    }
}

static size_t take_head(struct sse_reader *r, const char *data, size_t len)
{
    static const char type[] = "text/event-stream";
    const char *blank = memmem(data, len, "\r\n\r\n", 4);

    if (blank == NULL)
        return 0;
    const size_t head_len = (size_t)(blank + 4 - data);
    const char *got = http_header(data, head_len, "Content-Type: ");

    if (memcmp(data, "HTTP/1.1 200", 12) != 0 || got == NULL ||
        memcmp(got, type, sizeof(type) - 1) != 0)
        fatal(WHAT ": not an event stream: %.*s", (int)len, data);
    r->chunked = http_header(data, head_len, "Transfer-Encoding: ") != NULL;
    r->past_head = true;
    return head_len;
}

static size_t take_events(struct sse_reader *r, const char *data, size_t len,
                          int64_t now_ns)
{
    size_t used = 0;
    size_t step;

    while ((step = take_event(r, data + used, len - used, now_ns)) > 0)
        used += step;
    return used;
}

/* Chunks need not end where events do. */
static void take_piece(struct sse_reader *r, const char *piece, size_t len,
                       int64_t now_ns)
{
    if (r->event.len == 0) {
        const size_t used = take_events(r, piece, len, now_ns);

        bytes_put(&r->event, piece + used, len - used);
        return;
    }
    bytes_put(&r->event, piece, len);
    bytes_drop(&r->event, take_events(r, r->event.data, r->event.len, now_ns));
}

static size_t take_chunks(struct sse_reader *r, const char *data, size_t len,
                          int64_t now_ns)
{
    size_t used = 0;
    size_t step;
    const char *piece;
    size_t piece_len;

    while (used < len &&
           (step = chunks_take(&r->chunks, data + used, len - used, &piece,
                               &piece_len)) > 0) {
        used += step;
        if (r->chunks.ended)
            fatal(WHAT ": the server ended the stream");
        if (piece != NULL)
            take_piece(r, piece, piece_len, now_ns);
    }
    return used;
}

static size_t on_data(struct conn *c, const char *data, size_t len,
                      int64_t now_ns)
{
    struct sse_reader *r = (struct sse_reader *)c;
    size_t used = 0;

    if (!r->past_head && (used = take_head(r, data, len)) == 0)
        return 0;
    if (!r->target->ready_on_status)
        become_ready(r);
    return used + (r->chunked ? take_chunks : take_events)(r, data + used,
                                                           len - used, now_ns);
}

void sse_reader_open(struct sse_reader *r, struct loop *l,
                     const struct sse_target *target, const char *path)
{
    static const struct conn_events events = {WHAT, NULL, on_data};
    struct bytes *out = &r->conn.out;

    r->target = target;
    bytes_put_str(out, "GET ");
    bytes_put_str(out, path);
    bytes_put_str(out, " HTTP/1.1\r\nHost: ");
    bytes_put_str(out, target->host);
    bytes_put_str(out, "\r\nAccept: text/event-stream");
    if (target->from_start)
        bytes_put_str(out, "\r\nLast-Event-ID: 0");
    bytes_put_str(out, "\r\n\r\n");
    conn_open(&r->conn, l, target->to, &events);
}
