/* One MQTT 3.1.1 connection that hands every message to the ledger. */
#ifndef CONFAB_BENCHMARKS_LOAD_MQTT_SUBSCRIBER_H
#define CONFAB_BENCHMARKS_LOAD_MQTT_SUBSCRIBER_H

#include "benchmarks/load/ledger.h"
#include "benchmarks/load/loop.h"

struct mqtt_target {
    const struct sockaddr_in *to;
    unsigned qos; /* asked for when subscribing, and what messages must have:
                     publishers use the same */
    struct ledger *ledger; /* NULL: nobody publishes, a message is an error */
    unsigned *ready;       /* counts the subscribers that have their SUBACK */
};

struct mqtt_subscriber {
    struct conn conn;
    const struct mqtt_target *target;
    struct reader_book book; /* the caller's to prepare */
    const char *topic;
};

/* `topic` is borrowed for good; `number` makes the client id unique. */
void mqtt_subscriber_open(struct mqtt_subscriber *s, struct loop *l,
                          const struct mqtt_target *target, const char *topic,
                          unsigned number);

#endif
