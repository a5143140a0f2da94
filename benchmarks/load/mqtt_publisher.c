#include "benchmarks/load/mqtt_publisher.h"

#include <stdio.h>
#include <unistd.h>

#include "benchmarks/measure/fatal.h"
#include "benchmarks/wire/mqtt_packet.h"

#define WHAT "MQTT publisher"

static uint16_t id_after(uint16_t id)
{
    return id == UINT16_MAX ? 1 : (uint16_t)(id + 1);
}

static void take_connack(struct mqtt_publisher *p, const struct mqtt_packet *k)
{
    if (k->len != 2 || k->body[1] != 0)
        fatal(WHAT ": connection refused, code %d",
              k->len == 2 ? k->body[1] : -1);
    p->connected = true;
}

static void take_puback(struct mqtt_publisher *p, const struct mqtt_packet *k,
                        int64_t now_ns)
{
    if (k->len != 2 || mqtt_u16(k->body) != p->next_ack)
        fatal(WHAT ": PUBACK for %u instead of %u: lost or out of order",
              k->len == 2 ? mqtt_u16(k->body) : 0, p->next_ack);
    p->next_ack = id_after(p->next_ack);
    p->acknowledged(p, now_ns);
}

static size_t on_data(struct conn *c, const char *data, size_t len,
                      int64_t now_ns)
{
    struct mqtt_publisher *p = (struct mqtt_publisher *)c;
    struct mqtt_packet k;
    size_t used = 0;
    int found;

    while ((found = mqtt_packet_next(data + used, len - used, &k)) > 0) {
        if (k.type == MQTT_CONNACK)
            take_connack(p, &k);
        else if (k.type == MQTT_PUBACK)
            take_puback(p, &k, now_ns);
        else
            fatal(WHAT ": unexpected packet type %d", (int)k.type);
        used += k.total;
    }
    if (found < 0)
        fatal(WHAT ": malformed packet");
    return used;
}

void mqtt_publisher_open(struct mqtt_publisher *p, struct loop *l,
                         const struct sockaddr_in *to, unsigned qos,
                         unsigned number)
{
    static const struct conn_events events = {WHAT, NULL, on_data};
    char client_id[24];

    p->qos = qos;
    p->next_id = 1;
    p->next_ack = 1;
    snprintf(client_id, sizeof(client_id), "p%d-%u", (int)getpid(), number);
    mqtt_put_connect(&p->conn.out, client_id);
    conn_open(&p->conn, l, to, &events);
}

void mqtt_publisher_send(struct mqtt_publisher *p, const char *topic,
                         const char *payload, size_t len)
{
    mqtt_put_publish(&p->conn.out, &(struct mqtt_publish){
                                       .qos = p->qos,
                                       .packet_id = p->next_id,
                                       .topic = topic,
                                       .topic_len = strlen(topic),
                                       .payload = payload,
                                       .payload_len = len,
                                   });
    if (p->qos > 0)
        p->next_id = id_after(p->next_id);
    conn_send_later(&p->conn);
}
