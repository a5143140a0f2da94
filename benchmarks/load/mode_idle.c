/* Memory of idle readers: some are opened first, so that what a server
 * allocates once, at the first connection, is not counted as theirs. */
#include <stdio.h>
#include <string.h>

#include "benchmarks/load/audience.h"
#include "benchmarks/load/bystanders.h"
#include "benchmarks/load/memory.h"
#include "benchmarks/load/modes.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum { FIRST = 100 };

static uint64_t memory_at_rest(struct loop *loop, const struct options *o)
{
    const int64_t until_ns = instant_ns() + (int64_t)(o->settle * 1e9);

    while (instant_ns() < until_ns)
        loop_turn(loop, until_ns);
    return memory_resident((pid_t)o->pid);
}

void mode_idle(const struct options *o)
{
    static struct load_audience a; /* must not move */
    static struct loop loop;
    const bool sse = strcmp(o->protocol, "sse") == 0;

    if (!sse && strcmp(o->protocol, "mqtt") != 0)
        fatal("--protocol: sse or mqtt");
    if (o->pid == 0)
        fatal("--pid: whose memory?");
    if (o->readers == 0)
        fatal("--readers: at least one");
    loop_init(&loop);
    bystanders_open(o, &loop);
    audience_init(&a, o, sse ? PROTOCOL_HTTP : PROTOCOL_MQTT, &loop, NULL);
    audience_open(&a, FIRST);
    const uint64_t before = memory_at_rest(&loop, o);

    audience_open(&a, (unsigned)o->readers);
    const uint64_t after = memory_at_rest(&loop, o);

    printf("{\"mode\":\"idle\",\"ok\":true,\"unit\":\"bytes per connection\","
           "\"rate\":%.0f,\"protocol\":\"%s\",\"readers\":%llu,"
           "\"before\":%llu,\"after\":%llu}\n",
           ((double)after - (double)before) / (double)o->readers, o->protocol,
           (unsigned long long)o->readers, (unsigned long long)before,
           (unsigned long long)after);
}
