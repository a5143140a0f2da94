/* A run with publishers and readers: opens them, publishes, checks, measures.
 * The modes that publish differ only in the plan they hand over here. */
#ifndef CONFAB_BENCHMARKS_LOAD_TRAFFIC_H
#define CONFAB_BENCHMARKS_LOAD_TRAFFIC_H

#include <stdbool.h>

#include "benchmarks/load/options.h"

enum protocol { PROTOCOL_HTTP, PROTOCOL_MQTT, PROTOCOL_NATS };

struct traffic_plan {
    const char *mode;
    enum protocol readers_by; /* PROTOCOL_HTTP: SSE; not PROTOCOL_NATS */
    unsigned readers;         /* spread over the things in turn */
    enum protocol publishers_by;
    unsigned publishers;
    unsigned window; /* messages under way per publisher */
    unsigned wider;  /* so many publishers may have one more */
    bool rotate;     /* a publisher takes the things in turn, else its own */
    bool await_deliveries; /* under way until all readers have it, else until
                              answered */
    bool count_deliveries; /* the rate is deliveries/s, else answers/s */
    const char *unit;      /* what the rate is called */
    double rate;           /* messages per second, 0: as fast as it goes */
};

/* Prints one line of JSON; ends the program when a check fails. */
void traffic_run(const struct traffic_plan *plan, const struct options *o);

#endif
