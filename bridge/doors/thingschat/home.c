/* The home page: bridge/web/home.html, with what it must know about this server filled
 * in, and the documents that it links to. It is one file that loads nothing else, so
 * its policy can be strict. */
#include <string.h>

#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/web/pages.h"

static const char policy[] =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

static void put_mqtt_port(struct buffer *b, const struct call *c)
{
    buffer_put_u64(b, c->front->mqtt_port);
}

/* Writes the link to /health, unless this address does not have it. The link is
 * relative, because a proxy may serve the page anywhere. */
static void put_health(struct buffer *b, const struct call *c)
{
    if (c->mount->is_alone)
        return;
    buffer_put_str(b, "<a href=\"");
    for (const char *p = c->mount->prefix; *p != '\0'; p++)
        if (*p == '/')
            buffer_put_str(b, "../");
    buffer_put_str(b, "health\">Health</a>");
}

static void put_server_paths(struct buffer *b, const struct call *c)
{
    if (!c->mount->is_alone)
        buffer_put_str(
            b, "<tr><td><code>GET health</code></td><td>whether the server is "
               "healthy</td></tr>\n"
               "<tr><td><code>GET mqtt</code></td><td>MQTT over WebSocket</td>"
               "</tr>\n");
}

static const struct {
    const char *name;
    void (*put)(struct buffer *b, const struct call *c);
} marks[] = {{"{{mqtt_port}}", put_mqtt_port},
             {"{{health}}", put_health},
             {"{{server_paths}}", put_server_paths}};

/* If the text begins with a mark, writes its replacement and returns the mark's
 * length; otherwise returns 0. */
static size_t put_mark(struct buffer *b, const struct call *c,
                       struct slice text)
{
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const size_t len = strlen(marks[i].name);
        if (text.len < len || memcmp(text.data, marks[i].name, len) != 0)
            continue;
        marks[i].put(b, c);
        return len;
    }
    return 0;
}

static void put_page(struct buffer *b, const struct call *c)
{
    const char *p = (const char *)home_html;
    const char *end = p + home_html_len;

    while (p < end) {
        const char *at = memmem(p, (size_t)(end - p), "{{", 2);
        if (at == NULL)
            at = end;
        buffer_put(b, p, (size_t)(at - p));
        const size_t len = put_mark(b, c, slice_of(at, (size_t)(end - at)));
        if (len == 0 && at < end)
            buffer_put_char(b, *at);
        p = at + (len > 0 ? len : 1);
    }
}

enum http_next home_page(struct call *c)
{
    struct buffer body = BUFFER_INIT;

    put_page(&body, c);
    http_add_header(c->q, "Content-Security-Policy", policy);
    http_add_header(c->q, "Referrer-Policy", "no-referrer");
    http_add_header(c->q, "X-Content-Type-Options", "nosniff");
    http_add_header(c->q, "Cache-Control", "no-cache");
    return answer(c, 200, "text/html; charset=utf-8", &body);
}

/* As plain text: browsers would save text/markdown instead of showing it. */
static enum http_next answer_document(struct call *c,
                                      const unsigned char *text, size_t len)
{
    struct buffer body = BUFFER_INIT;

    buffer_put(&body, text, len);
    http_add_header(c->q, "X-Content-Type-Options", "nosniff");
    http_add_header(c->q, "Cache-Control", "no-cache");
    return answer(c, 200, "text/plain; charset=utf-8", &body);
}

enum http_next home_http_document(struct call *c)
{
    return answer_document(c, http_md, http_md_len);
}

enum http_next home_mqtt_document(struct call *c)
{
    return answer_document(c, mqtt_md, mqtt_md_len);
}

enum http_next home_icon(struct call *c)
{
    http_add_header(c->q, "Cache-Control", "max-age=86400");
    return answer(c, 204, NULL, NULL);
}
