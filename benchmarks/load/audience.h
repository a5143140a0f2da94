/* All readers of a run, SSE or MQTT. */
#ifndef CONFAB_BENCHMARKS_LOAD_AUDIENCE_H
#define CONFAB_BENCHMARKS_LOAD_AUDIENCE_H

#include "benchmarks/load/mqtt_subscriber.h"
#include "benchmarks/load/options.h"
#include "benchmarks/load/sse_reader.h"
#include "benchmarks/load/traffic.h"

struct load_audience {
    struct loop *loop;
    struct ledger *ledger; /* NULL: nobody publishes */
    enum protocol protocol;
    struct sockaddr_in address;
    unsigned opened, ready;
    char **names; /* paths or topics, one for each thing */
    unsigned things;
    struct sse_target sse;
    struct mqtt_target mqtt;
};

/* `a` must stay where it is; `loop` and `ledger` are borrowed for good. */
void audience_init(struct load_audience *a, const struct options *o,
                   enum protocol protocol, struct loop *loop,
                   struct ledger *ledger);

/* Opens `count` more readers, spread over the things in turn, a few at a time,
 * and returns when all are ready. Ends the program after 30 s without one more
 * becoming ready. */
void audience_open(struct load_audience *a, unsigned count);

#endif
