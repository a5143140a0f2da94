#include "broker/wire/packet_wire.h"

/* Connect Flags (MQTT 5 §3.1.2.3) */
enum {
    FLAG_RESERVED = 0x01,
    FLAG_CLEAN_START = 0x02,
    FLAG_WILL = 0x04,
    FLAG_WILL_QOS = 0x18,
    FLAG_WILL_RETAIN = 0x20,
    FLAG_PASSWORD = 0x40,
    FLAG_USER_NAME = 0x80
};

static const uint64_t connect_properties =
    PROPERTY_BIT(SESSION_EXPIRY) | PROPERTY_BIT(RECEIVE_MAXIMUM) |
    PROPERTY_BIT(MAXIMUM_PACKET_SIZE) | PROPERTY_BIT(TOPIC_ALIAS_MAXIMUM) |
    PROPERTY_BIT(REQUEST_RESPONSE) | PROPERTY_BIT(REQUEST_PROBLEM) |
    PROPERTY_BIT(USER) | PROPERTY_BIT(AUTH_METHOD) | PROPERTY_BIT(AUTH_DATA);

static const uint64_t will_properties =
    PROPERTY_BIT(WILL_DELAY) | PROPERTY_BIT(PAYLOAD_FORMAT) |
    PROPERTY_BIT(MESSAGE_EXPIRY) | PROPERTY_BIT(CONTENT_TYPE) |
    PROPERTY_BIT(RESPONSE_TOPIC) | PROPERTY_BIT(CORRELATION) |
    PROPERTY_BIT(USER);

/* mosquitto and other brokers set this bit in the level of 3.1.1 and 3.1
 * when they connect as a bridge. No standard defines it. Such a bridge has a
 * will for its state topic (sys_topics.h). */
#define LEVEL_BRIDGE 0x80

/* Reads name and level (MQTT-3.1.2-1, MQTT-3.1.2-2). Sets c->version to the
 * version to answer in, even if the level is not supported: then to 3.1.1,
 * whose return code 1 any client that calls itself MQTT understands; a
 * bridge then retries without its bit. */
static bool read_version(struct wire_in *in, struct packet_connect *c,
                         struct packet_error *ret_error)
{
    const struct slice name = wire_string(in);
    const uint8_t level = wire_u8(in);

    if (in->error)
        return packet_malformed(ret_error, in->error);
    if (slice_eq(name, slice_str("MQTT"))) {
        c->version = level == PACKET_V5 ? PACKET_V5 : PACKET_V311;
        c->bridge = level == (PACKET_V311 | LEVEL_BRIDGE);
        if (level == c->version || c->bridge)
            return true;
    } else if (slice_eq(name, slice_str("MQIsdp"))) {
        c->version = PACKET_V31;
        c->bridge = level == (PACKET_V31 | LEVEL_BRIDGE);
        if (level == c->version || c->bridge)
            return true;
    } else {
        return packet_refuse(ret_error, REASON_UNSUPPORTED_VERSION,
                             "protocol name is not MQTT");
    }
    return packet_refuse(ret_error, REASON_UNSUPPORTED_VERSION,
                         "protocol level is not 5, 4 (3.1.1) or 3 (3.1)");
}

static bool check_flags(uint8_t flags, uint8_t version, uint8_t maximum_qos,
                        struct packet_error *ret_error)
{
    const uint8_t will_qos = (uint8_t)((flags & FLAG_WILL_QOS) >> 3);

    /* MQTT-3.1.2-3; in 3.1 the bit was unused */
    if (version >= PACKET_V311 && (flags & FLAG_RESERVED))
        return packet_malformed(ret_error, "reserved Connect Flag");
    /* MQTT-3.1.2-11, MQTT-3.1.2-13 */
    if (!(flags & FLAG_WILL) && (flags & (FLAG_WILL_QOS | FLAG_WILL_RETAIN)))
        return packet_malformed(ret_error,
                                "Will QoS or Will Retain without a will");
    if (will_qos == 3) /* MQTT-3.1.2-12 */
        return packet_malformed(ret_error, "Will QoS is 3");
    /* MQTT-3.1.2-22 of 3.1.1; MQTT 5 allows it (§3.1.2.9) */
    if (version <= PACKET_V311 && (flags & FLAG_PASSWORD) &&
        !(flags & FLAG_USER_NAME))
        return packet_malformed(ret_error, "password without a user name");
    if (will_qos > maximum_qos) /* MQTT-3.2.2-12 */
        return packet_refuse(ret_error, REASON_QOS_NOT_SUPPORTED,
                             "Will QoS above the server's Maximum QoS");
    return true;
}

/* The property defaults of §3.1.2.11, which are also what 3.x implies,
 * except for the session: without Clean Session it never expires (§3.1.2.4
 * of 3.1.1). */
static void set_defaults(struct packet_connect *c)
{
    c->request_problem = true;
    c->receive_maximum = UINT16_MAX;
    c->maximum_packet_size = UINT32_MAX;
    if (c->version < PACKET_V5 && !c->clean_start)
        c->session_expiry_s = UINT32_MAX;
}

static bool read_properties(struct wire_in *in, struct packet_connect *c,
                            struct packet_error *ret_error)
{
    struct packet_properties p;

    if (!packet_properties_read(in, connect_properties, &p, ret_error))
        return false;
    if (packet_has(&p, PROPERTY_AUTH_DATA) &&
        !packet_has(&p, PROPERTY_AUTH_METHOD)) /* §3.1.2.11.10 */
        return packet_protocol_error(
            ret_error, "Authentication Data without Authentication Method");

    c->session_expiry_s = p.number.session_expiry;
    c->topic_alias_maximum = p.number.topic_alias_maximum;
    c->request_response = p.number.request_response;
    c->auth_method = p.text.auth_method;
    c->auth_data = p.text.auth_data;
    c->user = p.user;
    if (packet_has(&p, PROPERTY_RECEIVE_MAXIMUM))
        c->receive_maximum = p.number.receive_maximum;
    if (packet_has(&p, PROPERTY_MAXIMUM_PACKET_SIZE))
        c->maximum_packet_size = p.number.maximum_packet_size;
    if (packet_has(&p, PROPERTY_REQUEST_PROBLEM))
        c->request_problem = p.number.request_problem;
    return true;
}

static bool check_client_id(const struct packet_connect *c,
                            struct packet_error *ret_error)
{
    if (c->client_id.len > 0 || c->version == PACKET_V5)
        return true;
    /* MQTT-3.1.3-8 of 3.1.1; 3.1 requires at least one character. Its limit
     * of 23 is not enforced, as in other servers: longer ids are in use. */
    if (c->version == PACKET_V31 || !c->clean_start)
        return packet_refuse(ret_error, REASON_CLIENT_ID_INVALID,
                             "client identifier is empty");
    return true;
}

static bool read_will(struct wire_in *in, uint8_t flags,
                      struct packet_connect *c, struct packet_error *ret_error)
{
    struct packet_will *w = &c->will;
    struct packet_properties p;
    bool not_utf8;

    packet_properties_clear(&p);
    if (c->version == PACKET_V5 &&
        !packet_properties_read(in, will_properties, &p, ret_error))
        return false;
    w->qos = (uint8_t)((flags & FLAG_WILL_QOS) >> 3);
    w->retain = flags & FLAG_WILL_RETAIN;
    w->delay_s = p.number.will_delay;
    w->properties = p.message;
    w->user = p.user;
    w->topic = wire_string(in); /* MQTT-3.1.3-11 */
    w->payload = wire_binary(in);
    if (in->error)
        return packet_malformed(ret_error, in->error);

    if (w->topic.len == 0 || packet_has_wildcard(w->topic))
        return packet_refuse(ret_error, REASON_TOPIC_NAME_INVALID,
                             "Will Topic is empty or has a wildcard");
    if (!packet_message_check(&w->properties, w->payload, &not_utf8,
                              ret_error))
        return false;
    if (not_utf8) /* §3.1.3.2.3 */
        return packet_refuse(
            ret_error, REASON_PAYLOAD_FORMAT_INVALID,
            "will is not UTF-8, but its Payload Format Indicator says so");
    return true;
}

static void read_credentials(struct wire_in *in, uint8_t flags,
                             struct packet_connect *c)
{
    /* MQTT 3.1, section CONNECT: "Server implementations must allow for the
     * possibility that the User Name flag is set, but the User Name string is
     * missing", for clients of the original MQTT 3. */
    const bool may_be_missing = c->version == PACKET_V31;

    if ((flags & FLAG_USER_NAME) && !(may_be_missing && wire_left(in) == 0))
        c->user_name = wire_string(in); /* MQTT-3.1.3-12 */
    if ((flags & FLAG_PASSWORD) && !(may_be_missing && wire_left(in) == 0))
        c->password = wire_binary(in);
}

bool packet_decode_connect(const struct packet_frame *f, uint8_t maximum_qos,
                           struct packet_connect *ret_connect,
                           struct packet_error *ret_error)
{
    struct packet_connect *c = ret_connect;
    struct wire_in in = wire_in_of(f->body);

    *c = (struct packet_connect){0};
    if (!read_version(&in, c, ret_error) ||
        !packet_header_check(f, c->version, ret_error))
        return false;

    const uint8_t flags = wire_u8(&in);
    c->keep_alive_s = wire_u16(&in);
    if (in.error)
        return packet_malformed(ret_error, in.error);
    if (!check_flags(flags, c->version, maximum_qos, ret_error))
        return false;
    c->clean_start = flags & FLAG_CLEAN_START;
    c->has_will = flags & FLAG_WILL;
    set_defaults(c);
    if (c->version == PACKET_V5 && !read_properties(&in, c, ret_error))
        return false;

    /* The order of MQTT-3.1.3-1 */
    c->client_id = wire_string(&in); /* MQTT-3.1.3-3, MQTT-3.1.3-4 */
    if (in.error)
        return packet_malformed(ret_error, in.error);
    if (c->has_will && !read_will(&in, flags, c, ret_error))
        return false;
    read_credentials(&in, flags, c);
    return packet_end_check(&in, ret_error) && check_client_id(c, ret_error);
}
