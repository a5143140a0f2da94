/* Answers, as all doors give them: headers, errors in the door's shape, CORS. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "bridge/http/call.h"
#include "bridge/http/http_head.h"
#include "bridge/http/query.h"

#define ORIGIN_MAX 512 /* bytes; no browser's is longer */

void answer_cors(const struct call *c,
                 void (*put)(void *arg, const char *name, const char *value),
                 void *arg)
{
    const struct cors *cors = c->mount->door->cors;
    char origin[ORIGIN_MAX];
    struct slice sent = {0};

    if (cors == NULL)
        return;
    if (c->origin != ORIGIN_ANY) {
        put(arg, "Vary", "Origin"); /* a cache must not mix them up */
        if (c->origin == ORIGIN_OTHER || !http_header(c->q, "Origin", &sent) ||
            sent.len >= sizeof(origin))
            return;
        snprintf(origin, sizeof(origin), "%.*s", (int)sent.len,
                 (const char *)sent.data);
    }
    for (size_t i = 0; cors->headers[i] != NULL; i += 2) {
        const char *name = cors->headers[i];
        const bool is_origin =
            c->origin != ORIGIN_ANY &&
            strcmp(name, "Access-Control-Allow-Origin") == 0;
        put(arg, name, is_origin ? origin : cors->headers[i + 1]);
    }
}

static void put_header(void *arg, const char *name, const char *value)
{
    http_add_header(arg, name, value);
}

void answer_headers(struct call *c)
{
    const struct door *door = c->mount->door;

    if (c->hides_headers)
        return;
    answer_cors(c, put_header, c->q);
    if (door->headers != NULL)
        door->headers(c);
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

void answer_plain_error(struct call *c, unsigned status, const char *text)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);

    json_object(&w);
    json_member_text(&w, "error", text);
    json_object_end(&w);
    buffer_put_char(&body, '\n');
    http_add_header(c->q, "Cache-Control", "no-store");
    answer_json(c, status, &body);
}

enum http_next answer_error(struct call *c, unsigned status, const char *fmt,
                            ...)
{
    const struct door *door = c->mount->door;
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (door->error != NULL)
        door->error(c, status, text);
    else
        answer_plain_error(c, status, text);
    return HTTP_ANSWERED;
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

/* ---- methods ------------------------------------------------------------- */

static void put_methods(unsigned methods, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (unsigned bit = 1; bit < HTTP_OTHER && len < size; bit <<= 1)
        if (((methods | HTTP_OPTIONS) & bit) != 0)
            len += (size_t)snprintf(out + len, size - len, "%s%s",
                                    len > 0 ? ", " : "",
                                    http_method_name((enum http_method)bit));
}

enum http_next answer_wrong_method(struct call *c)
{
    char allow[64];

    put_methods(c->methods, allow, sizeof(allow));
    http_add_header(c->q, "Allow", allow);
    return answer_error(c, 405, "method not allowed here; allowed: %s", allow);
}

static void add_header_if(struct call *c, const char *name, const char *value)
{
    if (value != NULL)
        http_add_header(c->q, name, value);
}

enum http_next answer_preflight(struct call *c)
{
    const struct cors *cors = c->mount->door->cors;
    char allow[64];

    if (cors == NULL) {
        put_methods(c->methods, allow, sizeof(allow));
        http_add_header(c->q, "Allow", allow);
        return answer(c, 204, NULL, NULL);
    }
    add_header_if(c, "Access-Control-Allow-Methods", cors->methods);
    if (cors->allow_headers != NULL)
        cors->allow_headers(c);
    else
        add_header_if(c, "Access-Control-Allow-Headers",
                      cors->request_headers);
    add_header_if(c, "Access-Control-Max-Age", cors->max_age);
    return answer(c, 204, NULL, NULL);
}

bool preflight_asks_for(const struct http_request *q, const char *name)
{
    struct slice asked;

    return http_method(q) == HTTP_OPTIONS &&
           http_header(q, "Access-Control-Request-Headers", &asked) &&
           http_list_has(asked, name);
}
