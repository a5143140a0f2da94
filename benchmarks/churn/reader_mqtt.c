#include "benchmarks/churn/fault.h"
#include "benchmarks/churn/mqtt.h"
#include "benchmarks/churn/reader.h"

static unsigned qos_of(const struct churn_reader *r)
{
    return r->kind == READER_MQTT0 || r->kind == READER_NEVER_MQTT ? 0 : 1;
}

static void subscribe(struct churn_reader *r)
{
    struct bytes filter = {0};

    if (r->group != NULL) {
        bytes_put_str(&filter, "$share/");
        bytes_put_str(&filter, r->group->name);
        bytes_put_str(&filter, "/");
    }
    bytes_put_str(&filter, world_token(r->world, r->room));
    bytes_put_str(&filter, "/");
    if (reader_has_room(r)) {
        bytes_put_str(&filter, "room");
        bytes_put_decimal(&filter, r->room);
        bytes_put_str(&filter, "/#");
    } else {
        world_put_thing(&filter, r->world, r->thing, "/");
    }
    bytes_put(&filter, "", 1);
    mqtt_put_subscribe(&r->socket.out, 1, filter.data, qos_of(r));
    socket_send_later(&r->socket);
    bytes_release(&filter);
}

static void take_connack(struct churn_reader *r, const struct mqtt_packet *k)
{
    bool stayed;

    if (!mqtt_let_in(k, &stayed)) {
        reader_fail(r, "connection refused, code %d",
                    k->len == 2 ? k->body[1] : -1);
    } else if (stayed != r->session) {
        reader_fail(r, r->session ? "its session is gone"
                                  : "a session nobody asked for");
    } else if (r->session) {
        reader_arrived(r); /* its subscription is there, too */
    } else {
        subscribe(r);
    }
}

static void take_suback(struct churn_reader *r, const struct mqtt_packet *k)
{
    if (k->len != 3 || k->body[2] != qos_of(r)) {
        reader_fail(r, "subscription refused");
        return;
    }
    r->session = reader_stays(r);
    reader_arrived(r);
}

static void take_publish(struct churn_reader *r, const struct mqtt_packet *k,
                         int64_t now_ns)
{
    struct mqtt_publish m;
    struct churn_payload p;

    if (!mqtt_publish_parse(k, &m)) {
        reader_fail(r, "a malformed PUBLISH");
        return;
    }
    if (m.qos > qos_of(r)) {
        reader_fail(r, "a PUBLISH with QoS %u", m.qos);
        return;
    }
    if (fault_strikes(FAULT_CORRUPT, reader_kind_name(r->kind)))
        ((char *)(uintptr_t)m.payload)[60 % m.payload_len] ^= 1;
    if (payload_read(m.payload, m.payload_len, &p) != m.payload_len) {
        reader_fail(r, "a payload nobody sent: %.*s",
                    (int)(m.payload_len < 120 ? m.payload_len : 120),
                    m.payload);
        return;
    }
    reader_take(r, &p, mqtt_is_again(k), now_ns);
    if (m.qos == 1) {
        mqtt_put_ack(&r->socket.out, MQTT_PUBACK, m.packet_id);
        socket_send_later(&r->socket);
    }
}

static size_t on_data(struct socket *s, const char *data, size_t len,
                      int64_t now_ns)
{
    struct churn_reader *r = (struct churn_reader *)s;
    struct mqtt_packet k;
    size_t used = 0;
    int found = 0;

    if (r->state == READER_LEAVING)
        return len; /* not acknowledged: as if it never came */
    while (socket_is_open(s) &&
           (found = mqtt_packet_next(data + used, len - used, &k)) > 0) {
        used += k.total;
        switch (k.type) {
        case MQTT_CONNACK: take_connack(r, &k); break;
        case MQTT_SUBACK: take_suback(r, &k); break;
        case MQTT_PUBLISH: take_publish(r, &k, now_ns); break;
        default: reader_fail(r, "an unexpected packet");
        }
    }
    if (found < 0)
        reader_fail(r, "a malformed packet");
    return used;
}

static void on_open(struct socket *s)
{
    struct churn_reader *r = (struct churn_reader *)s;

    mqtt_put_login(&s->out, r->name, world_token(r->world, r->room),
                   reader_stays(r));
    if (r->kind == READER_NEVER_MQTT) /* does not wait for an answer */
        subscribe(r);
}

void reader_mqtt_open(struct churn_reader *r, int receive_buffer)
{
    static const struct socket_events events = {on_open, on_data, reader_lost};

    socket_open(&r->socket, &r->world->poll, &r->world->mqtt, &events,
                receive_buffer);
}
