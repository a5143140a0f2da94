#include "broker/wire/packet_wire.h"

/* The types that a server receives: 0 is reserved, and the others are sent
 * by servers only (MQTT 5 §2.1.2). */
static bool is_sent_by_clients(uint8_t type)
{
    switch (type) {
    case PACKET_CONNECT:
    case PACKET_PUBLISH:
    case PACKET_PUBACK:
    case PACKET_PUBREC:
    case PACKET_PUBREL:
    case PACKET_PUBCOMP:
    case PACKET_SUBSCRIBE:
    case PACKET_UNSUBSCRIBE:
    case PACKET_PINGREQ:
    case PACKET_DISCONNECT:
    case PACKET_AUTH: return true;
    default: return false;
    }
}

static enum packet_framing frame_broken(struct packet_error *ret_error,
                                        enum reason reason, const char *text)
{
    packet_refuse(ret_error, reason, text);
    return PACKET_BROKEN;
}

enum packet_framing packet_frame(const void *buf, size_t len, size_t max_size,
                                 struct packet_frame *ret_frame,
                                 struct packet_error *ret_error)
{
    const uint8_t *p = buf;
    size_t body_len = 0, at = 1;
    uint8_t byte;

    ret_frame->size = 0;
    if (len == 0)
        return PACKET_MORE;

    const uint8_t type = p[0] >> 4;
    if (type == 0)
        return frame_broken(ret_error, REASON_MALFORMED_PACKET,
                            "packet type 0 is reserved");
    if (!is_sent_by_clients(type))
        return frame_broken(ret_error, REASON_PROTOCOL_ERROR,
                            "packet type that only a server sends");

    do {
        if (at == len)
            return PACKET_MORE;
        byte = p[at];
        body_len |= (size_t)(byte & 0x7f) << (7 * (at - 1));
        if (at == 4 && (byte & 0x80))
            return frame_broken(ret_error, REASON_MALFORMED_PACKET,
                                "remaining length is longer than four bytes");
        at++;
    } while (byte & 0x80);

    ret_frame->size = at + body_len;
    if (ret_frame->size > max_size)
        return frame_broken(
            ret_error, REASON_PACKET_TOO_LARGE,
            "packet larger than the server's Maximum Packet Size");
    if (len < ret_frame->size)
        return PACKET_MORE;

    ret_frame->type = type;
    ret_frame->flags = p[0] & 0x0f;
    ret_frame->padded = byte == 0 && at > 2;
    ret_frame->body = slice_of(p + at, body_len);
    return PACKET_WHOLE;
}

bool packet_header_check(const struct packet_frame *f, uint8_t version,
                         struct packet_error *ret_error)
{
    /* 3.1 had no reserved flags: DUP may be set on SUBSCRIBE, UNSUBSCRIBE and
     * PUBREL, and the others' bits are "not used". */
    if (version >= PACKET_V311 && f->type != PACKET_PUBLISH) {
        /* MQTT-2.1.3-1, MQTT-3.6.1-1, MQTT-3.8.1-1, MQTT-3.10.1-1,
         * MQTT-3.14.1-1, MQTT-3.15.1-1; MQTT-2.2.2-1 and -2 of 3.1.1 */
        const uint8_t required = f->type == PACKET_PUBREL ||
                                         f->type == PACKET_SUBSCRIBE ||
                                         f->type == PACKET_UNSUBSCRIBE
                                     ? 0x02
                                     : 0x00;
        if (f->flags != required)
            return packet_malformed(
                ret_error, "reserved flags in the fixed header are wrong");
    }
    /* MQTT-1.5.5-1; 3.1.1 has no such rule, and some small clients always
     * use four bytes for the length. */
    if (version >= PACKET_V5 && f->padded)
        return packet_malformed(ret_error,
                                "remaining length has more bytes than needed");
    return true;
}

bool packet_end_check(const struct wire_in *in, struct packet_error *ret_error)
{
    if (in->error)
        return packet_malformed(ret_error, in->error);
    if (wire_left(in) > 0)
        return packet_malformed(ret_error, "bytes after the packet's end");
    return true;
}

bool packet_has_wildcard(struct slice name)
{
    static const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint8_t *p = name.data;
    size_t i = 0;

    /* '+' and '#' differ in bit 3 only. Eight bytes at a time: a byte that
     * became 0 borrows into its high bit, which was not set before. */
    for (; name.len - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, sizeof(word));
        word = (word | 0x08 * ones) ^ '+' * ones;
        if ((word - ones) & ~word & 0x80 * ones)
            return true;
    }
    for (; i < name.len; i++)
        if ((p[i] | 0x08) == '+')
            return true;
    return false;
}
