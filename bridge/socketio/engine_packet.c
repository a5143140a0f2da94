#include "bridge/socketio/engine_packet.h"

#include "base/base64.h"
#include "base/utf8.h"

#define BASE64_MARK 'b'

bool engine_packet_read(struct slice text, struct engine_packet *ret_packet)
{
    if (text.len == 0)
        return false;
    const char *p = text.data;
    if (*p < '0' || *p >= '0' + ENGINE_PACKET_TYPES)
        return false;
    *ret_packet = (struct engine_packet){
        .type = (enum engine_packet_type)(*p - '0'),
        .data = slice_of(p + 1, text.len - 1),
    };
    return true;
}

static enum engine_payload_result read_base64(struct slice text,
                                              struct buffer *room,
                                              struct engine_packet *ret_packet)
{
    const size_t most = text.len / 4 * 3;

    buffer_clear(room);
    if (!buffer_reserve(room, most + 1)) /* so that data is never NULL */
        return ENGINE_PAYLOAD_NO_MEMORY;
    if (!base64_decode(text, BASE64, (unsigned char *)room->data, most,
                       &room->len)) {
        room->len = 0;
        return ENGINE_PAYLOAD_BROKEN;
    }
    *ret_packet = (struct engine_packet){
        .type = ENGINE_MESSAGE,
        .is_binary = true,
        .data = buffer_slice(room),
    };
    return ENGINE_PAYLOAD_PACKET;
}

enum engine_payload_result engine_payload_next(
    struct slice payload, size_t *at, struct buffer *room,
    struct engine_packet *ret_packet)
{
    const char *p = payload.data;

    if (*at > payload.len) /* behind the separator that is not there */
        return ENGINE_PAYLOAD_END;
    const char *from = p + *at;
    const size_t left = payload.len - *at;
    const char *end = left == 0 ? NULL : memchr(from, ENGINE_SEPARATOR, left);
    const struct slice text =
        slice_of(from, end == NULL ? left : (size_t)(end - from));

    *at += text.len + 1;
    if (text.len > 0 && *from == BASE64_MARK)
        return read_base64(slice_of(from + 1, text.len - 1), room, ret_packet);
    return engine_packet_read(text, ret_packet) &&
                   utf8_valid(text.data, text.len)
               ? ENGINE_PAYLOAD_PACKET
               : ENGINE_PAYLOAD_BROKEN;
}

void engine_packet_put(struct buffer *b, enum engine_packet_type type,
                       struct slice data)
{
    buffer_put_char(b, (char)('0' + type));
    buffer_put_slice(b, data);
}

void engine_payload_put(struct buffer *b, size_t start, struct slice packet,
                        bool is_binary)
{
    if (b->len > start)
        buffer_put_char(b, ENGINE_SEPARATOR);
    if (is_binary) {
        buffer_put_char(b, BASE64_MARK);
        buffer_put_base64(b, packet);
    } else {
        buffer_put_slice(b, packet);
    }
}
