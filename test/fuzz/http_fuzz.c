/* HTTP on the wire: whatever bytes come, heads and chunks stay inside of them,
 * and it makes no difference in how many pieces they come. */
#include <stdlib.h>
#include <string.h>

#include "bridge/http_chunks.h"
#include "bridge/http_head.h"
#include "test/fuzz/fuzz.h"

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void must_be_inside(struct slice part, struct slice whole)
{
    const char *p = part.data, *from = whole.data;

    must(part.len == 0 || (p >= from && p + part.len <= from + whole.len));
}

/* Bytes of the head, 0: refused or partial. */
static size_t read_head(struct slice in, struct http_head *h)
{
    struct http_refusal refusal = {0};
    size_t len = 0;

    switch (http_head_parse(in, h, &len, &refusal)) {
    case HTTP_HEAD_WHOLE: break;
    case HTTP_HEAD_PARTIAL: return 0;
    case HTTP_HEAD_REFUSED:
        must(refusal.status >= 400 && refusal.text != NULL);
        return 0;
    }
    must(len > 0 && len <= in.len && len <= HTTP_HEAD_MAX);
    must(h->target.len <= HTTP_TARGET_MAX);
    must(!h->is_chunked || h->length == 0);
    must_be_inside(h->method, in);
    must_be_inside(h->target, in);
    for (size_t i = 0; i < h->field_count; i++) {
        must_be_inside(h->fields[i].name, in);
        must_be_inside(h->fields[i].value, in);
    }
    return len;
}

/* Body bytes; *ret_end: how it ended and where. */
static size_t read_chunks(struct slice in, size_t step, size_t *ret_end)
{
    struct http_chunks c = {0};
    struct slice data;
    size_t total = 0, at = 0;

    while (at < in.len) {
        const size_t n = in.len - at < step ? in.len - at : step;
        struct slice part = slice_of((const char *)in.data + at, n);
        enum http_chunks_next next;
        while ((next = http_chunks_next(&c, &part, &data)) == HTTP_CHUNKS_DATA)
            total += data.len;
        at += n - part.len;
        if (next != HTTP_CHUNKS_MORE)
            break;
    }
    *ret_end = at;
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head, again;
    const struct slice in = slice_of(data, size);
    size_t one_end, all_end;

    const size_t len = read_head(in, &head);
    /* what is whole is whole without what follows, and nothing less is */
    if (len > 0) {
        must(read_head(slice_of(data, len), &again) == len);
        must(again.field_count == head.field_count);
        must(read_head(slice_of(data, len - 1), &again) == 0);
    }
    const struct slice rest = slice_of(data + len, size - len);
    must(read_chunks(rest, 1, &one_end) ==
         read_chunks(rest, size + 1, &all_end));
    must(one_end == all_end);
    return 0;
}
