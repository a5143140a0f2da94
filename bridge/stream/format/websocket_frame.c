#include "bridge/stream/format/websocket_frame.h"

#include <assert.h>

#define FIN 0x80
#define COMPRESSED 0x40 /* RSV1, RFC 7692 §6 */
#define REASON_MAX 123

static size_t write_head(char head[WEBSOCKET_HEAD_MAX], unsigned first,
                         uint64_t len)
{
    const size_t wide = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;

    head[0] = (char)first;
    head[1] = (char)(wide == 0 ? len : wide == 2 ? 126 : 127);
    for (size_t i = 0; i < wide; i++)
        head[2 + i] = (char)(len >> (8 * (wide - 1 - i)));
    return 2 + wide;
}

size_t websocket_write_head(char head[WEBSOCKET_HEAD_MAX],
                            enum websocket_opcode opcode, uint64_t len)
{
    return write_head(head, FIN | opcode, len);
}

void websocket_wrap(struct buffer *b, size_t start,
                    enum websocket_opcode opcode, bool is_compressed)
{
    const unsigned first = FIN | (is_compressed ? COMPRESSED : 0) | opcode;
    char head[WEBSOCKET_HEAD_MAX];

    if (!buffer_ok(b))
        return;
    const size_t len = b->len - start;
    const size_t head_len = write_head(head, first, len);
    if (!buffer_reserve(b, head_len))
        return;
    memmove(b->data + start + head_len, b->data + start, len);
    memcpy(b->data + start, head, head_len);
    b->len += head_len;
}

void websocket_put_frame(struct buffer *b, enum websocket_opcode opcode,
                         struct slice payload)
{
    char head[WEBSOCKET_HEAD_MAX];

    buffer_put(b, head, write_head(head, FIN | opcode, payload.len));
    buffer_put_slice(b, payload);
}

void websocket_put_close(struct buffer *b, uint16_t code, const char *reason)
{
    const size_t start = b->len;
    const char bytes[] = {(char)(code >> 8), (char)code};

    assert(strlen(reason) <= REASON_MAX);
    buffer_put(b, bytes, sizeof(bytes));
    buffer_put_str(b, reason);
    websocket_wrap(b, start, WEBSOCKET_CLOSE, false);
}
