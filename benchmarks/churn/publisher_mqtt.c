#include <stdio.h>

#include "benchmarks/churn/mqtt.h"
#include "benchmarks/churn/payload.h"
#include "benchmarks/churn/publisher.h"
#include "benchmarks/churn/report.h"

static unsigned qos_of(const struct churn_publisher *p)
{
    switch (p->lane->kind) {
    case LANE_QOS0: return 0;
    case LANE_QOS2: return 2;
    case LANE_QOS1:
    case LANE_HTTP: break;
    }
    return 1;
}

void publisher_mqtt_send(struct churn_publisher *p, const struct pending *m,
                         bool again)
{
    struct bytes topic = {0}, payload = {0};

    bytes_put_str(&topic, world_token(p->world,
                                      p->lane->thing / p->world->room_things));
    bytes_put_str(&topic, "/");
    world_put_thing(&topic, p->world, p->lane->thing, "/");
    payload_put(&payload,
                &(struct churn_payload){p->number, m->number, m->sent_ns});
    mqtt_put_message(&p->socket.out,
                     &(struct mqtt_publish){
                         .qos = qos_of(p),
                         .packet_id = m->packet_id,
                         .topic = topic.data,
                         .topic_len = topic.len,
                         .payload = payload.data,
                         .payload_len = payload.len,
                     },
                     again);
    bytes_release(&topic);
    bytes_release(&payload);
}

/* §4.4: what is unfinished comes again, in its order. */
static void send_again(struct churn_publisher *p)
{
    for (unsigned i = 0; i < p->pending_count; i++) {
        const struct pending *m = &p->pending[i];

        if (m->received)
            mqtt_put_pubrel(&p->socket.out, m->packet_id);
        else
            publisher_mqtt_send(p, m, true);
    }
    socket_send_later(&p->socket);
}

static void take_connack(struct churn_publisher *p,
                         const struct mqtt_packet *k)
{
    bool stayed;

    if (!mqtt_let_in(k, &stayed)) {
        publisher_fail(p, "connection refused");
        return;
    }
    if (stayed != p->session) {
        publisher_fail(p, p->session ? "its session is gone"
                                     : "a session nobody asked for");
        p->session = stayed;
        return;
    }
    p->session = p->lane->kind == LANE_QOS2;
    send_again(p);
    publisher_arrived(p);
}

static struct pending *find(struct churn_publisher *p, unsigned packet_id)
{
    for (unsigned i = 0; i < p->pending_count; i++)
        if (p->pending[i].packet_id == packet_id)
            return &p->pending[i];
    return NULL;
}

static void acknowledged(struct churn_publisher *p)
{
    lane_acknowledge(p->lane);
    report.acknowledged++;
}

static void take_answer(struct churn_publisher *p, const struct mqtt_packet *k)
{
    struct pending *m = k->len == 2 ? find(p, mqtt_u16(k->body)) : NULL;

    if (m == NULL) {
        publisher_fail(p, "an answer to nothing");
    } else if (k->type == MQTT_PUBREC) {
        if (m > p->pending && !m[-1].received) {
            publisher_fail(p, "PUBREC out of order");
            return;
        }
        if (!m->received)
            acknowledged(p);
        m->received = true;
        mqtt_put_pubrel(&p->socket.out, m->packet_id);
        socket_send_later(&p->socket);
    } else if (m != p->pending || m->received != (k->type == MQTT_PUBCOMP)) {
        publisher_fail(p, "PUBACK or PUBCOMP out of order");
    } else {
        if (k->type == MQTT_PUBACK)
            acknowledged(p);
        publisher_forget_oldest(p);
    }
}

static size_t on_data(struct socket *s, const char *data, size_t len,
                      int64_t now_ns)
{
    struct churn_publisher *p = (struct churn_publisher *)s;
    struct mqtt_packet k;
    size_t used = 0;
    int found = 0;

    (void)now_ns;
    while (socket_is_open(s) &&
           (found = mqtt_packet_next(data + used, len - used, &k)) > 0) {
        used += k.total;
        if (p->state == PUBLISHER_COMING)
            take_connack(p, &k);
        else if (k.type == MQTT_PUBACK || k.type == MQTT_PUBREC ||
                 k.type == MQTT_PUBCOMP)
            take_answer(p, &k);
        else
            publisher_fail(p, "an unexpected packet");
    }
    if (found < 0)
        publisher_fail(p, "a malformed packet");
    return used;
}

static void on_open(struct socket *s)
{
    struct churn_publisher *p = (struct churn_publisher *)s;
    char client_id[24];

    snprintf(client_id, sizeof(client_id), "p%u", p->number);
    mqtt_put_login(&s->out, client_id,
                   world_token(p->world,
                               p->lane->thing / p->world->room_things),
                   p->lane->kind == LANE_QOS2);
}

void publisher_mqtt_open(struct churn_publisher *p)
{
    static const struct socket_events events = {on_open, on_data,
                                                publisher_lost};

    socket_open(&p->socket, &p->world->poll, &p->world->mqtt, &events, 0);
}
