/* PUBLISH to a client: first computes the size, then writes without checks. */
#include "broker/wire/packet_layout.h"

static size_t properties_size(const struct publish_image *image)
{
    const struct packet_message_properties *m = &image->properties;
    size_t size = image->user.len;

    if (m->has_payload_format)
        size += 1 + 1;
    if (m->has_expiry)
        size += 1 + 4;
    if (image->topic_alias)
        size += 1 + 2;
    size += wire_optional_size(m->response_topic) +
            wire_optional_size(m->correlation) +
            wire_optional_size(m->content_type);
    for (size_t i = 0; i < image->subscription_id_count; i++)
        size += 1 + wire_varint_size(image->subscription_ids[i]);
    return size + packet_pairs_size(image->extra, image->extra_count);
}

static uint8_t *put_properties(uint8_t *to, const struct publish_image *image)
{
    const struct packet_message_properties *m = &image->properties;

    if (m->has_payload_format)
        to = wire_put_u8(wire_put_u8(to, PROPERTY_PAYLOAD_FORMAT),
                         m->payload_format);
    if (m->has_expiry)
        to = wire_put_u32(wire_put_u8(to, PROPERTY_MESSAGE_EXPIRY),
                          m->expiry_s);
    if (image->topic_alias)
        to = wire_put_u16(wire_put_u8(to, PROPERTY_TOPIC_ALIAS),
                          image->topic_alias);
    to = wire_put_optional(to, PROPERTY_RESPONSE_TOPIC, m->response_topic);
    to = wire_put_optional(to, PROPERTY_CORRELATION, m->correlation);
    to = wire_put_optional(to, PROPERTY_CONTENT_TYPE, m->content_type);
    for (size_t i = 0; i < image->subscription_id_count; i++)
        to = wire_put_varint(wire_put_u8(to, PROPERTY_SUBSCRIPTION_ID),
                             image->subscription_ids[i]);
    to = wire_put_bytes(to, image->user);
    return packet_put_pairs(to, image->extra, image->extra_count);
}

/* Everything behind the fixed header. */
static size_t body_size(const struct publish_image *image,
                        size_t *ret_properties)
{
    size_t size =
        wire_string_size(image->topic) + image->stamp.len + image->payload.len;

    if (image->enclosed.data)
        size += wire_string_size(image->enclosed);
    if (image->qos > 0)
        size += 2;
    *ret_properties = 0;
    if (image->version == PACKET_V5) {
        *ret_properties = properties_size(image);
        size += wire_varint_size(*ret_properties) + *ret_properties;
    }
    return size;
}

size_t publish_image_size(const struct publish_image *image)
{
    size_t properties;
    const size_t body = body_size(image, &properties);

    return body <= WIRE_VARINT_MAX ? packet_frame_size(body) : 0;
}

size_t publish_image_write(const struct publish_image *image, uint8_t *to,
                           size_t *ret_packet_id_at)
{
    uint8_t *const start = to;
    size_t packet_id_at = 0, properties;
    const size_t body = body_size(image, &properties);

    to = wire_put_u8(to, (unsigned)PACKET_PUBLISH << 4 |
                             (unsigned)image->dup << 3 |
                             (unsigned)image->qos << 1 | image->retain);
    to = wire_put_varint(to, body);
    to = wire_put_string(to, image->topic);
    if (image->qos > 0) {
        packet_id_at = (size_t)(to - start);
        to = wire_put_u16(to, image->packet_id);
    }
    if (image->version == PACKET_V5) {
        to = wire_put_varint(to, properties);
        to = put_properties(to, image);
    }
    to = wire_put_bytes(to, image->stamp);
    if (image->enclosed.data)
        to = wire_put_string(to, image->enclosed);
    to = wire_put_bytes(to, image->payload);

    if (ret_packet_id_at)
        *ret_packet_id_at = packet_id_at;
    return packet_written(start, to, body);
}
