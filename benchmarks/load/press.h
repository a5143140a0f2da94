/* All publishers of a run, HTTP, MQTT or NATS: source n of the ledger is connection
 * n here. */
#ifndef CONFAB_BENCHMARKS_LOAD_PRESS_H
#define CONFAB_BENCHMARKS_LOAD_PRESS_H

#include "benchmarks/load/http_client.h"
#include "benchmarks/load/jetstream.h"
#include "benchmarks/load/ledger.h"
#include "benchmarks/load/mqtt_publisher.h"
#include "benchmarks/load/options.h"
#include "benchmarks/load/traffic.h"

struct press {
    struct loop *loop;
    struct ledger *ledger;
    enum protocol protocol;
    unsigned count;
    struct sockaddr_in address;
    char **topics; /* MQTT, NATS: topics or subjects, one for each thing */
    struct bytes *heads; /* HTTP: request heads, one for each thing */
    uint64_t *last_ids;  /* HTTP: for each publisher, the id answered last */
    struct http_client *http;
    struct mqtt_publisher *mqtt;
    struct jetstream_publisher *nats;
};

/* Opens all connections and returns when they can publish. `p` must stay where
 * it is; `loop` and `ledger` are borrowed for good. */
void press_open(struct press *p, const struct traffic_plan *plan,
                const struct options *o, struct loop *loop,
                struct ledger *ledger);

/* Publishes the next message of `source`, dated `sent_ns`; the ledger must
 * allow it. */
void press_publish(struct press *p, unsigned source, int64_t sent_ns);

#endif
