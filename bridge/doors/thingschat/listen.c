/* GET /{token}/chat/{thing}/listen and /{token}/listen?things=…: checks who follows
 * which filters from which id, then hands the socket to the streams. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/filter_shape.h"
#include "bridge/doors/origins.h"
#include "bridge/doors/thingschat/reading.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/doors/thingschat/ticket.h"
#include "bridge/http/accept.h"
#include "bridge/http/reads.h"
#include "bridge/http/url.h"

#define THINGS_MAX 64
#define NAMES_MAX 8192 /* bytes of all filters together, decoded */

struct listen_params {
    struct slice things[THINGS_MAX];
    size_t count;
    bool has_cursor, events;
    uint64_t cursor;
    char names[NAMES_MAX]; /* things[] points into this */
};

/* An id: decimal digits that fit 64 bits. */
static bool parse_id(struct slice text, uint64_t *ret)
{
    char digits[20];

    if (text.len == 0 || text.len >= sizeof(digits))
        return false;
    memcpy(digits, text.data, text.len);
    digits[text.len] = '\0';
    if (strspn(digits, "0123456789") != text.len)
        return false;
    *ret = strtoull(digits, NULL, 10);
    return true;
}

/* The header wins over the query, which is stale by the time EventSource reconnects. A
 * header that is not an id is ignored, because no browser could correct it. If the
 * query has the parameter several times, the last one counts: libraries append
 * theirs. An empty value means none (WHATWG HTML §9.2.6). */
static bool read_cursor(struct call *c, struct listen_params *w)
{
    struct slice header, query = http_query(c->q);
    struct url_parameter p;

    if (http_header(c->q, "Last-Event-ID", &header) &&
        parse_id(header, &w->cursor)) {
        w->has_cursor = true;
        return true;
    }
    while (url_next_parameter(&query, &p)) {
        /* query_check() has refused all other names */
        if (p.value.len == 0 || *(const char *)p.name.data == '_' ||
            url_is_named(&p, slice_str("things")) ||
            url_is_named(&p, slice_str("events")) ||
            url_is_named(&p, slice_str("key")))
            continue;
        if (!parse_id(p.value, &w->cursor)) {
            answer_error(c, 400,
                         "%.*s: must be the id of a message, a whole number",
                         (int)p.name.len, (const char *)p.name.data);
            return false;
        }
        w->has_cursor = true;
    }
    return true;
}

/* A client that does not accept event streams would wait for ever (RFC 9110
 * §15.5.7). */
static bool accepts_events(struct call *c)
{
    struct slice accept;

    if (!http_header(c->q, "Accept", &accept) ||
        accept_allows(accept, "text/event-stream"))
        return true;
    answer_error(c, 406,
                 "this path answers text/event-stream only: send that as "
                 "Accept, or none; stored messages are at "
                 "/{token}/chat/{thing}/history");
    return false;
}

static void put_header(void *arg, const char *name, const char *value)
{
    struct buffer *b = arg;

    buffer_put_str(b, name);
    buffer_put_str(b, ": ");
    buffer_put_str(b, value);
    buffer_put_str(b, "\r\n");
}

static const char *const stream_headers[] = {
    "Cache-Control",
    "no-cache, no-store, no-transform",
    "X-Accel-Buffering",
    "no",
    NULL,
};

static const struct stream_format *format_of(const struct call *c, bool events)
{
    if (http_takes_chunks(c->q))
        return events ? &sse_chunked_events : &sse_chunked;
    return events ? &sse_until_close_events : &sse_until_close;
}

static void put_response_head(struct buffer *b, const struct call *c)
{
    buffer_put_str(b, "HTTP/1.1 200 OK\r\n");
    put_header(b, "Content-Type", "text/event-stream");
    for (size_t i = 0; stream_headers[i] != NULL; i += 2)
        put_header(b, stream_headers[i], stream_headers[i + 1]);
    answer_cors(c, put_header, b);
    buffer_put_str(b, "X-RateLimit-Remaining: ");
    buffer_put_u64(b, shown_remaining(c->remaining));
    buffer_put_str(b, "\r\n");
    if (http_takes_chunks(c->q))
        put_header(b, "Transfer-Encoding", "chunked");
    /* The connection ends after a chunked stream as well. But with this header undici
     * (fetch() of Node.js) would take a stream that was cut off for a complete one. */
    if (!http_takes_chunks(c->q) || http_method(c->q) == HTTP_HEAD)
        put_header(b, "Connection", "close");
    buffer_put_str(b, "\r\n");
}

/* HEAD gets exactly the head that GET gets; for HEAD it is written here. */
static enum http_next answer_head(struct call *c)
{
    struct buffer head = BUFFER_INIT;

    put_response_head(&head, c);
    const int fd = http_detach(c->q);
    if (fd >= 0) {
        if (buffer_ok(&head) &&
            send(fd, head.data, head.len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
            shutdown(fd, SHUT_WR);
        close(fd);
    }
    buffer_release(&head);
    return HTTP_DETACHED;
}

static enum http_next hand_over(struct call *c, const struct listen_params *w,
                                const struct plan *plan, uint64_t head)
{
    struct buffer response_head = BUFFER_INIT;

    put_response_head(&response_head, c);
    const struct stream_opts opts = {
        .token = c->arguments[0],
        .things = w->things,
        .thing_count = w->count,
        .plan = plan,
        .caller = c->identity,
        .format = format_of(c, w->events),
        .is_local_plan = strcmp(plan->name, "local") == 0,
        .has_cursor = w->has_cursor,
        .cursor = w->cursor,
        .head = head,
        .response_head = buffer_slice(&response_head),
    };
    const int fd = http_detach(c->q);
    const enum streams_answer adopted =
        fd >= 0 && buffer_ok(&response_head)
            ? streams_adopt(c->front->streams, fd, &opts)
            : STREAMS_TOO_MANY;
    buffer_release(&response_head);
    if (adopted == STREAMS_ADOPTED) {
        c->identity = NULL; /* the stream's now */
        return HTTP_DETACHED;
    }
    if (fd >= 0)
        close(fd);
    reads_refund(c->front->reads, c->arguments[0], LISTEN_COST);
    http_add_header(c->q, "Retry-After", "5");
    if (adopted == STREAMS_TOO_VARIED)
        return answer_error(c, 429,
                            "things: the open streams of this token have + "
                            "at %d different combinations of levels: end "
                            "some, or use # or the same combinations",
                            FILTER_SHAPES_MAX);
    return answer_error(c, 503, "too many open streams: retry later");
}

/* Ends the reading `g`. */
static enum http_next start_listening(struct call *c, struct listen_params *w,
                                      struct reading *g)
{
    const bool head_only = http_method(c->q) == HTTP_HEAD;
    const bool valid = !origin_refused(c) && accepts_events(c) &&
                       read_cursor(c, w) &&
                       query_flag(c, "events", &w->events) >= 0;

    if (valid && !head_only && ticket_must_be_taken(c)) {
        reading_end(g);
        return ticket_take(c);
    }
    const bool granted =
        valid && reading_charge(c, g, head_only ? 1 : LISTEN_COST);
    /* The reader misses nothing from here on: what is stored later gets a greater
     * id. */
    const uint64_t head = granted ? store_head(g->reader) : 0;
    const struct plan *plan = g->access.plan;

    reading_end(g);
    if (!granted)
        return HTTP_ANSWERED;
    return head_only ? answer_head(c) : hand_over(c, w, plan, head);
}

enum http_next chat_listen(struct call *c)
{
    struct listen_params w = {.count = 1};
    struct reading g;

    /* check the token before the query */
    if (!reading_begin(c, &g, true))
        return HTTP_ANSWERED;
    /* Earlier versions stored such names: they can be read, but not published to. */
    if (!name_publishable(c->arguments[1])) {
        reading_end(&g);
        return answer_error(c, 400,
                            "thing: no message can come for a name with "
                            "control characters or non-characters");
    }
    w.things[0] = c->arguments[1];
    return start_listening(c, &w, &g);
}

/* Whether a level is a bare `+`. In a query it means a blank, but the sender meant the
 * wildcard. In `living+room` it is a blank that a form encoded. */
static bool has_bare_plus(struct slice filter)
{
    struct slice level;

    while (url_next_segment(&filter, &level))
        if (slice_eq(level, slice_str("+")))
            return true;
    return false;
}

/* `a,b/%2B/c,%23`: split at commas before decoding, so that %2C stays a comma. */
static bool read_things(struct call *c, struct listen_params *w)
{
    struct slice list;
    size_t used = 0;

    if (!url_query(http_query(c->q), "things", &list) || list.len == 0) {
        answer_error(c, 400,
                     "things: missing; like ?things=a,b/%%2B/c or "
                     "?things=%%23 for all");
        return false;
    }
    const char *p = list.data, *end = p + list.len;
    while (p <= end) {
        const char *comma =
            p == end ? NULL : memchr(p, ',', (size_t)(end - p));
        const struct slice one =
            slice_of(p, (size_t)((comma == NULL ? end : comma) - p));
        size_t len;
        if (w->count == THINGS_MAX || used + one.len > NAMES_MAX) {
            answer_error(c, 400, "things: at most %d filters", THINGS_MAX);
            return false;
        }
        if (has_bare_plus(one)) {
            answer_error(c, 400,
                         "things: filter %zu: write the wildcard + as %%2B; a "
                         "+ in a query means a blank",
                         w->count + 1);
            return false;
        }
        if (!url_decode(one, true, w->names + used, &len) ||
            !filter_valid(slice_of(w->names + used, len)) ||
            !name_publishable(slice_of(w->names + used, len)) ||
            w->names[used] == '$' || len > THING_MAX) {
            answer_error(
                c, 400,
                "things: filter %zu is not valid: write filters like "
                "kitchen, kitchen/+ or # (percent-encoded: %%2B, "
                "%%23), without control characters and non-characters",
                w->count + 1);
            return false;
        }
        if (caller_refused(c, CALLER_SUBSCRIBE,
                           slice_of(w->names + used, len)))
            return false;
        w->things[w->count++] = slice_of(w->names + used, len);
        used += len;
        if (comma == NULL)
            return true;
        p = comma + 1;
    }
    return true;
}

enum http_next chat_listen_many(struct call *c)
{
    struct reading g;
    struct listen_params w;

    w.count = 0;
    w.has_cursor = w.events = false;
    /* check the token before the query */
    if (!reading_begin(c, &g, false))
        return HTTP_ANSWERED;
    if (read_things(c, &w))
        return start_listening(c, &w, &g);
    reading_end(&g);
    return HTTP_ANSWERED;
}
