/* One MQTT 3.1.1 connection that publishes at QoS 0 or 1. */
#ifndef CONFAB_BENCHMARKS_LOAD_MQTT_PUBLISHER_H
#define CONFAB_BENCHMARKS_LOAD_MQTT_PUBLISHER_H

#include "benchmarks/load/loop.h"

struct mqtt_publisher {
    struct conn conn;
    bool connected; /* CONNACK has come */
    unsigned qos;
    uint16_t next_id;  /* of the next PUBLISH */
    uint16_t next_ack; /* the PUBACK that must come next: MQTT-4.6.0-2 keeps
                          them in order */
    /* A PUBACK came; called for each, in order. */
    void (*acknowledged)(struct mqtt_publisher *p, int64_t now_ns);
    void *owner;  /* the user's, untouched */
    unsigned tag; /* likewise */
};

/* Sets everything but acknowledged, owner and tag, which are the caller's. */
void mqtt_publisher_open(struct mqtt_publisher *p, struct loop *l,
                         const struct sockaddr_in *to, unsigned qos,
                         unsigned number);

/* Leaves with the end of the loop's turn. At most 65,535 may be
 * unacknowledged. */
void mqtt_publisher_send(struct mqtt_publisher *p, const char *topic,
                         const char *payload, size_t len);

#endif
