#include "bridge/payload.h"

#include <string.h>

static void put_on_one_line(struct buffer *b, struct slice json)
{
    const size_t start = b->len;

    buffer_put_slice(b, json);
    if (!buffer_ok(b))
        return;
    for (size_t i = start; i < b->len; i++)
        if (b->data[i] == '\r' || b->data[i] == '\n')
            b->data[i] = ' ';
}

void payload_put_json(struct buffer *b, struct slice payload,
                      enum payload_class cls, enum payload_style style)
{
    if (cls == PAYLOAD_JSON && payload.len > 0) {
        if (style == PAYLOAD_ONE_LINE)
            put_on_one_line(b, payload);
        else
            buffer_put_slice(b, payload);
    } else if (cls == PAYLOAD_BINARY && payload.len > 0) {
        buffer_put_str(b, "{\"$binary\":\"");
        buffer_put_base64(b, payload);
        buffer_put_str(b, "\"}");
    } else {
        buffer_put_json_string(b, payload);
    }
}
