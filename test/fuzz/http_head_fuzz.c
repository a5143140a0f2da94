/* The checks of a request's head (bridge/http/http_head.c): a request line, then a
 * line per header, cut at LF and the first colon as the library cuts them. */
#include <stdlib.h>

#include "bridge/http/http_head.h"
#include "test/fuzz/fuzz.h"

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* Up to `mark` or the end; *rest is what is behind it. */
static struct slice cut(struct slice *rest, char mark)
{
    const char *p = rest->data;
    const char *at = rest->len == 0 ? NULL : memchr(p, mark, rest->len);
    const size_t n = at == NULL ? rest->len : (size_t)(at - p);
    const struct slice before = slice_of(p, n);

    *rest =
        at == NULL ? slice_of(NULL, 0) : slice_of(at + 1, rest->len - n - 1);
    return before;
}

static void must_be_inside(struct slice part, struct slice whole)
{
    const char *p = part.data, *from = whole.data;

    must(part.len == 0 || (p >= from && p + part.len <= from + whole.len));
}

static bool read_head(struct slice in, struct http_head *h,
                      struct http_refusal *refusal)
{
    struct slice rest = in, line = cut(&rest, '\n');
    const struct slice method = cut(&line, ' '), target = cut(&line, ' ');

    if (!http_head_begin(h, method, target,
                         slice_eq(line, slice_str("HTTP/1.0")), refusal))
        return false;
    must(http_head_may_begin(in) || in.len == method.len);
    while (rest.len > 0) {
        line = cut(&rest, '\n');
        const struct slice name = cut(&line, ':');
        if (!http_head_add(h, name, line, refusal))
            return false;
    }
    return http_head_end(h, refusal);
}

/* No two readers may see different requests (RFC 9112 §6.3). */
static void check_taken(const struct http_head *h, struct slice in)
{
    unsigned lengths = 0, encodings = 0, hosts = 0;

    must(h->target.len <= HTTP_TARGET_MAX && h->method.len > 0);
    must(h->field_count <= HTTP_FIELDS_MAX);
    must_be_inside(h->target, in);
    must_be_inside(h->authority, in);
    for (size_t i = 0; i < h->field_count; i++) {
        const struct http_field *f = &h->fields[i];
        must_be_inside(f->name, in);
        must_be_inside(f->value, in);
        must(f->name.len > 0);
        must(f->value.len == 0 ||
             memchr(f->value.data, '\r', f->value.len) == NULL);
        lengths += http_name_is(f->name, "Content-Length");
        encodings += http_name_is(f->name, "Transfer-Encoding");
        hosts += http_name_is(f->name, "Host");
    }
    must(lengths == h->lengths && encodings == h->encodings);
    must(lengths + encodings <= 1 || (lengths == 0 && h->is_chunked));
    must(!h->is_chunked || (encodings > 0 && !h->is_1_0));
    must(hosts == 1 || (hosts == 0 && h->is_1_0));
    must(!http_head_keeps_alive(h) || !h->says_close);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice in = slice_of(data, size);
    struct http_refusal refusal = {0};
    static struct http_head h;

    if (read_head(in, &h, &refusal))
        check_taken(&h, in);
    else
        must(refusal.status >= 400 && refusal.status < 600 &&
             refusal.text != NULL);
    return 0;
}
