/* What the load generator can do. Each mode prints one line of JSON and
 * returns, or ends the program (measure/fatal.h). */
#ifndef CONFAB_BENCHMARKS_LOAD_MODES_H
#define CONFAB_BENCHMARKS_LOAD_MODES_H

#include "benchmarks/load/options.h"

void mode_mqtt_fanout(const struct options *o);
void mode_mqtt_pairs(const struct options *o);
void mode_sse_fanout(const struct options *o);
void mode_post(const struct options *o);
void mode_mqtt_ingest(const struct options *o);
void mode_nats_ingest(const struct options *o);
void mode_own_readers(const struct options *o);
void mode_latency(const struct options *o);
void mode_get(const struct options *o);
void mode_connect(const struct options *o);
void mode_preload(const struct options *o);
void mode_replay(const struct options *o);
void mode_idle(const struct options *o);

#endif
