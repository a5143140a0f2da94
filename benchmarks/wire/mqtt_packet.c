#include "benchmarks/wire/mqtt_packet.h"

int mqtt_packet_next(const void *data, size_t len, struct mqtt_packet *ret_p)
{
    const uint8_t *bytes = data;
    size_t remaining = 0;
    size_t at = 1;

    for (unsigned shift = 0;; shift += 7) {
        if (shift > 21)
            return -1; /* §2.2.3: four bytes at most */
        if (at >= len)
            return 0;
        const uint8_t byte = bytes[at++];

        remaining |= (size_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            break;
    }
    if (len - at < remaining)
        return 0;
    ret_p->type = (enum mqtt_type)(bytes[0] >> 4);
    ret_p->flags = bytes[0] & 0x0f;
    ret_p->body = bytes + at;
    ret_p->len = remaining;
    ret_p->total = at + remaining;
    return 1;
}

unsigned mqtt_u16(const void *at)
{
    const uint8_t *bytes = at;

    return (unsigned)bytes[0] << 8 | bytes[1];
}

bool mqtt_publish_parse(const struct mqtt_packet *p,
                        struct mqtt_publish *ret_publish)
{
    const unsigned qos = p->flags >> 1 & 3;
    const size_t id_len = qos > 0 ? 2 : 0;

    if (p->type != MQTT_PUBLISH || p->len < 2)
        return false;
    const size_t topic_len = mqtt_u16(p->body);
    const size_t header = 2 + topic_len + id_len;

    if (p->len < header)
        return false;
    *ret_publish = (struct mqtt_publish){
        .qos = qos,
        .packet_id =
            id_len > 0 ? (uint16_t)mqtt_u16(p->body + 2 + topic_len) : 0,
        .topic = (const char *)p->body + 2,
        .topic_len = topic_len,
        .payload = (const char *)p->body + header,
        .payload_len = p->len - header,
    };
    return true;
}

static void put_header(struct bytes *to, enum mqtt_type type, unsigned flags,
                       size_t remaining)
{
    bytes_put_u8(to, (unsigned)type << 4 | flags);
    do {
        const unsigned more = remaining > 0x7f ? 0x80 : 0;

        bytes_put_u8(to, (unsigned)(remaining & 0x7f) | more);
        remaining >>= 7;
    } while (remaining > 0);
}

static void put_string(struct bytes *to, const char *s, size_t len)
{
    bytes_put_u16(to, (unsigned)len);
    bytes_put(to, s, len);
}

void mqtt_put_connect(struct bytes *to, const char *client_id)
{
    const size_t len = strlen(client_id);

    put_header(to, MQTT_CONNECT, 0, 12 + len);
    put_string(to, "MQTT", 4);
    bytes_put_u8(to, 4);    /* protocol level of 3.1.1 */
    bytes_put_u8(to, 0x02); /* clean session */
    bytes_put_u16(to, 0);   /* keep-alive off */
    put_string(to, client_id, len);
}

void mqtt_put_subscribe(struct bytes *to, unsigned packet_id,
                        const char *filter, unsigned qos)
{
    const size_t len = strlen(filter);

    put_header(to, MQTT_SUBSCRIBE, 2, 5 + len);
    bytes_put_u16(to, packet_id);
    put_string(to, filter, len);
    bytes_put_u8(to, qos);
}

void mqtt_put_publish(struct bytes *to, const struct mqtt_publish *publish)
{
    const size_t id_len = publish->qos > 0 ? 2 : 0;

    put_header(to, MQTT_PUBLISH, publish->qos << 1,
               2 + publish->topic_len + id_len + publish->payload_len);
    put_string(to, publish->topic, publish->topic_len);
    if (id_len > 0)
        bytes_put_u16(to, publish->packet_id);
    bytes_put(to, publish->payload, publish->payload_len);
}

void mqtt_put_disconnect(struct bytes *to)
{
    put_header(to, MQTT_DISCONNECT, 0, 0);
}

void mqtt_put_ack(struct bytes *to, enum mqtt_type type, unsigned packet_id)
{
    put_header(to, type, 0, 2);
    bytes_put_u16(to, packet_id);
}
