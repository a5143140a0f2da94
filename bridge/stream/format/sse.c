#include "bridge/stream/format/sse.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/stream/format/chunk.h"
#include "store/message_json.h"

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

static void put_stored(struct buffer *b, const struct stream_message *m)
{
    const struct message shown = {
        .id = m->id,
        .at_us = m->at_us,
        .payload = m->payload,
        .payload_class = (uint8_t)m->payload_class,
        .sender = m->sender,
        .changed_us = m->changed_us,
        .changed_by = m->changed_by,
    };
    struct json_writer w = json_writer_of(b);

    buffer_put_str(b, "id: ");
    buffer_put_u64(b, m->id);
    buffer_put_str(b, "\nevent: message\n");
    const size_t start = b->len;
    buffer_put_str(b, "data: ");
    message_put_latest(&w, &shown, m->token, m->thing);
    if (buffer_ok(b) &&
        line_end(b->data + start, b->data + b->len) != b->data + b->len)
        split_data(b, start);
    else
        buffer_put_char(b, '\n');
    buffer_put_char(b, '\n');
}

void sse_put_message(struct buffer *b, struct slice token, struct slice thing,
                     struct slice payload, enum payload_class cls, uint64_t id,
                     int64_t at_us)
{
    const struct stream_message m = {
        .token = token,
        .thing = thing,
        .payload = payload,
        .payload_class = cls,
        .id = id,
        .at_us = at_us,
    };

    put_stored(b, &m);
}

/* `event: edit`, `delete` or `purge` */
static void put_change(struct buffer *b, const struct stream_message *m)
{
    buffer_put_str(b, "id: ");
    buffer_put_u64(b, m->id);
    buffer_put_str(b, "\nevent: ");
    buffer_put_str(b, message_change_word(m->kind));
    buffer_put_char(b, '\n');
    sse_put_data(b, m->payload);
    buffer_put_char(b, '\n');
}

void sse_put_start(struct buffer *b, uint64_t retry_ms,
                   uint64_t status_retry_ms)
{
    struct json_writer w = json_writer_of(b);

    if (retry_ms != 0) {
        buffer_put_str(b, "retry: ");
        buffer_put_u64(b, retry_ms);
        buffer_put_char(b, '\n');
    }
    buffer_put_str(b, "event: status\ndata: ");
    json_object(&w);
    json_member_text(&w, "type", "connected");
    if (status_retry_ms != 0)
        json_member_u64(&w, "retry", status_retry_ms);
    json_object_end(&w);
    buffer_put_str(b, "\n\n");
}

void sse_put_gap(struct buffer *b, uint64_t from, uint64_t to,
                 uint64_t cursor_id)
{
    struct json_writer w = json_writer_of(b);

    if (cursor_id != 0) {
        buffer_put_str(b, "id: ");
        buffer_put_u64(b, cursor_id);
        buffer_put_char(b, '\n');
    }
    buffer_put_str(b, "event: gap\ndata: ");
    json_object(&w);
    json_member_u64(&w, "from", from);
    json_member_u64(&w, "to", to);
    json_object_end(&w);
    buffer_put_str(b, "\n\n");
}

void sse_put_expired(struct buffer *b)
{
    struct json_writer w = json_writer_of(b);

    buffer_put_str(b, "event: session\ndata: ");
    json_object(&w);
    json_member_text(&w, "type", "expired");
    json_member_text(&w, "reason", "idle");
    json_object_end(&w);
    buffer_put_str(b, "\n\n");
}

/* ---- formats ------------------------------------------------------------- */

/* Without an id: where the reader comes back to is not changed by it. */
static void put_event(struct buffer *b, const struct stream_message *m)
{
    const struct message shown = {
        .at_us = m->at_us,
        .payload = m->payload,
        .payload_class = (uint8_t)m->payload_class,
    };
    struct buffer data = BUFFER_INIT;
    struct json_writer w = json_writer_of(&data);

    message_put_event(&w, &shown, m->event, m->thing);
    buffer_put_str(b, "event: ");
    buffer_put_slice(b, m->event);
    buffer_put_char(b, '\n');
    sse_put_data(b, buffer_slice(&data));
    buffer_put_char(b, '\n');
    b->failed |= !buffer_ok(&data);
    buffer_release(&data);
}

static void put_message(struct buffer *b, const struct stream_message *m)
{
    if (m->event.len > 0)
        put_event(b, m);
    else if (message_kind_is_change(m->kind))
        put_change(b, m);
    else
        put_stored(b, m);
}

static void put_start(struct buffer *b, void *state,
                      const struct stream_greeting *g)
{
    (void)state;
    sse_put_start(b, g->retry_ms, g->status_retry_ms);
}

static void put_gap(struct buffer *b, void *state, uint64_t from, uint64_t to,
                    uint64_t cursor_id)
{
    (void)state;
    sse_put_gap(b, from, to, cursor_id);
}

static void put_ping(struct buffer *b, void *state)
{
    (void)state;
    buffer_put_str(b, SSE_COMMENT);
}

static void put_expired(struct buffer *b, void *state)
{
    (void)state;
    sse_put_expired(b);
}

static void put_no_bye(struct buffer *b, void *state, enum stream_end why)
{
    (void)b;
    (void)state;
    (void)why;
}

const struct stream_format sse_until_close = {
    .number = STREAM_FORMAT_SSE_UNTIL_CLOSE,
    .start = put_start,
    .message = put_message,
    .gap = put_gap,
    .ping = put_ping,
    .expired = put_expired,
    .bye = put_no_bye,
};

const struct stream_format sse_until_close_events = {
    .number = STREAM_FORMAT_SSE_UNTIL_CLOSE_EVENTS,
    .start = put_start,
    .message = put_message,
    .takes_events = true,
    .gap = put_gap,
    .ping = put_ping,
    .expired = put_expired,
    .bye = put_no_bye,
};

static void chunk_start(struct buffer *b, void *state,
                        const struct stream_greeting *g)
{
    const size_t start = b->len;

    put_start(b, state, g);
    chunk_wrap(b, start);
}

static void chunk_message(struct buffer *b, const struct stream_message *m)
{
    const size_t start = b->len;

    put_message(b, m);
    chunk_wrap(b, start);
}

static void chunk_gap(struct buffer *b, void *state, uint64_t from,
                      uint64_t to, uint64_t cursor_id)
{
    const size_t start = b->len;

    put_gap(b, state, from, to, cursor_id);
    chunk_wrap(b, start);
}

static void chunk_ping(struct buffer *b, void *state)
{
    const size_t start = b->len;

    put_ping(b, state);
    chunk_wrap(b, start);
}

static void chunk_expired(struct buffer *b, void *state)
{
    const size_t start = b->len;

    put_expired(b, state);
    chunk_wrap(b, start);
}

/* Without the last chunk where the reader is to come back: after it
 * r3labs/sse and @microsoft/fetch-event-source would not. */
static void chunk_bye(struct buffer *b, void *state, enum stream_end why)
{
    (void)state;
    if (why != STREAM_END_SHUTDOWN)
        buffer_put_str(b, CHUNK_LAST);
}

const struct stream_format sse_chunked = {
    .number = STREAM_FORMAT_SSE_CHUNKED,
    .start = chunk_start,
    .message = chunk_message,
    .gap = chunk_gap,
    .ping = chunk_ping,
    .expired = chunk_expired,
    .bye = chunk_bye,
};

const struct stream_format sse_chunked_events = {
    .number = STREAM_FORMAT_SSE_CHUNKED_EVENTS,
    .start = chunk_start,
    .message = chunk_message,
    .takes_events = true,
    .gap = chunk_gap,
    .ping = chunk_ping,
    .expired = chunk_expired,
    .bye = chunk_bye,
};
