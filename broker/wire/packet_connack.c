/* CONNACK (MQTT 5 §3.2; 3.1.1 §3.2). */
#include "broker/wire/packet_layout.h"

/* Properties only a server sends (MQTT 5 §2.2.2.2). */
enum {
    ASSIGNED_CLIENT_ID = 0x12,
    SERVER_KEEP_ALIVE = 0x13,
    RESPONSE_INFORMATION = 0x1a,
    MAXIMUM_QOS = 0x24,
    RETAIN_AVAILABLE = 0x25,
    WILDCARDS_AVAILABLE = 0x28,
    SUBSCRIPTION_IDS_AVAILABLE = 0x29,
    SHARED_AVAILABLE = 0x2a
};

/* Return codes of 3.1.1 §3.2.2.3; -1: none. */
static int return_code(uint8_t reason)
{
    switch (reason) {
    case REASON_SUCCESS: return 0;
    case REASON_UNSUPPORTED_VERSION: return 1;
    case REASON_CLIENT_ID_INVALID: return 2;
    case REASON_SERVER_UNAVAILABLE:
    case REASON_SERVER_BUSY:
    case REASON_QUOTA_EXCEEDED:
    case REASON_CONNECTION_RATE_EXCEEDED: return 3;
    case REASON_BAD_CREDENTIALS: return 4;
    case REASON_NOT_AUTHORIZED:
    case REASON_BANNED:
    case REASON_BAD_AUTHENTICATION_METHOD: return 5;
    default: return -1;
    }
}

static size_t connack_properties_size(const struct packet_connack *c)
{
    size_t size = 0;

    if (c->has_session_expiry)
        size += 1 + 4;
    if (c->receive_maximum)
        size += 1 + 2;
    if (c->has_maximum_qos)
        size += 1 + 1;
    if (c->retain_unavailable)
        size += 1 + 1;
    if (c->maximum_packet_size)
        size += 1 + 4;
    if (c->topic_alias_maximum)
        size += 1 + 2;
    if (c->wildcards_unavailable)
        size += 1 + 1;
    if (c->subscription_ids_unavailable)
        size += 1 + 1;
    if (c->shared_unavailable)
        size += 1 + 1;
    if (c->has_server_keep_alive)
        size += 1 + 2;
    return size + wire_optional_size(c->assigned_client_id) +
           wire_optional_size(c->response_information) +
           wire_optional_size(c->server_reference) +
           wire_optional_size(c->auth_method) +
           wire_optional_size(c->auth_data);
}

static uint8_t *put_unavailable(uint8_t *to, uint8_t id, bool unavailable)
{
    return unavailable ? wire_put_u8(wire_put_u8(to, id), 0) : to;
}

static uint8_t *put_nonzero_u16(uint8_t *to, uint8_t id, uint16_t v)
{
    return v ? wire_put_u16(wire_put_u8(to, id), v) : to;
}

static uint8_t *put_connack_properties(uint8_t *to,
                                       const struct packet_connack *c)
{
    if (c->has_session_expiry)
        to = wire_put_u32(wire_put_u8(to, PROPERTY_SESSION_EXPIRY),
                          c->session_expiry_s);
    to = put_nonzero_u16(to, PROPERTY_RECEIVE_MAXIMUM, c->receive_maximum);
    if (c->has_maximum_qos)
        to = wire_put_u8(wire_put_u8(to, MAXIMUM_QOS), c->maximum_qos);
    to = put_unavailable(to, RETAIN_AVAILABLE, c->retain_unavailable);
    if (c->maximum_packet_size)
        to = wire_put_u32(wire_put_u8(to, PROPERTY_MAXIMUM_PACKET_SIZE),
                          c->maximum_packet_size);
    to = wire_put_optional(to, ASSIGNED_CLIENT_ID, c->assigned_client_id);
    to = put_nonzero_u16(to, PROPERTY_TOPIC_ALIAS_MAXIMUM,
                         c->topic_alias_maximum);
    to = put_unavailable(to, WILDCARDS_AVAILABLE, c->wildcards_unavailable);
    to = put_unavailable(to, SUBSCRIPTION_IDS_AVAILABLE,
                         c->subscription_ids_unavailable);
    to = put_unavailable(to, SHARED_AVAILABLE, c->shared_unavailable);
    if (c->has_server_keep_alive)
        to = wire_put_u16(wire_put_u8(to, SERVER_KEEP_ALIVE),
                          c->server_keep_alive_s);
    to = wire_put_optional(to, RESPONSE_INFORMATION, c->response_information);
    to = wire_put_optional(to, PROPERTY_SERVER_REFERENCE, c->server_reference);
    to = wire_put_optional(to, PROPERTY_AUTH_METHOD, c->auth_method);
    return wire_put_optional(to, PROPERTY_AUTH_DATA, c->auth_data);
}

static size_t encode_connack_3x(const struct packet_terms *terms,
                                const struct packet_connack *c, uint8_t *to,
                                size_t cap)
{
    const int code = return_code(c->reason);

    if (code < 0 || cap < 4)
        return 0;
    /* Session Present exists since 3.1.1; in 3.1 the byte is reserved. */
    const bool present =
        code == 0 && c->session_present && terms->version >= PACKET_V311;
    to = packet_put_header(to, PACKET_CONNACK, 2);
    to = wire_put_u8(to, present);
    wire_put_u8(to, (unsigned)code);
    return 4;
}

size_t packet_encode_connack(const struct packet_terms *terms,
                             const struct packet_connack *connack, uint8_t *to,
                             size_t cap)
{
    uint8_t *const start = to;
    const struct packet_form form = {
        .fixed = 2,
        .properties = connack_properties_size(connack),
    };
    struct packet_layout l;

    if (terms->version < PACKET_V5)
        return encode_connack_3x(terms, connack, to, cap);
    if (!packet_lay_out(terms, &form, &connack->detail, cap, &l))
        return 0;
    to = packet_put_header(to, PACKET_CONNACK, l.body);
    to = wire_put_u8(to, connack->session_present && !connack->reason);
    to = wire_put_u8(to, connack->reason);
    to = wire_put_varint(to, l.properties);
    to = put_connack_properties(to, connack);
    to = packet_put_detail(to, &l.detail);
    return packet_written(start, to, l.body);
}
