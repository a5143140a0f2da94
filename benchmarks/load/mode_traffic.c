/* The modes that publish, each a plan for traffic.c. */
#include <string.h>

#include "benchmarks/load/modes.h"
#include "benchmarks/load/traffic.h"
#include "benchmarks/measure/fatal.h"

void mode_mqtt_fanout(const struct options *o)
{
    const unsigned publishers = (unsigned)o->publishers;
    const unsigned window = (unsigned)o->window;
    const bool enough = window >= publishers; /* for one each */

    traffic_run(
        &(struct traffic_plan){
            .mode = "mqtt-fanout",
            .readers_by = PROTOCOL_MQTT,
            .readers = (unsigned)o->readers,
            .publishers_by = PROTOCOL_MQTT,
            .publishers = publishers,
            .window = enough ? window / publishers : 1,
            .wider = enough ? window % publishers : 0,
            .await_deliveries = true,
            .count_deliveries = true,
            .unit = "deliveries/s",
            .rate = o->rate,
        },
        o);
}

void mode_mqtt_pairs(const struct options *o)
{
    traffic_run(
        &(struct traffic_plan){
            .mode = "mqtt-pairs",
            .readers_by = PROTOCOL_MQTT,
            .readers = (unsigned)o->things,
            .publishers_by = PROTOCOL_MQTT,
            .publishers = (unsigned)o->things,
            .window = (unsigned)o->window,
            .await_deliveries = true,
            .count_deliveries = true,
            .unit = "deliveries/s",
            .rate = o->rate,
        },
        o);
}

static bool protocol_is_sse(const struct options *o)
{
    const bool sse = strcmp(o->protocol, "sse") == 0;

    if (!sse && strcmp(o->protocol, "mqtt") != 0)
        fatal("--protocol: sse or mqtt");
    return sse;
}

/* HTTP/1.1 has no window of its own: W connections with one POST each. */
void mode_sse_fanout(const struct options *o)
{
    traffic_run(
        &(struct traffic_plan){
            .mode = "sse-fanout",
            .readers_by = PROTOCOL_HTTP,
            .readers = (unsigned)o->readers,
            .publishers_by = PROTOCOL_HTTP,
            .publishers = (unsigned)o->window,
            .window = 1,
            .rotate = true,
            .await_deliveries = true,
            .count_deliveries = true,
            .unit = "deliveries/s",
            .rate = o->rate,
        },
        o);
}

void mode_post(const struct options *o)
{
    traffic_run(
        &(struct traffic_plan){
            .mode = "post",
            .readers_by = PROTOCOL_HTTP,
            .readers = (unsigned)o->readers,
            .publishers_by = PROTOCOL_HTTP,
            .publishers = (unsigned)o->publishers,
            .window = 1,
            .rotate = true,
            .unit = "posts/s",
            .rate = o->rate,
        },
        o);
}

void mode_mqtt_ingest(const struct options *o)
{
    struct options own_things = *o;
    const bool seen_by_readers = o->qos == 0;

    own_things.things = o->publishers;
    traffic_run(
        &(struct traffic_plan){
            .mode = "mqtt-ingest",
            .readers_by = PROTOCOL_MQTT,
            .readers =
                (unsigned)(seen_by_readers ? o->publishers : o->readers),
            .publishers_by = PROTOCOL_MQTT,
            .publishers = (unsigned)o->publishers,
            .window = (unsigned)o->window,
            .await_deliveries = seen_by_readers,
            .count_deliveries = seen_by_readers,
            .unit = "messages/s",
            .rate = o->rate,
        },
        &own_things);
}

/* The growth rows' first step: a server with so many messages and things. */
void mode_preload(const struct options *o)
{
    struct options stored = *o;

    if (o->count == 0)
        fatal("--count: how many messages?");
    stored.qos = 1;
    traffic_run(
        &(struct traffic_plan){
            .mode = "preload",
            .publishers_by = PROTOCOL_MQTT,
            .publishers = 1,
            .window = (unsigned)o->window,
            .rotate = true, /* by one: all things get as many */
            .unit = "messages/s",
        },
        &stored);
}

/* An MQTT publisher needs no answer before its next message: only a server
 * that is far behind makes it wait. */
void mode_latency(const struct options *o)
{
    const bool sse = protocol_is_sse(o);

    traffic_run(
        &(struct traffic_plan){
            .mode = "latency",
            .readers_by = sse ? PROTOCOL_HTTP : PROTOCOL_MQTT,
            .readers = (unsigned)o->readers,
            .publishers_by = sse ? PROTOCOL_HTTP : PROTOCOL_MQTT,
            .publishers = (unsigned)o->publishers,
            .window = sse ? 1 : 1000,
            .rotate = true,
            .await_deliveries = !sse,
            .count_deliveries = true,
            .unit = "deliveries/s",
            .rate = o->rate,
        },
        o);
}
