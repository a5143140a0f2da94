/* bench_load: publishers and readers for SSE, HTTP, MQTT and NATS
 * servers, which
 * check every message and print one line of figures. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "benchmarks/load/modes.h"
#include "benchmarks/measure/fatal.h"

static const struct load_mode {
    const char *name;
    const char *help;
    void (*run)(const struct options *o);
    struct {
        const char *thing, *protocol;
        uint64_t readers, publishers, things, window, count;
        double rate;
    } defaults; /* 0 and NULL: as in options_default */
} modes[] = {
    {"mqtt-fanout",
     "MQTT publishers to one topic, W messages under way to all subscribers:\n"
     "                at QoS 1 until publisher and subscribers have their "
     "acknowledgements",
     mode_mqtt_fanout,
     {.readers = 1000}},
    {"mqtt-pairs",
     "a publisher and a subscriber for each thing, W messages under way for\n"
     "                each pair",
     mode_mqtt_pairs,
     {.things = 1000}},
    {"sse-fanout",
     "W connections with one POST outstanding each, published again when all\n"
     "                SSE readers have it",
     mode_sse_fanout,
     {.readers = 1000}},
    {"post",
     "connections POST over the things in turn, as fast as answers come;\n"
     "                SSE readers, if any, are spread over the things",
     mode_post,
     {.publishers = 64, .things = 100}},
    {"get",
     "connections read the last message of the things in turn (--what latest),\n"
     "                or the last --limit of the 1,000 each then has (history)",
     mode_get,
     {.publishers = 64}},
    {"mqtt-ingest",
     "publishers, a thing each, W in flight each: unacknowledged (QoS 1) or\n"
     "                not yet seen by the thing's one subscriber (QoS 0)",
     mode_mqtt_ingest,
     {.publishers = 8, .window = 128}},
    {"nats-ingest",
     "publishers to one JetStream stream in files, W unacknowledged each",
     mode_nats_ingest,
     {.publishers = 8, .window = 128}},
    {"own-readers",
     "a thing for each reader, published in turn, in whole rounds of together\n"
     "                20,000 messages or more (or --count); sse: --publishers\n"
     "                POST connections, mqtt: one publisher",
     mode_own_readers,
     {.readers = 9000, .publishers = 64, .window = 128}},
    {"latency",
     "messages at a fixed rate to one thing with many readers",
     mode_latency,
     {.readers = 1000, .publishers = 8, .rate = 50}},
    {"connect",
     "opens connections, --concurrency at a time, up to CONNACK or the first\n"
     "                bytes of an SSE stream, and closes them",
     mode_connect,
     {0}},
    {"preload",
     "stores --count messages, spread over the things, for what is measured\n"
     "                on the same server afterwards",
     mode_preload,
     {.window = 4096}},
    {"replay",
     "stores --count messages of one thing, then one reader reads them all;\n"
     "                --protocol ndjson or sse (stored over MQTT), or nats",
     mode_replay,
     {.thing = "replay", .protocol = "ndjson", .count = 200000}},
    {"idle",
     "opens idle readers and prints the server's memory for each",
     mode_idle,
     {.readers = 5000}},
};

static void help(void)
{
    fputs("usage: bench_load MODE [--option value]...\n\nmodes:\n", stdout);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        printf("  %-13s %s\n", modes[i].name, modes[i].help);
    fputs(
        "\nEvery delivery is checked: each payload byte, order, nothing lost, "
        "nothing doubled.\nA failed check prints {\"ok\":false,...} and exits "
        "with 1.\n\n",
        stdout);
    options_help(stdout);
}

static struct options options_of(const struct load_mode *mode)
{
    struct options o = options_default;

    if (mode->defaults.thing != NULL)
        o.thing = mode->defaults.thing;
    if (mode->defaults.protocol != NULL)
        o.protocol = mode->defaults.protocol;
    if (mode->defaults.readers > 0)
        o.readers = mode->defaults.readers;
    if (mode->defaults.publishers > 0)
        o.publishers = mode->defaults.publishers;
    if (mode->defaults.things > 0)
        o.things = mode->defaults.things;
    if (mode->defaults.window > 0)
        o.window = mode->defaults.window;
    if (mode->defaults.count > 0)
        o.count = mode->defaults.count;
    if (mode->defaults.rate > 0)
        o.rate = mode->defaults.rate;
    return o;
}

/* As many sockets as the machine lets us have. */
static void raise_open_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        fatal("getrlimit: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fatal("setrlimit: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        help();
        return argc < 2 ? 2 : 0;
    }
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) != 0)
            continue;
        struct options o = options_of(&modes[i]);

        options_parse(&o, argc, argv);
        raise_open_files();
        modes[i].run(&o);
        return 0;
    }
    fprintf(stderr, "bench_load: %s: unknown mode (see bench_load --help)\n",
            argv[1]);
    return 2;
}
