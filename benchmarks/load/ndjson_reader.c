#include "benchmarks/load/ndjson_reader.h"

#include <stdlib.h>

#include "benchmarks/load/http_client.h"
#include "benchmarks/measure/fatal.h"

#define WHAT "NDJSON reader"

static void check_id(struct ndjson_reader *r, const char *line, size_t len)
{
    static const char start[] = "{\"id\":";
    const size_t start_len = sizeof(start) - 1;
    uint64_t id = 0;

    if (len > start_len && memcmp(line, start, start_len) == 0)
        for (size_t i = start_len; i < len && line[i] >= '0' && line[i] <= '9';
             i++)
            id = id * 10 + (uint64_t)(line[i] - '0');
    if (id <= r->last_id)
        fatal(WHAT ": id %llu is not followed by a higher one: %.*s",
              (unsigned long long)r->last_id, (int)(len < 200 ? len : 200),
              line);
    r->last_id = id;
}

static void take_line(struct ndjson_reader *r, const char *line, size_t len,
                      int64_t now_ns)
{
    const char *payload =
        payload_find(&r->ledger->format, line, len, &r->payload_at);

    if (payload == NULL)
        fatal(WHAT ": no payload in: %.*s", (int)(len < 200 ? len : 200),
              line);
    check_id(r, line, len);
    ledger_deliver(r->ledger, &r->book, payload, r->ledger->format.size,
                   now_ns);
}

/* Lines are used where they stand; only one that is torn is put together. */
static void take_body(struct ndjson_reader *r, const char *data, size_t len,
                      int64_t now_ns)
{
    const char *end = data + len;
    const char *newline;

    while ((newline = memchr(data, '\n', (size_t)(end - data))) != NULL) {
        if (r->line.len > 0) {
            bytes_put(&r->line, data, (size_t)(newline - data));
            take_line(r, r->line.data, r->line.len, now_ns);
            bytes_clear(&r->line);
        } else {
            take_line(r, data, (size_t)(newline - data), now_ns);
        }
        data = newline + 1;
    }
    bytes_put(&r->line, data, (size_t)(end - data));
}

static void end(struct ndjson_reader *r)
{
    r->ended = true;
    if (r->line.len > 0)
        fatal(WHAT ": the answer ends within a line: %.*s", (int)r->line.len,
              r->line.data);
    if (!ledger_settled(r->ledger))
        ledger_give_up(r->ledger);
}

static size_t take_head(struct ndjson_reader *r, const char *data, size_t len)
{
    const char *blank = memmem(data, len, "\r\n\r\n", 4);

    if (blank == NULL)
        return 0;
    const size_t head_len = (size_t)(blank + 4 - data);
    const char *coding = http_header(data, head_len, "Transfer-Encoding: ");
    const char *length = http_header(data, head_len, "Content-Length: ");

    if (memcmp(data, "HTTP/1.1 200", 12) != 0)
        fatal(WHAT ": %.*s", (int)len, data);
    r->chunked = coding != NULL && strncmp(coding, "chunked", 7) == 0;
    if (!r->chunked && length == NULL)
        fatal(WHAT ": neither chunks nor Content-Length: %.*s", (int)head_len,
              data);
    if (!r->chunked)
        r->left = strtoull(length, NULL, 10);
    r->past_head = true;
    return head_len;
}

/* A size line, or the CR LF behind a chunk's data, which looks like an empty
 * one. Returns its length, 0: it has not all arrived. */
static size_t take_chunk_line(struct ndjson_reader *r, const char *data,
                              size_t len)
{
    const char *newline = memchr(data, '\n', len);

    if (newline == NULL)
        return 0;
    if (newline - data > 1) {
        char *digits_end;

        r->left = strtoull(data, &digits_end, 16);
        if (digits_end == data)
            fatal(WHAT ": not a chunk's size: %.*s", (int)(newline - data),
                  data);
        r->in_chunk = r->left > 0;
        if (r->left == 0)
            end(r);
    }
    return (size_t)(newline + 1 - data);
}

static size_t on_data(struct conn *c, const char *data, size_t len,
                      int64_t now_ns)
{
    struct ndjson_reader *r = (struct ndjson_reader *)c;
    size_t used = 0;

    if (!r->past_head && (used = take_head(r, data, len)) == 0)
        return 0;
    while (used < len && !r->ended) {
        if (r->chunked && !r->in_chunk) {
            const size_t step = take_chunk_line(r, data + used, len - used);

            if (step == 0)
                break;
            used += step;
            continue;
        }
        const size_t there =
            len - used < r->left ? len - used : (size_t)r->left;

        take_body(r, data + used, there, now_ns);
        used += there;
        r->left -= there;
        r->in_chunk = r->left > 0;
        if (!r->chunked && r->left == 0)
            end(r);
    }
    return r->ended ? len : used;
}

void ndjson_reader_open(struct ndjson_reader *r, struct loop *l,
                        const struct sockaddr_in *to, const char *host,
                        const char *path, struct ledger *ledger)
{
    static const struct conn_events events = {WHAT, NULL, on_data};
    struct bytes *out = &r->conn.out;

    r->ledger = ledger;
    bytes_put_str(out, "GET ");
    bytes_put_str(out, path);
    bytes_put_str(out, " HTTP/1.1\r\nHost: ");
    bytes_put_str(out, host);
    bytes_put_str(out, "\r\nAccept: application/x-ndjson\r\n\r\n");
    conn_open(&r->conn, l, to, &events);
}
