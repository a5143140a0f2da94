/* Everything one thing has, read once from the beginning: messages are stored
 * first, then the clock runs from the request to the last of them. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "benchmarks/load/bystanders.h"
#include "benchmarks/load/jetstream.h"
#include "benchmarks/load/ledger.h"
#include "benchmarks/load/modes.h"
#include "benchmarks/load/naming.h"
#include "benchmarks/load/ndjson_reader.h"
#include "benchmarks/load/press.h"
#include "benchmarks/load/sse_reader.h"
#include "benchmarks/load/stopwatch.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum { WINDOW = 4096, PATIENCE_S = 10, LINGER_MS = 50 };

struct load_replay {
    const struct options *options;
    struct loop loop;
    struct ledger ledger;
    struct reader_book book;
};

static void turn(struct load_replay *r)
{
    loop_turn(&r->loop, instant_ns() + 100 * NS_PER_MS);
    if (instant_ns() - r->ledger.progress_ns > PATIENCE_S * NS_PER_S)
        ledger_give_up(&r->ledger);
}

static void store(struct load_replay *r, enum protocol by)
{
    static struct press press; /* must not move */
    const struct traffic_plan plan = {.publishers_by = by, .publishers = 1};
    const uint64_t count = r->options->count;
    struct ledger *l = &r->ledger;

    press_open(&press, &plan, r->options, &r->loop, l);
    while (l->answers < count) {
        while (l->published < count && ledger_may_publish(l, 0))
            press_publish(&press, 0, instant_ns());
        turn(r);
    }
}

static void read_all(struct load_replay *r, struct stopwatch *watch)
{
    struct ledger *l = &r->ledger;

    while (!ledger_settled(l))
        turn(r);
    stopwatch_stop(watch, l->progress_ns);

    /* Time for a double to show. */
    const int64_t until_ns = instant_ns() + LINGER_MS * NS_PER_MS;

    while (instant_ns() < until_ns)
        loop_turn(&r->loop, until_ns);
}

static void read_ndjson(struct load_replay *r, struct stopwatch *watch)
{
    static struct ndjson_reader reader;
    const struct options *o = r->options;
    const struct sockaddr_in to = options_address("--http", o->http);

    reader.book = r->book;
    stopwatch_start(watch, instant_ns());
    ndjson_reader_open(&reader, &r->loop, &to, options_host(o->http),
                       naming_expand(o->history_url, o, 0), &r->ledger);
    read_all(r, watch);
}

static void read_sse(struct load_replay *r, struct stopwatch *watch)
{
    static struct sse_reader reader;
    static unsigned ready;
    const struct options *o = r->options;
    const struct sockaddr_in to = options_address("--http", o->http);
    const struct sse_target target = {
        .to = &to,
        .host = options_host(o->http),
        .ready_on_status = true,
        .from_start = true,
        .ledger = &r->ledger,
        .ready = &ready,
    };

    reader.book = r->book;
    stopwatch_start(watch, instant_ns());
    sse_reader_open(&reader, &r->loop, &target,
                    naming_expand(o->listen_url, o, 0));
    read_all(r, watch);
}

static void create_stream(struct load_replay *r)
{
    const struct sockaddr_in to = options_address("--nats", r->options->nats);

    jetstream_create(&r->loop, &to, r->options->thing);
}

static void read_nats(struct load_replay *r, struct stopwatch *watch)
{
    static struct jetstream_reader reader;
    const struct options *o = r->options;
    const struct sockaddr_in to = options_address("--nats", o->nats);

    reader.book = r->book;
    stopwatch_start(watch, instant_ns());
    jetstream_reader_open(&reader, &r->loop, &to, o->thing, &r->ledger);
    read_all(r, watch);
}

static const struct way {
    const char *protocol;
    enum protocol stored_by;
    void (*read)(struct load_replay *r, struct stopwatch *watch);
} ways[] = {
    {"ndjson", PROTOCOL_MQTT, read_ndjson},
    {"sse", PROTOCOL_MQTT, read_sse},
    {"nats", PROTOCOL_NATS, read_nats},
};

static const struct way *find_way(const char *protocol)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strcmp(ways[i].protocol, protocol) == 0)
            return &ways[i];
    fatal("--protocol: ndjson, sse or nats");
}

void mode_replay(const struct options *given)
{
    const struct way *way = find_way(given->protocol);
    static struct load_replay r; /* its parts must not move */
    struct options o = *given;
    struct stopwatch watch = {0};
    char thing[64];

    /* A thing nobody has published to: what it has must be what we sent. */
    snprintf(thing, sizeof(thing), "%.30s-%lld", o.thing,
             (long long)time(NULL) * 1000 + instant_ns() / NS_PER_MS % 1000);
    o.thing = thing;
    o.things = 1;
    o.qos = 1;
    o.subject = "{thing}.messages"; /* each stream has one thing */
    r.options = &o;
    loop_init(&r.loop);
    ledger_init(&r.ledger, &(struct ledger_shape){
                               .sources = 1,
                               .window = WINDOW,
                               .things = 1,
                               .answered = true,
                               .payload_size = o.size,
                           });
    bystanders_open(&o, &r.loop);
    ledger_add_reader(&r.ledger, &r.book, 0);
    r.ledger.progress_ns = instant_ns();
    if (way->stored_by == PROTOCOL_NATS)
        create_stream(&r);
    store(&r, way->stored_by);
    r.ledger.progress_ns = instant_ns();
    way->read(&r, &watch);
    printf("{\"mode\":\"replay\",\"ok\":true,\"unit\":\"messages/s\","
           "\"rate\":%.0f,\"count\":%llu,\"seconds\":%.4f,"
           "\"protocol\":\"%s\",\"size\":%llu,\"verified\":%llu,"
           "\"load_cpu\":%.2f}\n",
           (double)r.ledger.deliveries / stopwatch_seconds(&watch),
           (unsigned long long)r.ledger.deliveries, stopwatch_seconds(&watch),
           o.protocol, (unsigned long long)o.size,
           (unsigned long long)r.ledger.deliveries, stopwatch_cpu(&watch));
}
