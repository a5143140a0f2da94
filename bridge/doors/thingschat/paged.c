#include "bridge/doors/thingschat/paged.h"

#include <stdlib.h>
#include <string.h>

#define WHOLE_MAX (256U * 1024) /* longer answers are streamed */

struct paged_rows {
    struct pages pages;
    struct buffer page;
    size_t sent; /* of page */
    enum pages_next state;
};

static ssize_t read_page(void *arg, char *out, size_t max)
{
    struct paged_rows *s = arg;

    while (s->sent == s->page.len) {
        if (s->state != PAGES_MORE)
            return s->state == PAGES_END ? 0 : -1;
        buffer_clear(&s->page);
        s->sent = 0;
        s->state = s->pages.fill(s->pages.arg, &s->page);
        if (!buffer_ok(&s->page) || s->state == PAGES_FAILED)
            return -1;
    }
    const size_t left = s->page.len - s->sent;
    const size_t n = left < max ? left : max;
    memcpy(out, s->page.data + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

static void release_stream(void *arg)
{
    struct paged_rows *s = arg;

    s->pages.release(s->pages.arg);
    buffer_release(&s->page);
    free(s);
}

enum http_next answer_pages(struct call *c, const char *content_type,
                            struct pages p)
{
    struct paged_rows *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        p.release(p.arg);
        return answer_error(c, 500, "out of memory");
    }
    s->pages = p;
    s->state = PAGES_MORE;
    while (s->state == PAGES_MORE && s->page.len < WHOLE_MAX &&
           buffer_ok(&s->page))
        s->state = p.fill(p.arg, &s->page);
    if (s->state == PAGES_FAILED) {
        release_stream(s);
        http_add_header(c->q, "Retry-After", "1");
        return answer_error(c, 503, "the store cannot be read: retry later");
    }
    if (s->state == PAGES_END) {
        answer(c, 200, content_type, &s->page);
        release_stream(s);
        return HTTP_ANSWERED;
    }
    answer_headers(c);
    http_respond_stream(c->q, 200, content_type, read_page, release_stream, s);
    return HTTP_ANSWERED;
}

enum pages_next array_pages_fill(struct array_pages *a, struct buffer *out,
                                 enum store_err (*put)(void *arg,
                                                       struct store_reader *r),
                                 void *arg)
{
    struct store_reader *r;

    if (store_snapshot(a->store, &r) != STORE_OK)
        return PAGES_FAILED;
    a->array.out = out;
    if (!a->begun)
        json_array(&a->array);
    a->begun = true;
    const enum store_err err = put(arg, r);
    store_reader_release(r);
    if (err == STORE_OK)
        return PAGES_MORE;
    if (err != STORE_NOTFOUND)
        return PAGES_FAILED;
    json_array_end(&a->array);
    return PAGES_END;
}
