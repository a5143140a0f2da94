#include "broker/wire/packet_wire.h"

/* ---- PUBLISH (MQTT 5 §3.3) ----------------------------------------------- */

static const uint64_t publish_properties =
    PROPERTY_BIT(PAYLOAD_FORMAT) | PROPERTY_BIT(MESSAGE_EXPIRY) |
    PROPERTY_BIT(TOPIC_ALIAS) | PROPERTY_BIT(RESPONSE_TOPIC) |
    PROPERTY_BIT(CORRELATION) | PROPERTY_BIT(USER) |
    PROPERTY_BIT(SUBSCRIPTION_ID) | PROPERTY_BIT(CONTENT_TYPE);

static bool check_publish_flags(const struct packet_publish *p,
                                const struct packet_terms *terms,
                                struct packet_error *ret_error)
{
    if (p->qos == 3) /* MQTT-3.3.1-4 */
        return packet_malformed(ret_error, "PUBLISH with QoS 3");
    if (p->dup && p->qos == 0) /* MQTT-3.3.1-2 */
        return packet_malformed(ret_error, "DUP with QoS 0");
    if (p->qos > terms->maximum_qos) /* §3.2.2.3.4 */
        return packet_refuse(ret_error, REASON_QOS_NOT_SUPPORTED,
                             "QoS above the server's Maximum QoS");
    return true;
}

static bool read_publish_properties(struct wire_in *in,
                                    const struct packet_terms *terms,
                                    struct packet_publish *publish,
                                    struct packet_error *ret_error)
{
    struct packet_properties p;

    /* Most messages have none. */
    if (wire_left(in) > 0 && *in->at == 0) {
        in->at++;
        return true;
    }
    if (!packet_properties_read(in, publish_properties, &p, ret_error))
        return false;
    if (packet_has(&p, PROPERTY_SUBSCRIPTION_ID)) /* MQTT-3.3.4-6 */
        return packet_protocol_error(
            ret_error, "Subscription Identifier in a client's PUBLISH");
    /* MQTT-3.3.2-8, MQTT-3.3.2-9 */
    const uint16_t alias = p.number.topic_alias;
    if (packet_has(&p, PROPERTY_TOPIC_ALIAS) &&
        (alias == 0 || alias > terms->topic_alias_maximum))
        return packet_refuse(
            ret_error, REASON_TOPIC_ALIAS_INVALID,
            "Topic Alias is 0 or above the server's Topic Alias Maximum");
    publish->topic_alias = alias;
    publish->properties = p.message;
    publish->user = p.user;
    return true;
}

static bool check_topic(const struct packet_publish *p, uint8_t version,
                        struct packet_error *ret_error)
{
    if (p->topic.len == 0 && p->topic_alias == 0) {
        if (version == PACKET_V5) /* §3.3.2.1 */
            return packet_protocol_error(
                ret_error, "PUBLISH with neither topic nor Topic Alias");
        /* MQTT-4.7.3-1 */
        return packet_refuse(ret_error, REASON_TOPIC_NAME_INVALID,
                             "topic is empty");
    }
    if (packet_has_wildcard(p->topic)) /* MQTT-3.3.2-2 */
        return packet_refuse(ret_error, REASON_TOPIC_NAME_INVALID,
                             "wildcard in a topic name");
    return true;
}

bool packet_decode_publish(const struct packet_frame *f,
                           const struct packet_terms *terms,
                           struct packet_publish *ret_publish,
                           struct packet_error *ret_error)
{
    struct packet_publish *p = ret_publish;
    struct wire_in in = wire_in_of(f->body);

    /* In parts: clearing all of it costs more than decoding most messages. */
    p->qos = f->flags >> 1 & 3;
    p->dup = f->flags >> 3 & 1;
    p->retain = f->flags & 1;
    p->packet_id = 0;
    p->topic_alias = 0;
    p->properties = (struct packet_message_properties){0};
    p->user = (struct packet_user_block){0};
    if (!packet_header_check(f, terms->version, ret_error) ||
        !check_publish_flags(p, terms, ret_error))
        return false;

    p->topic = wire_string(&in); /* MQTT-3.3.2-1 */
    if (p->qos > 0)
        p->packet_id = wire_u16(&in);
    if (terms->version == PACKET_V5 &&
        !read_publish_properties(&in, terms, p, ret_error))
        return false;
    if (in.error)
        return packet_malformed(ret_error, in.error);
    if (p->qos > 0 && p->packet_id == 0) /* MQTT-2.2.1-3 */
        return packet_protocol_error(ret_error, "packet identifier 0");
    p->payload = wire_bytes(&in, wire_left(&in));
    return check_topic(p, terms->version, ret_error) &&
           packet_message_check(&p->properties, p->payload,
                                &p->payload_not_utf8, ret_error);
}

/* ---- SUBSCRIBE and UNSUBSCRIBE (§3.8, §3.10) ----------------------------- */

/* Subscription Options (§3.8.3.1). 3.1.1 has only the QoS; its other six
 * bits are reserved (MQTT-3-8.3-4 of 3.1.1). */
enum {
    OPTION_QOS = 0x03,
    OPTION_NO_LOCAL = 0x04,
    OPTION_RETAIN_AS_PUBLISHED = 0x08,
    OPTION_RETAIN_HANDLING = 0x30,
    OPTION_RESERVED = 0xc0,
    OPTION_RESERVED_3X = 0xfc
};

static bool is_shared(struct slice filter)
{
    static const char prefix[] = "$share/";
    return filter.len >= sizeof(prefix) - 1 &&
           memcmp(filter.data, prefix, sizeof(prefix) - 1) == 0;
}

static bool check_options(uint8_t options, struct slice filter,
                          uint8_t version, struct packet_error *ret_error)
{
    const uint8_t reserved =
        version == PACKET_V5 ? OPTION_RESERVED : OPTION_RESERVED_3X;

    if (options & reserved) /* MQTT-3.8.3-5 */
        return packet_malformed(
            ret_error, "reserved bits in the Subscription Options are set");
    if ((options & OPTION_QOS) == 3)
        return packet_protocol_error(ret_error, "subscription with QoS 3");
    if ((options & OPTION_RETAIN_HANDLING) == OPTION_RETAIN_HANDLING)
        return packet_protocol_error(ret_error, "Retain Handling is 3");
    if ((options & OPTION_NO_LOCAL) && is_shared(filter)) /* MQTT-3.8.3-4 */
        return packet_protocol_error(ret_error,
                                     "No Local on a shared subscription");
    return true;
}

static bool check_filters(struct wire_in *in, bool with_options,
                          uint8_t version, size_t *ret_count,
                          struct packet_error *ret_error)
{
    size_t count = 0;

    for (; wire_left(in) > 0; count++) {
        /* MQTT-3.8.3-1, MQTT-3.10.3-1 */
        const struct slice filter = wire_string(in);
        const uint8_t options = with_options ? wire_u8(in) : 0;
        if (in->error)
            break;
        if (filter.len == 0) /* MQTT-4.7.3-1 */
            return packet_malformed(ret_error, "topic filter is empty");
        if (!check_options(options, filter, version, ret_error))
            return false;
    }
    if (in->error)
        return packet_malformed(ret_error, in->error);
    if (count == 0) /* MQTT-3.8.3-2, MQTT-3.10.3-2 */
        return packet_protocol_error(ret_error, "no topic filter");
    *ret_count = count;
    return true;
}

static bool decode_filters(const struct packet_frame *f,
                           const struct packet_terms *terms,
                           uint64_t properties, struct packet_subscribe *s,
                           struct packet_error *ret_error)
{
    const bool with_options = f->type == PACKET_SUBSCRIBE;
    struct wire_in in = wire_in_of(f->body);
    struct packet_properties p;

    *s = (struct packet_subscribe){0};
    if (!packet_header_check(f, terms->version, ret_error))
        return false;
    s->packet_id = wire_u16(&in);
    if (terms->version == PACKET_V5) {
        if (!packet_properties_read(&in, properties, &p, ret_error))
            return false;
        s->subscription_id = p.number.subscription_id;
        s->user = p.user;
    }
    if (in.error)
        return packet_malformed(ret_error, in.error);
    if (s->packet_id == 0) /* MQTT-2.2.1-3 */
        return packet_protocol_error(ret_error, "packet identifier 0");
    s->filters = (struct packet_filter_cursor){in.at, in.end, with_options,
                                               with_options && terms->bridge};
    return check_filters(&in, with_options, terms->version, &s->count,
                         ret_error);
}

bool packet_decode_subscribe(const struct packet_frame *f,
                             const struct packet_terms *terms,
                             struct packet_subscribe *ret_subscribe,
                             struct packet_error *ret_error)
{
    assert(f->type == PACKET_SUBSCRIBE);
    return decode_filters(f, terms,
                          PROPERTY_BIT(SUBSCRIPTION_ID) | PROPERTY_BIT(USER),
                          ret_subscribe, ret_error);
}

bool packet_decode_unsubscribe(const struct packet_frame *f,
                               const struct packet_terms *terms,
                               struct packet_subscribe *ret_unsubscribe,
                               struct packet_error *ret_error)
{
    assert(f->type == PACKET_UNSUBSCRIBE);
    return decode_filters(f, terms, PROPERTY_BIT(USER), ret_unsubscribe,
                          ret_error);
}

bool packet_filter_next(struct packet_filter_cursor *c,
                        struct packet_filter *ret_filter)
{
    struct wire_in in = {c->at, c->end, NULL};

    if (c->at == c->end)
        return false;
    ret_filter->filter = wire_binary(&in);
    const uint8_t options = c->with_options ? wire_u8(&in) : 0;
    assert(!in.error); /* the decoder has checked this */
    ret_filter->qos = options & OPTION_QOS;
    /* A bridge would send its own messages back to where they came from. Not
     * in groups, which have no No Local (MQTT-3.8.3-4). */
    ret_filter->no_local = (options & OPTION_NO_LOCAL) ||
                           (c->bridge && !is_shared(ret_filter->filter));
    ret_filter->retain_as_published =
        (options & OPTION_RETAIN_AS_PUBLISHED) || c->bridge;
    ret_filter->retain_handling = (options & OPTION_RETAIN_HANDLING) >> 4;
    c->at = in.at;
    return true;
}

/* ---- PUBACK, PUBREC, PUBREL, PUBCOMP (§3.4-3.7) -------------------------- */

/* Reason code and properties, both of which may be absent at the end: common
 * to acknowledgements, DISCONNECT and AUTH. */
static bool read_reason(struct wire_in *in, const struct packet_frame *f,
                        uint64_t allowed, uint8_t *ret_reason,
                        struct packet_properties *ret_properties,
                        struct packet_error *ret_error)
{
    *ret_reason = wire_left(in) > 0 ? wire_u8(in) : REASON_SUCCESS;
    /* MQTT-3.4.2-1, -3.5.2-1, -3.6.2-1, -3.7.2-1, -3.14.2-1, -3.15.2-1 */
    if (!reason_allowed(*ret_reason, f->type))
        return packet_protocol_error(ret_error,
                                     "reason code unknown in this packet");
    if (wire_left(in) == 0)
        packet_properties_clear(ret_properties);
    else if (!packet_properties_read(in, allowed, ret_properties, ret_error))
        return false;
    return packet_end_check(in, ret_error);
}

bool packet_decode_ack(const struct packet_frame *f,
                       const struct packet_terms *terms,
                       struct packet_ack *ret_ack,
                       struct packet_error *ret_error)
{
    struct wire_in in = wire_in_of(f->body);
    struct packet_properties p;

    assert(f->type >= PACKET_PUBACK && f->type <= PACKET_PUBCOMP);
    *ret_ack = (struct packet_ack){0};
    if (!packet_header_check(f, terms->version, ret_error))
        return false;
    ret_ack->packet_id = wire_u16(&in);
    if (in.error)
        return packet_malformed(ret_error, in.error);
    if (ret_ack->packet_id == 0)
        return packet_protocol_error(ret_error, "packet identifier 0");
    /* The short form, the only one in 3.x. */
    if (wire_left(&in) == 0 || terms->version < PACKET_V5)
        return packet_end_check(&in, ret_error);

    if (!read_reason(&in, f, PROPERTY_BIT(REASON_STRING) | PROPERTY_BIT(USER),
                     &ret_ack->reason, &p, ret_error))
        return false;
    ret_ack->reason_string = p.text.reason;
    return true;
}

/* ---- DISCONNECT, AUTH, PINGREQ (§3.14, §3.15, §3.12) --------------------- */

bool packet_decode_disconnect(const struct packet_frame *f,
                              const struct packet_terms *terms,
                              struct packet_disconnect *ret_disconnect,
                              struct packet_error *ret_error)
{
    struct packet_disconnect *d = ret_disconnect;
    struct wire_in in = wire_in_of(f->body);
    struct packet_properties p;

    *d = (struct packet_disconnect){0};
    if (!packet_header_check(f, terms->version, ret_error))
        return false;
    if (terms->version < PACKET_V5)
        return packet_end_check(&in, ret_error);
    if (!read_reason(&in, f,
                     PROPERTY_BIT(SESSION_EXPIRY) |
                         PROPERTY_BIT(REASON_STRING) | PROPERTY_BIT(USER) |
                         PROPERTY_BIT(SERVER_REFERENCE),
                     &d->reason, &p, ret_error))
        return false;
    d->has_session_expiry = packet_has(&p, PROPERTY_SESSION_EXPIRY);
    d->session_expiry_s = p.number.session_expiry;
    d->reason_string = p.text.reason;
    return true;
}

bool packet_decode_auth(const struct packet_frame *f,
                        const struct packet_terms *terms,
                        struct packet_auth *ret_auth,
                        struct packet_error *ret_error)
{
    struct wire_in in = wire_in_of(f->body);
    struct packet_properties p;

    *ret_auth = (struct packet_auth){0};
    if (terms->version < PACKET_V5)
        return packet_malformed(ret_error, "packet type 15 is reserved");
    if (!packet_header_check(f, terms->version, ret_error) ||
        !read_reason(&in, f,
                     PROPERTY_BIT(AUTH_METHOD) | PROPERTY_BIT(AUTH_DATA) |
                         PROPERTY_BIT(REASON_STRING) | PROPERTY_BIT(USER),
                     &ret_auth->reason, &p, ret_error))
        return false;
    /* Only a server sends Success (table 3-11). */
    if (ret_auth->reason == REASON_SUCCESS)
        return packet_protocol_error(ret_error,
                                     "AUTH from a client with reason code 0");
    if (!packet_has(&p, PROPERTY_AUTH_METHOD)) /* §3.15.2.2.2 */
        return packet_protocol_error(ret_error,
                                     "AUTH without Authentication Method");
    ret_auth->method = p.text.auth_method;
    ret_auth->data = p.text.auth_data;
    ret_auth->reason_string = p.text.reason;
    return true;
}

bool packet_decode_pingreq(const struct packet_frame *f,
                           const struct packet_terms *terms,
                           struct packet_error *ret_error)
{
    const struct wire_in in = wire_in_of(f->body);

    return packet_header_check(f, terms->version, ret_error) &&
           packet_end_check(&in, ret_error);
}
