/* The home page: bridge/web/home.html, with what it must know of this server
 * filled in, and the documents that it links. One file, nothing from elsewhere,
 * so a strict policy fits. */
#include <string.h>

#include "bridge/doors/thingschat/doors.h"
#include "bridge/web/pages.h"

static const char policy[] =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

/* Copies the page, each `{{name}}` replaced. */
static void put_page(struct buffer *b, const struct call *c)
{
    static const char mark[] = "{{mqtt_port}}";
    const char *p = (const char *)home_html;
    const char *end = p + home_html_len;

    while (p < end) {
        const char *at = memmem(p, (size_t)(end - p), mark, sizeof(mark) - 1);
        if (at == NULL) {
            buffer_put(b, p, (size_t)(end - p));
            return;
        }
        buffer_put(b, p, (size_t)(at - p));
        buffer_put_u64(b, c->front->mqtt_port);
        p = at + sizeof(mark) - 1;
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
