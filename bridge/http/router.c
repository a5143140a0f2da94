/* From a path to a handler. The table says all there is to say about paths and
 * methods; the rest is matching. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json_write.h"
#include "bridge/doors/thingschat/doors.h"
#include "bridge/front.h"
#include "bridge/http/query.h"

/* EventSource cannot send headers of its own, so libraries in its place put the
 * last event's id into the query, each under a name of its own (Yaffle's and
 * other polyfills, Mercure). */
#define CURSOR                                                                \
    "last_event_id|lastEventId|lastEventID|Last-Event-ID|Last-Event-Id"

static const struct route routes[] = {
    {"/", HTTP_GET, false, true, NULL, home_page, NULL},
    {"/favicon.ico", HTTP_GET, false, false, NULL, home_icon, NULL},
    {"/docs/http.md", HTTP_GET, false, false, NULL, home_http_document, NULL},
    {"/docs/mqtt.md", HTTP_GET, false, false, NULL, home_mqtt_document, NULL},
    {"/health", HTTP_GET, false, false, NULL, health_get, NULL},
    {"/tokens", HTTP_POST, false, true, "", tokens_post, NULL},
    {"/mqtt", HTTP_GET, false, true, NULL, mqtt_websocket, NULL},
    {"/{}/chat/{}", HTTP_POST, true, false, "retain", chat_post,
     chat_body_max},
    {"/{}/chat/{}/latest", HTTP_GET, true, false, "format", chat_latest, NULL},
    {"/{}/chat/{}/history", HTTP_GET, true, false,
     "limit before after since until order format", chat_history, NULL},
    {"/{}/chat/{}/listen", HTTP_GET, true, false, CURSOR, chat_listen, NULL},
    {"/{}/listen", HTTP_GET, true, false, "things " CURSOR, chat_listen_many,
     NULL},
    {"/{}/things", HTTP_GET, true, false, "detail", chat_things, NULL},
};
#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

const char *const cors_headers[] = {
    "Access-Control-Allow-Origin",
    "*",
    "Access-Control-Expose-Headers",
    "X-RateLimit-Remaining, Retry-After, ETag",
    NULL,
};

/* ---- answers ------------------------------------------------------------- */

uint64_t shown_remaining(uint64_t remaining)
{
    return remaining > INT32_MAX ? INT32_MAX : remaining;
}

void answer_headers(struct call *c)
{
    for (size_t i = 0; cors_headers[i] != NULL && !c->hides_cors; i += 2)
        http_add_header(c->q, cors_headers[i], cors_headers[i + 1]);
    if (c->is_counted)
        http_add_header_u64(c->q, "X-RateLimit-Remaining",
                            shown_remaining(c->remaining));
}

enum http_next answer(struct call *c, unsigned status,
                      const char *content_type, struct buffer *body)
{
    answer_headers(c);
    http_respond(c->q, status, content_type, body);
    return HTTP_ANSWERED;
}

enum http_next answer_json(struct call *c, unsigned status,
                           struct buffer *body)
{
    return answer(c, status, "application/json", body);
}

enum http_next answer_error(struct call *c, unsigned status, const char *fmt,
                            ...)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_object(&w);
    json_member_text(&w, "error", text);
    json_object_end(&w);
    buffer_put_char(&body, '\n');
    http_add_header(c->q, "Cache-Control", "no-store");
    return answer_json(c, status, &body);
}

bool query_refused(struct call *c)
{
    struct buffer text = BUFFER_INIT;
    const bool ok = query_check(http_query(c->q), c->route->query, &text);

    if (!ok)
        answer_error(c, 400, "%.*s", (int)text.len,
                     text.len > 0 ? text.data : "");
    buffer_release(&text);
    return !ok;
}

/* ---- matching ------------------------------------------------------------ */

static bool pattern_matches(const char *pattern, const struct slice *segments,
                            size_t count, struct slice *ret_arguments)
{
    size_t argument = 0, at = 0;

    while (*pattern == '/' && at < count) {
        const size_t len = strcspn(++pattern, "/");
        if (len == 2 && memcmp(pattern, "{}", 2) == 0)
            ret_arguments[argument++] = segments[at];
        else if (!slice_eq(slice_of(pattern, len), segments[at]))
            return false;
        pattern += len;
        at++;
    }
    return *pattern == '\0' && at == count;
}

/* Methods some route with this path has, for Allow. */
static unsigned methods_of(const struct slice *segments, size_t count)
{
    struct slice ignored[ROUTE_ARGUMENTS_MAX];
    unsigned methods = 0;

    for (size_t i = 0; i < ROUTE_COUNT; i++)
        if (pattern_matches(routes[i].pattern, segments, count, ignored))
            methods |= (unsigned)routes[i].method;
    if ((methods & HTTP_GET) != 0)
        methods |= HTTP_HEAD;
    return methods;
}

static void find_route(struct call *c)
{
    const struct slice *segments;
    size_t count;
    enum http_method method = http_method(c->q);

    if (!http_segments(c->q, &segments, &count))
        return;
    if (method == HTTP_HEAD)
        method = HTTP_GET;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!pattern_matches(routes[i].pattern, segments, count, c->arguments))
            continue;
        c->is_counted = routes[i].is_counted;
        c->is_local_only = routes[i].is_local_only;
        if (routes[i].method == method) {
            c->route = &routes[i];
            return;
        }
    }
}

static size_t begin(void *arg, struct http_request *q)
{
    struct call *c = calloc(1, sizeof(*c));

    *http_state(q) = c;
    if (c == NULL)
        return 0;
    c->front = arg;
    c->q = q;
    c->remaining = UINT64_MAX;
    find_route(c);
    return c->route != NULL && c->route->body_max != NULL
               ? c->route->body_max(c)
               : 0;
}

static void put_methods(char *out, size_t size, unsigned methods)
{
    snprintf(out, size, "%s%s%sOPTIONS",
             (methods & HTTP_GET) != 0 ? "GET, " : "",
             (methods & HTTP_HEAD) != 0 ? "HEAD, " : "",
             (methods & HTTP_POST) != 0 ? "POST, " : "");
}

/* What a token has left stands on refusals too; which count depends on what
 * the path's methods do. */
static void learn_remaining(struct call *c, struct access *ret_access)
{
    struct store_reader *r = store_reader_acquire(c->front->store);

    if (r == NULL)
        return;
    if (store_reader_begin(r) == STORE_OK) {
        access_look_up(c, r, ret_access);
        store_reader_end(r);
    }
    store_reader_release(r);
    if (ret_access->state == ACCESS_GRANTED && ret_access->plan != NULL)
        access_writes_left(c, ret_access);
}

/* What browsers ask for beyond the four is granted where we know it: a page
 * that compresses its bodies. */
static void put_allowed_headers(struct call *c)
{
    static const char name[] = "content-encoding";
    struct slice asked;
    bool encodes = false;

    if (http_header(c->q, "Access-Control-Request-Headers", &asked))
        for (size_t i = 0; i + sizeof(name) - 1 <= asked.len && !encodes; i++)
            encodes = strncasecmp((const char *)asked.data + i, name,
                                  sizeof(name) - 1) == 0;
    http_add_header(c->q, "Access-Control-Allow-Headers",
                    encodes ? "Content-Type, Last-Event-ID, Idempotency-Key, "
                              "If-None-Match, Content-Encoding"
                            : "Content-Type, Last-Event-ID, Idempotency-Key, "
                              "If-None-Match");
}

/* Why there is no such path, where people come across it every day. */
static const char *path_hint(const struct slice *segments, size_t count)
{
    if (count > 3 && slice_eq(segments[1], slice_str("chat")))
        return "a / within a thing's name is written %2F, as in "
               "/{token}/chat/kitchen%2Ftemp/latest";
    if (count > 1 && segments[count - 1].len == 0)
        return "leave out the / at the end";
    return "see / for what there is";
}

static enum http_next no_route(struct call *c)
{
    const struct slice *segments;
    size_t count;
    struct access access = {.state = ACCESS_GRANTED};
    char allow[64];

    if (!http_segments(c->q, &segments, &count))
        return answer_error(c, 400,
                            "path: each %% needs two hexadecimal "
                            "digits, and %%00 is not allowed");
    const unsigned methods = methods_of(segments, count);
    if (c->is_counted)
        learn_remaining(c, &access);
    if (access.state == ACCESS_FOREIGN && foreign_refused(c))
        return HTTP_ANSWERED;
    if (http_method(c->q) == HTTP_OPTIONS) {
        http_add_header(c->q, "Access-Control-Allow-Methods",
                        "GET, HEAD, POST, OPTIONS");
        put_allowed_headers(c);
        http_add_header(c->q, "Access-Control-Max-Age", "86400");
        return answer(c, 204, NULL, NULL);
    }
    if (methods == 0)
        return answer_error(c, 404, "no such path: %s",
                            path_hint(segments, count));
    put_methods(allow, sizeof(allow), methods);
    http_add_header(c->q, "Allow", allow);
    return answer_error(c, 405, "method not allowed here; allowed: %s", allow);
}

static enum http_next handle(void *arg, struct http_request *q)
{
    struct call *c = *http_state(q);

    (void)arg;
    if (c == NULL)
        return HTTP_ANSWERED; /* out of memory: nothing set, closed */
    if (c->is_local_only && foreign_refused(c))
        return HTTP_ANSWERED;
    return c->route == NULL ? no_route(c) : c->route->handle(c);
}

static void end(void *arg, struct http_request *q)
{
    struct call *c = *http_state(q);

    (void)arg;
    if (c == NULL)
        return;
    if (c->release != NULL)
        c->release(c->own);
    else
        free(c->own);
    free(c);
}

/* Monitors must see a server that is full, and why. */
static bool is_vital(const struct http_request *q)
{
    return slice_eq(http_path(q), slice_str("/health"));
}

const struct http_handler router = {
    .common_headers = cors_headers,
    .is_vital = is_vital,
    .begin = begin,
    .handle = handle,
    .end = end,
};
