#include "broker/wire/packet_wire.h"

/* Texts by identifier, made from the one table. */
static const struct {
    const char *twice;
    const char *misplaced;
    const char *not_flag;
    const char *zero;
} texts[64] = {
#define X(name, identifier, text)                                             \
    [identifier] = {text " given twice", text " is not allowed here",         \
                    text " is neither 0 nor 1", text " is 0"},
    PACKET_PROPERTIES(X)
#undef X
};

/* A Byte that may be 0 or 1. */
static bool read_flag(struct wire_in *in, uint8_t id, uint8_t *ret,
                      struct packet_error *ret_error)
{
    *ret = wire_u8(in);
    return *ret <= 1 || packet_protocol_error(ret_error, texts[id].not_flag);
}

/* Numbers for which 0 is a Protocol Error. A field that could not be read is
 * 0, too, but the reader reports that. */
static bool not_zero(const struct wire_in *in, uint8_t id, uint32_t v,
                     struct packet_error *ret_error)
{
    return v != 0 || in->error ||
           packet_protocol_error(ret_error, texts[id].zero);
}

/* `start` is the position of the identifier. */
static void read_user(struct wire_in *in, const uint8_t *start,
                      struct packet_user_block *user)
{
    wire_string(in); /* MQTT-1.5.7-1 */
    wire_string(in);
    if (!user->span.data)
        user->span.data = start;
    user->span.len = (size_t)(in->at - (const uint8_t *)user->span.data);
    user->size += (size_t)(in->at - start);
}

static bool read_value(struct wire_in *in, uint8_t id,
                       struct packet_properties *p,
                       struct packet_error *ret_error)
{
    struct packet_message_properties *m = &p->message;

    switch ((enum packet_property)id) {
    case PROPERTY_PAYLOAD_FORMAT:
        m->has_payload_format = true;
        return read_flag(in, id, &m->payload_format, ret_error);
    case PROPERTY_MESSAGE_EXPIRY:
        m->has_expiry = true;
        m->expiry_s = wire_u32(in);
        return true;
    case PROPERTY_CONTENT_TYPE: m->content_type = wire_string(in); return true;
    case PROPERTY_RESPONSE_TOPIC:
        m->response_topic = wire_string(in);
        return true;
    case PROPERTY_CORRELATION: m->correlation = wire_binary(in); return true;
    case PROPERTY_SUBSCRIPTION_ID:
        p->number.subscription_id = wire_varint(in);
        return not_zero(in, id, p->number.subscription_id, ret_error);
    case PROPERTY_SESSION_EXPIRY:
        p->number.session_expiry = wire_u32(in);
        return true;
    case PROPERTY_AUTH_METHOD:
        p->text.auth_method = wire_string(in);
        return true;
    case PROPERTY_AUTH_DATA: p->text.auth_data = wire_binary(in); return true;
    case PROPERTY_REQUEST_PROBLEM:
        return read_flag(in, id, &p->number.request_problem, ret_error);
    case PROPERTY_WILL_DELAY: p->number.will_delay = wire_u32(in); return true;
    case PROPERTY_REQUEST_RESPONSE:
        return read_flag(in, id, &p->number.request_response, ret_error);
    case PROPERTY_SERVER_REFERENCE: /* valid in DISCONNECT, ignored */
        wire_string(in);
        return true;
    case PROPERTY_REASON_STRING: p->text.reason = wire_string(in); return true;
    case PROPERTY_RECEIVE_MAXIMUM:
        p->number.receive_maximum = wire_u16(in);
        return not_zero(in, id, p->number.receive_maximum, ret_error);
    case PROPERTY_TOPIC_ALIAS_MAXIMUM:
        p->number.topic_alias_maximum = wire_u16(in);
        return true;
    case PROPERTY_TOPIC_ALIAS: /* 0 has its own reason code */
        p->number.topic_alias = wire_u16(in);
        return true;
    case PROPERTY_USER: read_user(in, in->at - 1, &p->user); return true;
    case PROPERTY_MAXIMUM_PACKET_SIZE:
        p->number.maximum_packet_size = wire_u32(in);
        return not_zero(in, id, p->number.maximum_packet_size, ret_error);
    }
    assert(false && "in texts[], so in the enum");
    return false;
}

/* The identifier is a Variable Byte Integer, but all existing ones have one
 * byte (§2.2.2.2): any other is unknown. */
static bool read_property(struct wire_in *in, uint64_t allowed,
                          struct packet_properties *p,
                          struct packet_error *ret_error)
{
    const uint8_t id = wire_u8(in);

    if (id >= 64 || !texts[id].twice)
        return packet_malformed(ret_error, "unknown property");
    if (!(allowed >> id & 1))
        return packet_malformed(ret_error, texts[id].misplaced);
    if ((p->present >> id & 1) && id != PROPERTY_USER)
        return packet_protocol_error(ret_error, texts[id].twice);
    p->present |= UINT64_C(1) << id;
    return read_value(in, id, p, ret_error);
}

void packet_properties_clear(struct packet_properties *p)
{
    p->present = 0;
    memset(&p->message, 0, sizeof(p->message));
    memset(&p->user, 0, sizeof(p->user));
    memset(&p->number, 0, sizeof(p->number));
    memset(&p->text, 0, sizeof(p->text));
}

bool packet_properties_read(struct wire_in *in, uint64_t allowed,
                            struct packet_properties *ret_properties,
                            struct packet_error *ret_error)
{
    packet_properties_clear(ret_properties);

    const size_t len = wire_varint(in);
    if (len > wire_left(in))
        return packet_malformed(ret_error,
                                "properties longer than the packet");
    struct wire_in block = wire_in_of(wire_bytes(in, len));

    while (wire_left(&block) > 0)
        if (!read_property(&block, allowed, ret_properties, ret_error))
            return false;
    if (block.error)
        return packet_malformed(ret_error, block.error);
    return true;
}

bool packet_message_check(const struct packet_message_properties *m,
                          struct slice payload, bool *ret_not_utf8,
                          struct packet_error *ret_error)
{
    /* MQTT-3.3.2-14; and like any topic name it is not empty: MQTT-4.7.3-1 */
    if (m->response_topic.data &&
        (m->response_topic.len == 0 || packet_has_wildcard(m->response_topic)))
        return packet_protocol_error(ret_error,
                                     "Response Topic is not a topic name");
    /* §3.3.2.3.2 requires well-formed UTF-8, not an Encoded String: U+0000
     * is allowed. */
    *ret_not_utf8 =
        m->payload_format == 1 && !utf8_valid(payload.data, payload.len);
    return true;
}

/* ---- walking user properties --------------------------------------------- */

struct packet_user_cursor packet_user_props(struct slice block)
{
    const uint8_t *p = block.data;
    return (struct packet_user_cursor){p, block.len ? p + block.len : p};
}

bool packet_user_props_next(struct packet_user_cursor *c,
                            struct packet_user_property *ret_property)
{
    while (c->at < c->end) {
        struct wire_in in = {c->at, c->end, NULL};
        const uint8_t id = wire_u8(&in);

        if (id == PROPERTY_USER) {
            ret_property->name = wire_binary(&in);
            ret_property->value = wire_binary(&in);
            ret_property->encoded = slice_of(c->at, (size_t)(in.at - c->at));
            c->at = in.at;
            return true;
        }
        struct packet_properties skipped;
        struct packet_error error;
        if (!read_value(&in, id, &skipped, &error))
            break;
        c->at = in.at;
    }
    return false;
}
