/* JetStream's side of mqtt-ingest: the acknowledgement of nats-server means
 * written to a file, not flushed. */
#include "benchmarks/load/jetstream.h"
#include "benchmarks/load/modes.h"
#include "benchmarks/load/traffic.h"

void mode_nats_ingest(const struct options *o)
{
    const struct sockaddr_in to = options_address("--nats", o->nats);
    struct options own_things = *o;
    struct loop loop;

    loop_init(&loop);
    jetstream_create(&loop, &to, o->token);
    own_things.things = o->publishers;
    traffic_run(
        &(struct traffic_plan){
            .mode = "nats-ingest",
            .publishers_by = PROTOCOL_NATS,
            .publishers = (unsigned)o->publishers,
            .window = (unsigned)o->window,
            .unit = "messages/s",
            .rate = o->rate,
        },
        &own_things);
}
