/* How fast connections come into being: opened C at a time, up to CONNACK or
 * the first bytes of a stream's answer, then closed. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "benchmarks/load/bystanders.h"
#include "benchmarks/load/loop.h"
#include "benchmarks/load/modes.h"
#include "benchmarks/load/naming.h"
#include "benchmarks/load/stopwatch.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/histogram.h"
#include "benchmarks/measure/instant.h"
#include "benchmarks/wire/mqtt_packet.h"

enum {
    PATIENCE_S = 10,
    /* Connections closed wait a minute in the kernel, and an address has
     * 28,000 ports: with so many addresses of 127.0.0.0/8 none runs out. */
    ADDRESSES = 64
};

struct connecting {
    const struct options *options;
    const struct conn_events *events;
    struct loop loop;
    struct sockaddr_in to;
    char *path; /* sse */
    struct arrival *done;
    uint64_t opened;
    uint64_t count; /* since the warm-up */
    int64_t progress_ns;
    struct histogram latency;
};

/* One of the C places. */
struct arrival {
    struct conn conn;
    struct connecting *all;
    int64_t begun_ns;
    bool answered;
    struct arrival *next_done;
};

/* Closed after the loop's turn, which still looks at the connection. */
static void finish(struct arrival *a, int64_t now_ns)
{
    struct connecting *all = a->all;

    a->answered = true;
    a->next_done = all->done;
    all->done = a;
    all->count++;
    all->progress_ns = now_ns;
    histogram_add(&all->latency, now_ns - a->begun_ns);
}

static size_t on_mqtt(struct conn *c, const char *data, size_t len,
                      int64_t now_ns)
{
    struct mqtt_packet p;
    const int found = mqtt_packet_next(data, len, &p);

    if (found == 0)
        return 0;
    if (found < 0 || p.type != MQTT_CONNACK || p.len != 2 || p.body[1] != 0 ||
        p.total != len)
        fatal("connect: not the CONNACK that was expected");
    finish((struct arrival *)c, now_ns);
    return len;
}

static size_t on_sse(struct conn *c, const char *data, size_t len,
                     int64_t now_ns)
{
    static const char start[] = "HTTP/1.1 200";
    const size_t start_len = sizeof(start) - 1;
    struct arrival *a = (struct arrival *)c;

    if (len < start_len)
        return 0;
    if (!a->answered) {
        if (memcmp(data, start, start_len) != 0)
            fatal("connect: %.*s", (int)len, data);
        finish(a, now_ns);
    }
    return len;
}

static void open_one(struct connecting *all, struct arrival *a)
{
    const struct in_addr from = {
        htonl(INADDR_LOOPBACK + (uint32_t)(all->opened % ADDRESSES))};
    char client_id[24];

    *a = (struct arrival){.all = all, .begun_ns = instant_ns()};
    if (all->path != NULL) {
        bytes_put_str(&a->conn.out, "GET ");
        bytes_put_str(&a->conn.out, all->path);
        bytes_put_str(&a->conn.out, " HTTP/1.1\r\nHost: ");
        bytes_put_str(&a->conn.out, options_host(all->options->http));
        bytes_put_str(&a->conn.out, "\r\nAccept: text/event-stream\r\n\r\n");
    } else {
        snprintf(client_id, sizeof(client_id), "c%d-%llu", (int)getpid(),
                 (unsigned long long)all->opened);
        mqtt_put_connect(&a->conn.out, client_id);
    }
    all->opened++;
    conn_open_from(&a->conn, &all->loop, from, &all->to, all->events);
}

/* An MQTT client says goodbye. */
static void close_one(struct connecting *all, struct arrival *a)
{
    if (all->path == NULL) {
        mqtt_put_disconnect(&a->conn.out);
        conn_send(&a->conn);
    }
    conn_close(&a->conn);
}

static void replace_done(struct connecting *all, bool go_on)
{
    while (all->done != NULL) {
        struct arrival *a = all->done;

        all->done = a->next_done;
        close_one(all, a);
        if (go_on)
            open_one(all, a);
    }
}

static void measure(struct connecting *all, struct stopwatch *watch)
{
    const struct options *o = all->options;
    struct arrival *places = must_zalloc(o->concurrency, sizeof(*places));
    bool go_on = true;

    all->progress_ns = instant_ns();
    stopwatch_set(watch, all->progress_ns, o->warmup, o->duration);
    for (unsigned i = 0; i < o->concurrency; i++)
        open_one(all, &places[i]);
    while (go_on) {
        loop_turn(&all->loop, instant_ns() + NS_PER_MS);
        const int64_t now_ns = instant_ns();

        switch (stopwatch_tick(watch, now_ns)) {
        case STOPWATCH_STARTED:
            all->count = 0;
            all->latency = (struct histogram){0};
            break;
        case STOPWATCH_STOPPED: go_on = false; break;
        case STOPWATCH_SAME: break;
        }
        replace_done(all, go_on);
        if (now_ns - all->progress_ns > PATIENCE_S * NS_PER_S)
            fatal("no connection was answered for %d s", PATIENCE_S);
    }
}

void mode_connect(const struct options *o)
{
    static const struct conn_events mqtt = {"connect", NULL, on_mqtt};
    static const struct conn_events sse = {"connect", NULL, on_sse};
    static struct connecting all; /* must not move */
    struct stopwatch watch;

    all.options = o;
    loop_init(&all.loop);
    if (strcmp(o->protocol, "mqtt") == 0) {
        all.events = &mqtt;
        all.to = options_address("--mqtt", o->mqtt);
    } else if (strcmp(o->protocol, "sse") == 0) {
        all.events = &sse;
        all.to = options_address("--http", o->http);
        all.path = naming_expand(o->listen_url, o, 0);
    } else {
        fatal("--protocol: mqtt or sse");
    }
    bystanders_open(o, &all.loop);
    measure(&all, &watch);
    printf("{\"mode\":\"connect\",\"ok\":true,\"unit\":\"connections/s\","
           "\"rate\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f,"
           "\"count\":%llu,\"seconds\":%.3f,\"protocol\":\"%s\","
           "\"concurrency\":%llu,\"load_cpu\":%.2f}\n",
           (double)all.count / stopwatch_seconds(&watch),
           histogram_us(&all.latency, 0.5), histogram_us(&all.latency, 0.99),
           (double)all.latency.max_ns / 1e3, (unsigned long long)all.count,
           stopwatch_seconds(&watch), o->protocol,
           (unsigned long long)o->concurrency, stopwatch_cpu(&watch));
}
