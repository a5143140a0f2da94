#include "benchmarks/load/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "benchmarks/wire/payload.h"

const struct options options_default = {
    .token = "bench",
    .thing = "load",
    .post_url = "/{token}/chat/{thing}",
    .listen_url = "/{token}/chat/{thing}/listen",
    .latest_url = "/{token}/chat/{thing}/latest",
    .last_url = "/{token}/chat/{thing}/history?limit={limit}",
    .history_url = "/{token}/chat/{thing}/history?order=asc",
    .topic = "{token}/{thing}",
    .subject = "{token}.{thing}",
    .ready = "status",
    .protocol = "sse",
    .what = "latest",
    .publishers = 1,
    .things = 1,
    .window = 1,
    .concurrency = 64,
    .limit = 50,
    .size = 100,
    .duration = 5,
    .warmup = 1,
    .settle = 0.3,
};

enum option_kind { TEXT, WHOLE, REAL };

static const struct option {
    const char *name;
    enum option_kind kind;
    size_t at;
    double min, max; /* of numbers */
    const char *help;
} table[] = {
#define AT(field) offsetof(struct options, field)
    {"--http", TEXT, AT(http), 0, 0, "HOST:PORT of the HTTP server"},
    {"--mqtt", TEXT, AT(mqtt), 0, 0, "HOST:PORT of the MQTT server"},
    {"--nats", TEXT, AT(nats), 0, 0, "HOST:PORT of the NATS server"},
    {"--post-http", TEXT, AT(post_http), 0, 0,
     "HOST:PORT for publishers, where it is another than the readers'"},
    {"--token", TEXT, AT(token), 0, 0, "first part of topics and paths"},
    {"--thing", TEXT, AT(thing), 0, 0,
     "name; several are NAME-0, NAME-1, ..."},
    {"--post-url", TEXT, AT(post_url), 0, 0, "path to publish to"},
    {"--listen-url", TEXT, AT(listen_url), 0, 0, "path of the SSE stream"},
    {"--latest-url", TEXT, AT(latest_url), 0, 0, "path of the last message"},
    {"--last-url", TEXT, AT(last_url), 0, 0, "path of the last messages"},
    {"--history-url", TEXT, AT(history_url), 0, 0,
     "path of all messages, oldest first"},
    {"--topic", TEXT, AT(topic), 0, 0, "MQTT topic"},
    {"--subject", TEXT, AT(subject), 0, 0, "NATS subject"},
    {"--ready", TEXT, AT(ready), 0, 0,
     "an SSE reader is ready with its `status` event or its `head`"},
    {"--protocol", TEXT, AT(protocol), 0, 0,
     "sse or mqtt, where a mode has both"},
    {"--what", TEXT, AT(what), 0, 0, "get: latest or history"},
    {"--limit", WHOLE, AT(limit), 1, 1000, "get: messages in one answer"},
    {"--readers", WHOLE, AT(readers), 0, 1e6, "SSE readers or subscribers"},
    {"--publishers", WHOLE, AT(publishers), 1, PAYLOAD_SOURCES_MAX,
     "publishing (get: reading) connections"},
    {"--things", WHOLE, AT(things), 1, 1e6, "things the work is spread over"},
    {"--window", WHOLE, AT(window), 1, 65535,
     "W, messages under way; ingest and mqtt-pairs: of each publisher"},
    {"--qos", WHOLE, AT(qos), 0, 1, "of MQTT publishers and subscribers"},
    {"--size", WHOLE, AT(size), PAYLOAD_MIN, PAYLOAD_MAX, "payload bytes"},
    {"--count", WHOLE, AT(count), 0, 1e9,
     "publish so many messages instead of for a time; no warm-up"},
    {"--pid", WHOLE, AT(pid), 1, 1e9, "idle: the server's process"},
    {"--concurrency", WHOLE, AT(concurrency), 1, 10000,
     "connect: connections opened at a time"},
    {"--idle-connections", WHOLE, AT(idle_connections), 0, 1e6,
     "MQTT connections that are only there"},
    {"--foreign-subscriptions", WHOLE, AT(foreign_subscriptions), 0, 1e7,
     "to topics nobody publishes to"},
    {"--rate", REAL, AT(rate), 0, 1e6, "messages per second; 0: no pause"},
    {"--duration", REAL, AT(duration), 0.01, 1e5, "seconds measured"},
    {"--warmup", REAL, AT(warmup), 0, 1e5, "seconds before that"},
    {"--settle", REAL, AT(settle), 0, 1e3, "pause when all readers are ready"},
#undef AT
};

static void usage(const char *name, const char *problem)
{
    fprintf(stderr, "bench_load: %s: %s (see bench_load --help)\n", name,
            problem);
    exit(2);
}

static double number(const struct option *option, const char *text)
{
    char *end;

    errno = 0;
    const double value = option->kind == WHOLE
                             ? (double)strtoll(text, &end, 10)
                             : strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0')
        usage(option->name, "not a number");
    if (!(value >= option->min && value <= option->max))
        usage(option->name, "out of range");
    return value;
}

static void set(struct options *o, const struct option *option,
                const char *text)
{
    char *at = (char *)o + option->at;

    switch (option->kind) {
    case TEXT: memcpy(at, &text, sizeof(text)); break;
    case WHOLE:
        *(uint64_t *)(void *)at = (uint64_t)number(option, text);
        break;
    case REAL: *(double *)(void *)at = number(option, text); break;
    }
}

void options_parse(struct options *o, int argc, char **argv)
{
    const size_t known = sizeof(table) / sizeof(table[0]);

    for (int i = 2; i < argc; i += 2) {
        size_t k = 0;

        while (k < known && strcmp(argv[i], table[k].name) != 0)
            k++;
        if (k == known)
            usage(argv[i], "unknown option");
        if (i + 1 == argc)
            usage(argv[i], "its value is missing");
        set(o, &table[k], argv[i + 1]);
    }
}

static void print_default(FILE *to, const struct option *option)
{
    const char *at = (const char *)&options_default + option->at;
    const char *text;

    switch (option->kind) {
    case TEXT:
        memcpy(&text, at, sizeof(text));
        if (text != NULL)
            fprintf(to, " [%s]", text);
        break;
    case WHOLE:
        fprintf(to, " [%llu]",
                (unsigned long long)*(const uint64_t *)(const void *)at);
        break;
    case REAL: fprintf(to, " [%g]", *(const double *)(const void *)at); break;
    }
}

void options_help(FILE *to)
{
    fputs("options [value unless the mode says otherwise]:\n", to);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        fprintf(to, "  %-13s %s", table[i].name, table[i].help);
        print_default(to, &table[i]);
        fputc('\n', to);
    }
}

const char *options_host(const char *address)
{
    const char *slashes = strstr(address, "://");

    return slashes != NULL ? slashes + 3 : address;
}

struct sockaddr_in options_address(const char *name, const char *text)
{
    struct sockaddr_in result = {.sin_family = AF_INET};
    char host[64];

    if (text == NULL)
        usage(name, "this mode needs it");
    text = options_host(text);
    const char *colon = strrchr(text, ':');

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        usage(name, "not HOST:PORT");
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (inet_pton(AF_INET, host, &result.sin_addr) != 1)
        usage(name, "HOST must be an IPv4 address");

    char *end;
    const long port = strtol(colon + 1, &end, 10);

    if (end == colon + 1 || *end != '\0' || port < 1 || port > 65535)
        usage(name, "not a port");
    result.sin_port = htons((uint16_t)port);
    return result;
}
