/* The growth rows' first step: a server with so many messages and things. */
#include <stdio.h>

#include "benchmarks/load/fill.h"
#include "benchmarks/load/modes.h"
#include "benchmarks/measure/fatal.h"

void mode_preload(const struct options *o)
{
    struct loop loop;
    struct payload_format format;
    struct stopwatch watch = {0};

    if (o->count == 0)
        fatal("--count: how many messages?");
    loop_init(&loop);
    payload_format_init(&format, o->size);
    fill(o, &loop, &format, &watch);
    printf("{\"mode\":\"preload\",\"ok\":true,\"unit\":\"messages/s\","
           "\"rate\":%.0f,\"count\":%llu,\"seconds\":%.3f,\"things\":%llu,"
           "\"size\":%llu,\"load_cpu\":%.2f}\n",
           (double)o->count / stopwatch_seconds(&watch),
           (unsigned long long)o->count, stopwatch_seconds(&watch),
           (unsigned long long)o->things, (unsigned long long)o->size,
           stopwatch_cpu(&watch));
}
