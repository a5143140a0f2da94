/* Answers that libmicrohttpd cannot send: to malformed requests, in the middle of a
 * request, and to connections beyond the limit (RFC 9112 §4; RFC 9110 §6.6.1 for
 * Date). */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "bridge/http/http_private.h"

const char *http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } known[] = {
        {200, "OK"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].status == status)
            return known[i].reason;
    return "Unknown";
}

static bool has_no_content(unsigned status)
{
    return status == 204 || status == 304;
}

/* The text is made once a second. */
static void put_date(struct http_thread *t, struct buffer *out)
{
    const int64_t now_s = clock_real_us() / 1000000;

    if (now_s != t->date_s) {
        const time_t at = (time_t)now_s;
        struct tm tm;
        gmtime_r(&at, &tm);
        strftime(t->date, sizeof(t->date),
                 "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        t->date_s = now_s;
    }
    buffer_put_str(out, t->date);
}

static void put_status_line(unsigned status, struct buffer *out)
{
    buffer_put_str(out, "HTTP/1.1 ");
    buffer_put_u64(out, status);
    buffer_put_char(out, ' ');
    buffer_put_str(out, http_reason(status));
    buffer_put(out, "\r\n", 2);
}

static void put_length(uint64_t length, struct buffer *out)
{
    buffer_put_str(out, "Content-Length: ");
    buffer_put_u64(out, length);
    buffer_put(out, "\r\n", 2);
}

static void put_header(const char *name, const char *value, struct buffer *out)
{
    buffer_put_str(out, name);
    buffer_put(out, ": ", 2);
    buffer_put_str(out, value);
    buffer_put(out, "\r\n", 2);
}

void http_refusal_put_answer(struct http_thread *t,
                             const struct http_request *q, struct buffer *out)
{
    const char *name, *value;
    size_t at = 0;

    put_status_line(q->status, out);
    put_date(t, out);
    put_header("Connection", "close", out);
    if (q->content_type != NULL)
        put_header("Content-Type", q->content_type, out);
    while (http_request_next_header(q, &at, &name, &value))
        put_header(name, value, out);
    if (!has_no_content(q->status))
        put_length(q->content.len, out);
    buffer_put(out, "\r\n", 2);
    if (q->method != HTTP_HEAD && !has_no_content(q->status))
        buffer_put_slice(out, buffer_slice(&q->content));
    out->failed |= q->headers.failed;
}

void http_refusal_put(const struct http_connection *c,
                      const struct http_refusal *refusal, struct buffer *out)
{
    const char *const *common = c->listener->handler.common_headers;
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);

    json_object(&w);
    json_member_text(&w, "error", refusal->text);
    json_object_end(&w);
    buffer_put_char(&body, '\n');
    put_status_line(refusal->status, out);
    put_date(c->thread, out);
    buffer_put_str(out, "Connection: close\r\n"
                        "Content-Type: application/json\r\n"
                        "Cache-Control: no-store\r\n");
    if (refusal->status == 429 || refusal->status == 503)
        buffer_put_str(out, "Retry-After: 1\r\n");
    for (size_t i = 0; common != NULL && common[i] != NULL; i += 2)
        put_header(common[i], common[i + 1], out);
    put_length(body.len, out);
    buffer_put(out, "\r\n", 2);
    buffer_put_slice(out, buffer_slice(&body));
    out->failed |= body.failed;
    buffer_release(&body);
}
