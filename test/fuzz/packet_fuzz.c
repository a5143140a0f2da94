/* The MQTT codec: the first byte chooses the version and our maximum QoS, the
 * rest is what a client sent. Beside crashes it looks for broken promises: what
 * a decoder accepts must be walked through as often as it says, and a PUBLISH
 * written again must read the same. */
#include "test/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "broker/wire/packet_encode.h"
#include "broker/wire/reason.h"

/* Not assert(): a promise counts in every build. */
static void must(bool kept)
{
    if (!kept)
        abort();
}

static bool same(struct slice a, struct slice b)
{
    return !a.data == !b.data && slice_eq(a, b);
}

/* Copies user properties out of the span, as a forwarder does. */
static struct slice copy_user(const struct packet_user_block *user)
{
    struct packet_user_cursor it = packet_user_props(user->span);
    struct packet_user_property u;
    uint8_t *copy = malloc(user->size + 1);
    size_t len = 0;

    must(copy != NULL);
    while (packet_user_props_next(&it, &u)) {
        must(u.encoded.len == 5 + u.name.len + u.value.len);
        must(len + u.encoded.len <= user->size);
        memcpy(copy + len, u.encoded.data, u.encoded.len);
        len += u.encoded.len;
    }
    must(len == user->size);
    must((len == 0) == (user->span.data == NULL));
    return slice_of(copy, len);
}

static void check_same(const struct packet_publish *a,
                       const struct packet_publish *b, struct slice a_user)
{
    must(a->qos == b->qos && a->dup == b->dup && a->retain == b->retain);
    must(a->packet_id == b->packet_id && a->topic_alias == b->topic_alias);
    must(same(a->topic, b->topic) && same(a->payload, b->payload));
    must(a->payload_not_utf8 == b->payload_not_utf8);
    must(a->properties.has_payload_format == b->properties.has_payload_format);
    must(a->properties.payload_format == b->properties.payload_format);
    must(a->properties.has_expiry == b->properties.has_expiry);
    must(a->properties.expiry_s == b->properties.expiry_s);
    must(same(a->properties.content_type, b->properties.content_type));
    must(same(a->properties.response_topic, b->properties.response_topic));
    must(same(a->properties.correlation, b->properties.correlation));
    must(b->user.size == a_user.len && b->user.span.len == a_user.len);
    must(a_user.len == 0 ||
         memcmp(b->user.span.data, a_user.data, a_user.len) == 0);
}

static void write_again(const struct packet_publish *p,
                        const struct packet_terms *terms)
{
    const struct slice user = copy_user(&p->user);
    const struct publish_image image = {
        .version = terms->version,
        .qos = p->qos,
        .dup = p->dup,
        .retain = p->retain,
        .packet_id = p->packet_id,
        .topic = p->topic,
        .payload = p->payload,
        .properties = p->properties,
        .topic_alias = p->topic_alias,
        .user = user,
    };
    const size_t size = publish_image_size(&image);
    uint8_t *to = malloc(size);
    struct packet_frame f;
    struct packet_publish again;
    struct packet_error e;
    size_t packet_id_at;

    must(size > 0 && to != NULL);
    must(publish_image_write(&image, to, &packet_id_at) == size);
    must(p->qos == 0
             ? packet_id_at == 0
             : (to[packet_id_at] << 8 | to[packet_id_at + 1]) == p->packet_id);
    must(packet_frame(to, size, size, &f, &e) == PACKET_WHOLE);
    must(f.size == size);
    must(packet_decode_publish(&f, terms, &again, &e));
    check_same(p, &again, user);
    free(to);
    free((void *)user.data);
}

static void walk_filters(const struct packet_subscribe *s)
{
    struct packet_filter_cursor it = s->filters;
    struct packet_filter f;
    size_t count = 0;

    for (; packet_filter_next(&it, &f); count++)
        must(f.filter.len > 0 && f.qos <= 2 && f.retain_handling <= 2);
    must(count == s->count && count > 0 && s->packet_id != 0);
    free((void *)copy_user(&s->user).data);
}

static bool decode_connect(const struct packet_frame *f,
                           const struct packet_terms *terms,
                           struct packet_error *e)
{
    struct packet_connect c;

    if (!packet_decode_connect(f, terms->maximum_qos, &c, e)) {
        must(reason_allowed(e->reason, PACKET_CONNACK));
        return false;
    }
    must(c.version >= PACKET_V31 && c.version <= PACKET_V5);
    must(c.receive_maximum > 0 && c.maximum_packet_size > 0);
    must(c.client_id.data != NULL);
    must(!c.has_will || (c.will.topic.len > 0 && c.will.payload.data));
    must(!c.has_will || c.will.qos <= terms->maximum_qos);
    free((void *)copy_user(&c.user).data);
    free((void *)copy_user(&c.will.user).data);
    return true;
}

static bool decode(const struct packet_frame *f,
                   const struct packet_terms *terms, struct packet_error *e)
{
    struct packet_publish publish;
    struct packet_subscribe subscribe;
    struct packet_disconnect disconnect;
    struct packet_auth auth;
    struct packet_ack ack;
    bool ok;

    switch (f->type) {
    case PACKET_CONNECT: return decode_connect(f, terms, e);
    case PACKET_PUBLISH:
        ok = packet_decode_publish(f, terms, &publish, e);
        if (ok)
            write_again(&publish, terms);
        return ok;
    case PACKET_SUBSCRIBE:
        ok = packet_decode_subscribe(f, terms, &subscribe, e);
        if (ok)
            walk_filters(&subscribe);
        return ok;
    case PACKET_UNSUBSCRIBE:
        ok = packet_decode_unsubscribe(f, terms, &subscribe, e);
        if (ok)
            walk_filters(&subscribe);
        return ok;
    case PACKET_DISCONNECT:
        return packet_decode_disconnect(f, terms, &disconnect, e);
    case PACKET_AUTH:
        ok = packet_decode_auth(f, terms, &auth, e);
        must(!ok || auth.method.data);
        return ok;
    case PACKET_PINGREQ: return packet_decode_pingreq(f, terms, e);
    default:
        ok = packet_decode_ack(f, terms, &ack, e);
        must(!ok || ack.packet_id);
        return ok;
    }
}

/* Bytes of the first packet; 0: the connection ends here. */
static size_t one_packet(const uint8_t *data, size_t size,
                         const struct packet_terms *terms)
{
    struct packet_frame f, part;
    struct packet_error e = {0, NULL};

    const enum packet_framing framing =
        packet_frame(data, size, 1 << 20, &f, &e);
    if (framing == PACKET_BROKEN)
        must(e.text && reason_allowed(e.reason, PACKET_DISCONNECT));
    if (framing != PACKET_WHOLE)
        return 0;

    /* Alone in its memory; and with a byte less it is not there yet. */
    uint8_t *copy = malloc(f.size);
    must(copy != NULL);
    memcpy(copy, data, f.size);
    must(packet_frame(copy, f.size - 1, 1 << 20, &part, &e) == PACKET_MORE);
    must(packet_frame(copy, f.size, f.size, &f, &e) == PACKET_WHOLE);
    const bool ok = decode(&f, terms, &e);
    must(ok || (e.reason >= 0x80 && e.text));
    must(ok || f.type == PACKET_CONNECT ||
         reason_allowed(e.reason, PACKET_DISCONNECT));
    free(copy);
    return f.size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;

    const struct packet_terms terms = {
        .version = (uint8_t)(PACKET_V31 + data[0] % 3),
        .maximum_qos = data[0] & 0x80 ? 1 : 2,
        .topic_alias_maximum = 16,
        .maximum_packet_size = UINT32_MAX,
        .problem_information = true,
    };
    for (size_t at = 1; at < size;) {
        const size_t n = one_packet(data + at, size - at, &terms);
        if (n == 0)
            break;
        at += n;
    }
    return 0;
}
