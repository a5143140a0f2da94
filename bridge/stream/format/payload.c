#include "bridge/stream/format/payload.h"

#include <string.h>

static void put_on_one_line(struct buffer *b, struct slice json)
{
    static const char breaks[] = {'\r', '\n'};
    const size_t start = b->len;

    buffer_put_slice(b, json);
    if (!buffer_ok(b))
        return;
    /* Hardly any has one: memchr() looks at many bytes at once. */
    char *const end = b->data + b->len;
    for (size_t i = 0; i < sizeof(breaks); i++)
        for (char *at = b->data + start;
             (at = memchr(at, breaks[i], (size_t)(end - at))) != NULL;)
            *at++ = ' ';
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
