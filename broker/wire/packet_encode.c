/* All answers except CONNACK and PUBLISH. */
#include "broker/wire/packet_layout.h"

/* ---- acknowledgements ---------------------------------------------------- */

size_t packet_encode_ack(const struct packet_terms *terms,
                         enum packet_type type, uint16_t packet_id,
                         uint8_t reason, const struct packet_detail *detail,
                         uint8_t *to, size_t cap)
{
    uint8_t *const start = to;
    struct packet_layout l;

    assert(type >= PACKET_PUBACK && type <= PACKET_PUBCOMP);
    if (terms->version < PACKET_V5) {
        detail = NULL;
        reason = REASON_SUCCESS;
    }
    const struct packet_form form = {
        /* §3.4.2.1, §3.4.2.2.1 */
        .fixed = 3,
        .may_end = true,
        .ending = reason == REASON_SUCCESS ? 2 : 3,
    };
    if (!packet_lay_out(terms, &form, packet_wanted(terms, detail), cap, &l))
        return 0;
    to = wire_put_u16(packet_put_header(to, type, l.body), packet_id);
    if (l.body > 2)
        to = wire_put_u8(to, reason);
    if (l.body > 3) {
        to = wire_put_varint(to, l.properties);
        to = packet_put_detail(to, &l.detail);
    }
    return packet_written(start, to, l.body);
}

/* SUBACK and UNSUBACK (§3.9, §3.11) */
static size_t encode_reasons(const struct packet_terms *terms,
                             enum packet_type type, uint16_t packet_id,
                             const uint8_t *reasons, size_t count,
                             const struct packet_detail *detail, uint8_t *to,
                             size_t cap)
{
    uint8_t *const start = to;
    const struct packet_form form = {.fixed = 2 + count};
    struct packet_layout l;

    if (!packet_lay_out(terms, &form, packet_wanted(terms, detail), cap, &l))
        return 0;
    to = wire_put_u16(packet_put_header(to, type, l.body), packet_id);
    to = wire_put_varint(to, l.properties);
    to = packet_put_detail(to, &l.detail);
    to = wire_put_bytes(to, slice_of(reasons, count));
    return packet_written(start, to, l.body);
}

size_t packet_encode_suback(const struct packet_terms *terms,
                            uint16_t packet_id, const uint8_t *reasons,
                            size_t count, const struct packet_detail *detail,
                            uint8_t *to, size_t cap)
{
    uint8_t *const start = to;

    if (terms->version == PACKET_V5)
        return encode_reasons(terms, PACKET_SUBACK, packet_id, reasons, count,
                              detail, to, cap);
    if (packet_frame_size(2 + count) > packet_limit(terms, cap))
        return 0;
    to = packet_put_header(to, PACKET_SUBACK, 2 + count);
    to = wire_put_u16(to, packet_id);
    for (size_t i = 0; i < count; i++)
        to = wire_put_u8(to, reasons[i] < 0x80 ? reasons[i] : 0x80);
    return packet_written(start, to, 2 + count);
}

size_t packet_encode_unsuback(const struct packet_terms *terms,
                              uint16_t packet_id, const uint8_t *reasons,
                              size_t count, const struct packet_detail *detail,
                              uint8_t *to, size_t cap)
{
    uint8_t *const start = to;

    if (terms->version == PACKET_V5)
        return encode_reasons(terms, PACKET_UNSUBACK, packet_id, reasons,
                              count, detail, to, cap);
    if (packet_frame_size(2) > packet_limit(terms, cap))
        return 0;
    to = wire_put_u16(packet_put_header(to, PACKET_UNSUBACK, 2), packet_id);
    return packet_written(start, to, 2);
}

size_t packet_encode_pingresp(uint8_t *to, size_t cap)
{
    if (cap < 2)
        return 0;
    packet_put_header(to, PACKET_PINGRESP, 0);
    return 2;
}

/* ---- DISCONNECT and AUTH (§3.14, §3.15) ---------------------------------- */

size_t packet_encode_disconnect(const struct packet_terms *terms,
                                uint8_t reason, struct slice server_reference,
                                const struct packet_detail *detail,
                                uint8_t *to, size_t cap)
{
    uint8_t *const start = to;
    const struct packet_form form = {
        /* §3.14.2.1, §3.14.2.2.1 */
        .fixed = 1,
        .properties = wire_optional_size(server_reference),
        .may_end = true,
        .ending = reason == REASON_NORMAL_DISCONNECTION ? 0 : 1,
    };
    struct packet_layout l;

    if (terms->version < PACKET_V5)
        return 0; /* before MQTT 5 only clients send DISCONNECT */
    if (!packet_lay_out(terms, &form, detail, cap, &l))
        return 0;
    to = packet_put_header(to, PACKET_DISCONNECT, l.body);
    if (l.body > 0)
        to = wire_put_u8(to, reason);
    if (l.body > 1) {
        to = wire_put_varint(to, l.properties);
        to =
            wire_put_optional(to, PROPERTY_SERVER_REFERENCE, server_reference);
        to = packet_put_detail(to, &l.detail);
    }
    return packet_written(start, to, l.body);
}

size_t packet_encode_auth(const struct packet_terms *terms, uint8_t reason,
                          struct slice method, struct slice data,
                          const struct packet_detail *detail, uint8_t *to,
                          size_t cap)
{
    uint8_t *const start = to;
    const struct packet_form form = {
        .fixed = 1,
        .properties = wire_optional_size(method) + wire_optional_size(data),
    };
    struct packet_layout l;

    assert(method.data);
    if (terms->version < PACKET_V5)
        return 0;
    if (!packet_lay_out(terms, &form, packet_wanted(terms, detail), cap, &l))
        return 0;
    to = wire_put_u8(packet_put_header(to, PACKET_AUTH, l.body), reason);
    to = wire_put_varint(to, l.properties);
    to = wire_put_optional(to, PROPERTY_AUTH_METHOD, method);
    to = wire_put_optional(to, PROPERTY_AUTH_DATA, data);
    to = packet_put_detail(to, &l.detail);
    return packet_written(start, to, l.body);
}
