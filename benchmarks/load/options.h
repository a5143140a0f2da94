/* What a run is asked to do. One table feeds parser and --help. */
#ifndef CONFAB_BENCHMARKS_LOAD_OPTIONS_H
#define CONFAB_BENCHMARKS_LOAD_OPTIONS_H

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>

struct options {
    const char *http;      /* HOST:PORT, a leading http:// is skipped */
    const char *mqtt;      /* HOST:PORT, a leading mqtt:// is skipped */
    const char *nats;      /* HOST:PORT, a leading nats:// is skipped */
    const char *post_http; /* NULL: as `http` */
    const char *token;
    const char *thing; /* several things are named THING-0, THING-1, … */
    const char *post_url;
    const char *listen_url;
    const char *latest_url;
    const char *last_url;
    const char *history_url;
    const char *topic;
    const char *subject;
    const char *ready;
    const char *protocol;
    const char *what;
    uint64_t readers;
    uint64_t publishers;
    uint64_t things;
    uint64_t window;
    uint64_t qos;
    uint64_t size;
    uint64_t count;
    uint64_t concurrency;
    uint64_t limit;
    uint64_t pid;
    uint64_t idle_connections;
    uint64_t foreign_subscriptions;
    double rate;
    double duration;
    double warmup;
    double settle;
};

/* What holds when neither the mode nor the command line says otherwise. */
extern const struct options options_default;

/* Overwrites in `o` what `argv` (from index 2, after the mode) gives. Unknown
 * options and bad values end the program with 2 and one line on stderr. Values
 * are borrowed from argv. */
void options_parse(struct options *o, int argc, char **argv);

void options_help(FILE *to);

/* `text` is the value of option `name`: NULL or malformed ends the program
 * with 2. */
struct sockaddr_in options_address(const char *name, const char *text);

/* `address` without its scheme: what goes into a Host header. */
const char *options_host(const char *address);

#endif
