/* As much of MQTT 3.1.1's wire format as measuring takes: both the load
 * generator and the floor speak it. Pure: bytes in, fields out. */
#ifndef CONFAB_BENCHMARKS_WIRE_MQTT_PACKET_H
#define CONFAB_BENCHMARKS_WIRE_MQTT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "benchmarks/wire/bytes.h"

enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK = 2,
    MQTT_PUBLISH = 3,
    MQTT_PUBACK = 4,
    MQTT_SUBSCRIBE = 8,
    MQTT_SUBACK = 9,
    MQTT_PINGREQ = 12,
    MQTT_PINGRESP = 13,
    MQTT_DISCONNECT = 14
};

struct mqtt_packet {
    enum mqtt_type type;
    unsigned flags;      /* low four bits of the first byte */
    const uint8_t *body; /* borrowed from the bytes parsed */
    size_t len;
    size_t total; /* with the fixed header: where the next one begins */
};

/* The packet at the beginning of `data`: 1 found, 0 more bytes needed, -1 its
 * remaining length has more than four bytes. */
int mqtt_packet_next(const void *data, size_t len, struct mqtt_packet *ret_p);

struct mqtt_publish {
    unsigned qos;
    uint16_t packet_id; /* 0 for QoS 0 */
    const char *topic;  /* borrowed */
    size_t topic_len;
    const char *payload; /* borrowed */
    size_t payload_len;
};
bool mqtt_publish_parse(const struct mqtt_packet *p,
                        struct mqtt_publish *ret_publish);

unsigned mqtt_u16(const void *at); /* big-endian */

/* Append one packet. CONNECT: clean session, keep-alive off, no user name. */
void mqtt_put_connect(struct bytes *to, const char *client_id);
void mqtt_put_subscribe(struct bytes *to, unsigned packet_id,
                        const char *filter, unsigned qos);
void mqtt_put_publish(struct bytes *to, const struct mqtt_publish *publish);
void mqtt_put_disconnect(struct bytes *to);
/* PUBACK and everything else that is a packet id and no more. */
void mqtt_put_ack(struct bytes *to, enum mqtt_type type, unsigned packet_id);

#endif
