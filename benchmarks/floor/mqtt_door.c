/* CONNECT, SUBSCRIBE to one topic, PUBLISH with QoS 0 or 1, for the load
 * generator and nobody else. What subscribers have not acknowledged is not
 * kept: the load generator's window bounds it, and nobody comes back. */
#include "benchmarks/floor/worker.h"
#include "benchmarks/wire/mqtt_packet.h"

static bool take_connect(struct floor_conn *c)
{
    static const char accepted[] = {MQTT_CONNACK << 4, 2, 0, 0};

    bytes_put(&c->out, accepted, sizeof(accepted));
    conn_queue(c);
    return true;
}

static bool take_subscribe(struct floor_conn *c, const struct mqtt_packet *p)
{
    if (p->len < 5)
        return false;
    const size_t topic_len = mqtt_u16(p->body + 2);

    if (p->len != 5 + topic_len)
        return false;
    const unsigned qos = p->body[4 + topic_len];

    if (qos > 1)
        return false;
    c->subscribe_id = mqtt_u16(p->body);
    c->granted_qos = qos;
    conn_follow(c, topic_of((const char *)p->body + 4, topic_len),
                qos == 1 ? FRAMING_MQTT_QOS1 : FRAMING_MQTT);
    return true;
}

/* In the order of the PUBLISHes [MQTT-4.6.0-2]; any first one will do. */
static bool take_puback(struct floor_conn *c, const struct mqtt_packet *p)
{
    if (p->len != 2 || c->granted_qos != 1)
        return false;
    const uint16_t id = (uint16_t)mqtt_u16(p->body);

    if (c->next_ack != 0 && id != c->next_ack)
        return false;
    c->next_ack = id == UINT16_MAX ? 1 : (uint16_t)(id + 1);
    return true;
}

static bool take_publish(struct floor_conn *c, const struct mqtt_packet *p)
{
    struct mqtt_publish m;
    struct topic *topic = c->last_topic;

    if (!mqtt_publish_parse(p, &m) || m.qos > 1)
        return false;
    if (topic == NULL || topic->len != m.topic_len ||
        memcmp(topic->name, m.topic, m.topic_len) != 0)
        topic = topic_of(m.topic, m.topic_len);
    c->last_topic = topic;
    conn_publish(c, topic, m.qos > 0, m.packet_id, m.payload, m.payload_len);
    return true;
}

static bool take_packet(struct floor_conn *c, const struct mqtt_packet *p)
{
    switch (p->type) {
    case MQTT_CONNECT: return take_connect(c);
    case MQTT_SUBSCRIBE: return take_subscribe(c, p);
    case MQTT_PUBLISH: return take_publish(c, p);
    case MQTT_PUBACK: return take_puback(c, p);
    default: return false;
    }
}

static ssize_t take(struct floor_conn *c, const char *data, size_t len)
{
    struct mqtt_packet p;
    size_t used = 0;
    int found;

    while ((found = mqtt_packet_next(data + used, len - used, &p)) > 0) {
        if (!take_packet(c, &p))
            return -1;
        used += p.total;
    }
    return found < 0 ? -1 : (ssize_t)used;
}

static void answer(struct floor_conn *c, const struct floor_entry *e)
{
    mqtt_put_ack(&c->out, MQTT_PUBACK, e->packet_id);
}

static void welcome(struct floor_conn *c)
{
    const char suback[] = {(char)(MQTT_SUBACK << 4), 3,
                           (char)(c->subscribe_id >> 8),
                           (char)(c->subscribe_id & 0xff),
                           (char)c->granted_qos};

    bytes_put(&c->out, suback, sizeof(suback));
}

const struct floor_door mqtt_door = {take, answer, welcome};
