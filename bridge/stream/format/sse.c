#include "bridge/stream/format/sse.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/stream/format/payload.h"

/* The first CR or LF in p…end; `end`: none. */
static const char *line_end(const char *p, const char *end)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    const char *stop = lf == NULL ? end : lf;
    const char *cr = memchr(p, '\r', (size_t)(stop - p));

    return cr == NULL ? stop : cr;
}

void sse_put_data(struct buffer *b, struct slice data)
{
    const char *p = data.len == 0 ? "" : data.data;
    const char *end = p + data.len;

    for (;;) {
        const char *stop = line_end(p, end);
        buffer_put_str(b, "data: ");
        buffer_put(b, p, (size_t)(stop - p));
        buffer_put_char(b, '\n');
        if (stop == end)
            return;
        const bool crlf = *stop == '\r' && stop + 1 < end && stop[1] == '\n';
        p = stop + (crlf ? 2 : 1);
    }
}

/* Rewrites what stands in b from `start` on, a `data: ` line that turned out to
 * hold line ends. Rare (pretty-printed payloads), so it may copy. */
static void split_data(struct buffer *b, size_t start)
{
    static const size_t name_len = sizeof("data: ") - 1;
    const struct slice data =
        slice_of(b->data + start + name_len, b->len - start - name_len);
    char *copy = malloc(data.len);

    b->len = start;
    if (copy == NULL) {
        b->failed = true;
        return;
    }
    memcpy(copy, data.data, data.len);
    sse_put_data(b, slice_of(copy, data.len));
    free(copy);
}

void sse_put_message(struct buffer *b, struct slice token, struct slice thing,
                     struct slice payload, enum payload_class cls, uint64_t id,
                     int64_t at_us)
{
    size_t start, chat;

    buffer_put_str(b, "id: ");
    buffer_put_u64(b, id);
    buffer_put_str(b, "\nevent: message\n");
    start = b->len;
    buffer_put_str(b, "data: {\"thing\":");
    buffer_put_json_string(b, thing);
    buffer_put_str(b, ",\"token\":");
    buffer_put_json_string(b, token);
    buffer_put_str(b, ",\"chat\":");
    chat = b->len;
    payload_put_json(b, payload, cls, PAYLOAD_AS_SENT);
    const bool one_line =
        !buffer_ok(b) ||
        line_end(b->data + chat, b->data + b->len) == b->data + b->len;
    buffer_put_str(b, ",\"createdAt\":\"");
    buffer_put_time(b, at_us, 3);
    buffer_put_str(b, "\",\"id\":");
    buffer_put_u64(b, id);
    buffer_put_char(b, '}');
    if (one_line)
        buffer_put_char(b, '\n');
    else if (buffer_ok(b))
        split_data(b, start);
    buffer_put_char(b, '\n');
}

void sse_put_start(struct buffer *b, uint64_t retry_ms,
                   uint64_t status_retry_ms)
{
    if (retry_ms != 0) {
        buffer_put_str(b, "retry: ");
        buffer_put_u64(b, retry_ms);
        buffer_put_char(b, '\n');
    }
    buffer_put_str(b, "event: status\ndata: {\"type\":\"connected\"");
    if (status_retry_ms != 0) {
        buffer_put_str(b, ",\"retry\":");
        buffer_put_u64(b, status_retry_ms);
    }
    buffer_put_str(b, "}\n\n");
}

void sse_put_gap(struct buffer *b, uint64_t from, uint64_t to,
                 uint64_t cursor_id)
{
    if (cursor_id != 0) {
        buffer_put_str(b, "id: ");
        buffer_put_u64(b, cursor_id);
        buffer_put_char(b, '\n');
    }
    buffer_put_str(b, "event: gap\ndata: {\"from\":");
    buffer_put_u64(b, from);
    buffer_put_str(b, ",\"to\":");
    buffer_put_u64(b, to);
    buffer_put_str(b, "}\n\n");
}

void sse_put_expired(struct buffer *b)
{
    buffer_put_str(b, "event: session\n"
                      "data: {\"type\":\"expired\",\"reason\":\"idle\"}\n\n");
}
