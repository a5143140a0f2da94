/* Stores messages and lets nobody read them: what a server holds before
 * something else is measured on it. */
#ifndef CONFAB_BENCHMARKS_LOAD_FILL_H
#define CONFAB_BENCHMARKS_LOAD_FILL_H

#include "benchmarks/load/loop.h"
#include "benchmarks/load/options.h"
#include "benchmarks/load/payload.h"
#include "benchmarks/load/stopwatch.h"

/* Publishes o->count messages over one MQTT connection at QoS 1, as fast as
 * acknowledgements come: message n of source 0, dated 0, to thing n modulo
 * o->things. Returns when all are acknowledged; `watch` tells how long that
 * took. Ends the program after 10 s without one more acknowledgement. */
void fill(const struct options *o, struct loop *loop,
          struct payload_format *format, struct stopwatch *watch);

#endif
