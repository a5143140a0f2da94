#include <stdlib.h>

#include "benchmarks/churn/fault.h"
#include "benchmarks/churn/reader.h"

/* One event (WHATWG HTML §9.2.6), borrowed from the bytes read. */
struct churn_event {
    const char *name; /* NULL: none given */
    size_t name_len;
    const char *data; /* NULL: none given */
    size_t data_len;
    uint64_t id; /* 0: none given */
};

static bool is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

static void take_message(struct churn_reader *r, const struct churn_event *e,
                         int64_t now_ns)
{
    const char *at =
        memmem(e->data, e->data_len, PAYLOAD_START, strlen(PAYLOAD_START));
    struct churn_payload p;

    if (at != NULL && fault_strikes(FAULT_CORRUPT, reader_kind_name(r->kind)))
        ((char *)(uintptr_t)at)[20] ^= 1;
    if (at == NULL ||
        payload_read(at, (size_t)(e->data + e->data_len - at), &p) == 0) {
        reader_fail(r, "a payload nobody sent: %.*s",
                    (int)(e->data_len < 160 ? e->data_len : 160), e->data);
        return;
    }
    if (e->id <= r->last_id) {
        reader_fail(r, "event id %llu after %llu", (unsigned long long)e->id,
                    (unsigned long long)r->last_id);
        return;
    }
    r->last_id = e->id;
    reader_take(r, &p, false, now_ns);
}

static void dispatch(struct churn_reader *r, const struct churn_event *e,
                     int64_t now_ns)
{
    if (e->name != NULL && is(e->name, e->name_len, "status")) {
        if (r->state == READER_COMING)
            reader_arrived(r);
        return;
    }
    if (e->data == NULL) /* nothing is dispatched without data */
        return;
    if (e->name != NULL && is(e->name, e->name_len, "gap")) {
        /* Retention was faster: fine for who is slow or begins at 0. */
        if (r->kind == READER_REPLAY)
            reader_gap(r);
        else if (!r->book.slow)
            reader_fail(r, "a gap: %.*s", (int)e->data_len, e->data);
        return;
    }
    if (e->name == NULL || !is(e->name, e->name_len, "message")) {
        reader_fail(r, "event %.*s", (int)e->name_len,
                    e->name != NULL ? e->name : "");
        return;
    }
    take_message(r, e, now_ns);
}

static void take_line(struct churn_event *e, const char *line, size_t len)
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
        e->data = value;
        e->data_len = value_len;
    } else if (is(line, name_len, "event")) {
        e->name = value;
        e->name_len = value_len;
    } else if (is(line, name_len, "id")) {
        e->id = strtoull(value, NULL, 10); /* a line feed follows */
    }
}

/* Handles the event at the beginning of `data`. Returns its length, blank line
 * included, or 0 when its end has not arrived yet. */
static size_t take_event(struct churn_reader *r, const char *data, size_t len,
                         int64_t now_ns)
{
    const char *line = data;
    const char *end = data + len;
    struct churn_event e = {0};

    for (;;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));

        if (newline == NULL)
            return 0;
        if (newline == line) {
            dispatch(r, &e, now_ns);
            return (size_t)(newline + 1 - data);
        }
        take_line(&e, line, (size_t)(newline - line));
        line = newline + 1;
    }
}

static size_t take_head(struct churn_reader *r, const char *data, size_t len)
{
    static const char type[] = "\r\nContent-Type: text/event-stream";
    const char *blank = memmem(data, len, "\r\n\r\n", 4);

    if (blank == NULL)
        return 0;
    const size_t head_len = (size_t)(blank + 4 - data);

    if (memcmp(data, "HTTP/1.1 200", 12) != 0 ||
        memmem(data, head_len, type, sizeof(type) - 1) == NULL) {
        reader_fail(r, "not an event stream: %.*s",
                    (int)(len < 160 ? len : 160), data);
        return len;
    }
    r->past_head = true;
    return head_len;
}

static size_t on_data(struct socket *s, const char *data, size_t len,
                      int64_t now_ns)
{
    struct churn_reader *r = (struct churn_reader *)s;
    size_t used = 0;
    size_t step;

    if (!r->past_head && (used = take_head(r, data, len)) == 0)
        return 0;
    while (socket_is_open(s) &&
           (step = take_event(r, data + used, len - used, now_ns)) > 0)
        used += step;
    return used;
}

static void on_open(struct socket *s)
{
    struct churn_reader *r = (struct churn_reader *)s;
    const struct world *w = r->world;
    struct bytes *out = &s->out;

    bytes_put_str(out, "GET /");
    bytes_put_str(out, world_token(w, r->room));
    if (reader_has_room(r)) {
        bytes_put_str(out, "/listen?things=room");
        bytes_put_decimal(out, r->room);
        bytes_put_str(out, "%2F%23");
    } else {
        bytes_put_str(out, "/chat/");
        world_put_thing(out, w, r->thing, "%2F");
        bytes_put_str(out, "/listen");
    }
    bytes_put_str(out, " HTTP/1.1\r\nHost: ");
    bytes_put_str(out, w->http_host);
    if (r->kind == READER_REPLAY || r->goes_on) {
        bytes_put_str(out, "\r\nLast-Event-ID: ");
        bytes_put_decimal(out, r->last_id);
    }
    bytes_put_str(out, "\r\nAccept: text/event-stream\r\n\r\n");
}

void reader_sse_open(struct churn_reader *r, int receive_buffer)
{
    static const struct socket_events events = {on_open, on_data, reader_lost};

    socket_open(&r->socket, &r->world->poll, &r->world->http, &events,
                receive_buffer);
}
