#include "benchmarks/load/mqtt_subscriber.h"

#include <stdio.h>
#include <unistd.h>

#include "benchmarks/measure/fatal.h"
#include "benchmarks/wire/mqtt_packet.h"

#define WHAT "MQTT subscriber"

static void take_connack(struct mqtt_subscriber *s,
                         const struct mqtt_packet *p)
{
    if (p->len != 2 || p->body[1] != 0)
        fatal(WHAT ": connection refused, code %d",
              p->len == 2 ? p->body[1] : -1);
    mqtt_put_subscribe(&s->conn.out, 1, s->topic, s->target->qos);
    conn_send_later(&s->conn);
}

static void take_suback(struct mqtt_subscriber *s, const struct mqtt_packet *p)
{
    if (p->len != 3 || p->body[2] != s->target->qos)
        fatal(WHAT ": subscription to %s with QoS %u answered with code %d",
              s->topic, s->target->qos, p->len == 3 ? p->body[2] : -1);
    ++*s->target->ready;
}

static void take_publish(struct mqtt_subscriber *s,
                         const struct mqtt_packet *p, int64_t now_ns)
{
    struct mqtt_publish m;

    if (!mqtt_publish_parse(p, &m) || m.topic_len != strlen(s->topic) ||
        memcmp(m.topic, s->topic, m.topic_len) != 0)
        fatal(WHAT ": a PUBLISH that is not for %s", s->topic);
    if (s->target->ledger == NULL)
        fatal(WHAT ": a message nobody sent on %s", s->topic);
    if (m.qos != s->target->qos) /* publishers use the same */
        fatal(WHAT ": QoS %u instead of %u", m.qos, s->target->qos);
    if (m.qos > 0 && m.packet_id == 0)
        fatal(WHAT ": a PUBLISH of QoS 1 without packet id");
    ledger_deliver(s->target->ledger, &s->book, m.payload, m.payload_len,
                   now_ns);
    if (m.qos == 1) {
        mqtt_put_ack(&s->conn.out, MQTT_PUBACK, m.packet_id);
        conn_send_later(&s->conn);
    }
}

static size_t on_data(struct conn *c, const char *data, size_t len,
                      int64_t now_ns)
{
    struct mqtt_subscriber *s = (struct mqtt_subscriber *)c;
    struct mqtt_packet p;
    size_t used = 0;
    int found;

    while ((found = mqtt_packet_next(data + used, len - used, &p)) > 0) {
        switch (p.type) {
        case MQTT_CONNACK: take_connack(s, &p); break;
        case MQTT_SUBACK: take_suback(s, &p); break;
        case MQTT_PUBLISH: take_publish(s, &p, now_ns); break;
        default: fatal(WHAT ": unexpected packet type %d", (int)p.type);
        }
        used += p.total;
    }
    if (found < 0)
        fatal(WHAT ": malformed packet");
    return used;
}

void mqtt_subscriber_open(struct mqtt_subscriber *s, struct loop *l,
                          const struct mqtt_target *target, const char *topic,
                          unsigned number)
{
    static const struct conn_events events = {WHAT, NULL, on_data};
    char client_id[24]; /* §3.1.3.1: servers must allow 23 bytes */

    s->target = target;
    s->topic = topic;
    snprintf(client_id, sizeof(client_id), "s%d-%u", (int)getpid(), number);
    mqtt_put_connect(&s->conn.out, client_id);
    conn_open(&s->conn, l, target->to, &events);
}
