#include "bridge/stream/format/chunk.h"

#include <assert.h>
#include <string.h>

#define HEAD_MAX (2 * sizeof(size_t) + 2)

/* Writes `<length in hexadecimal>\r\n` at the end of `head`; returns its start. */
static const char *write_head(char head[HEAD_MAX], size_t len)
{
    char *at = head + HEAD_MAX;

    *--at = '\n';
    *--at = '\r';
    do {
        *--at = "0123456789abcdef"[len % 16];
        len /= 16;
    } while (len > 0);
    return at;
}

void chunk_wrap(struct buffer *b, size_t start)
{
    char text[HEAD_MAX];

    if (!buffer_ok(b))
        return;
    const size_t len = b->len - start;
    assert(len > 0); /* an empty chunk is the last one */
    const char *head = write_head(text, len);
    const size_t head_len = (size_t)(text + HEAD_MAX - head);
    if (!buffer_reserve(b, head_len + sizeof("\r\n")))
        return;
    memmove(b->data + start + head_len, b->data + start, len);
    memcpy(b->data + start, head, head_len);
    b->len += head_len;
    buffer_put_str(b, "\r\n");
}
