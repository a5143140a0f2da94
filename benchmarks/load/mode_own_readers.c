/* Things with one reader each, published in turn: what a server pays for every
 * message going somewhere else. The sources of the ledger are the things: each
 * has one message under way at most. */
#include <stdio.h>
#include <string.h>

#include "benchmarks/load/audience.h"
#include "benchmarks/load/bystanders.h"
#include "benchmarks/load/http_client.h"
#include "benchmarks/load/ledger.h"
#include "benchmarks/load/modes.h"
#include "benchmarks/load/mqtt_publisher.h"
#include "benchmarks/load/naming.h"
#include "benchmarks/load/stopwatch.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum {
    PATIENCE_S = 10,
    LINGER_MS = 50,
    MESSAGES_MIN = 20000 /* fewer take no time that could be measured */
};

struct own_readers {
    const struct options *options;
    bool sse;
    uint64_t count; /* messages to be published in all */
    struct loop loop;
    struct ledger ledger;
    struct load_audience audience;

    /* SSE: --publishers connections with one POST outstanding on each */
    struct http_client *posters;
    struct bytes *heads; /* one for each thing */

    /* MQTT: one connection, --window messages under way */
    struct mqtt_publisher publisher;
    char **topics;
    unsigned next_answer; /* the thing whose PUBACK must come next */
};

/* Things take turns, so the ledger's count tells whose it is. */
static unsigned next_thing(const struct own_readers *w)
{
    return (unsigned)(w->ledger.published % w->options->things);
}

static bool may_publish(const struct own_readers *w)
{
    return w->ledger.published < w->count &&
           ledger_may_publish(&w->ledger, next_thing(w));
}

static void on_answer(struct http_client *h, const struct http_answer *a)
{
    struct own_readers *w = h->owner;

    if (a->status < 200 || a->status > 299)
        fatal("POST answered %u: %.*s", a->status, (int)a->len, a->body);
    ledger_answer(&w->ledger, h->tag, a->now_ns);
}

static void on_acknowledged(struct mqtt_publisher *p, int64_t now_ns)
{
    struct own_readers *w = p->owner;

    ledger_answer(&w->ledger, w->next_answer, now_ns);
    w->next_answer = (w->next_answer + 1) % (unsigned)w->options->things;
}

static void post_some(struct own_readers *w)
{
    for (unsigned i = 0; i < w->options->publishers && may_publish(w); i++) {
        struct http_client *h = &w->posters[i];

        if (h->busy)
            continue;
        h->tag = next_thing(w);
        const char *payload = ledger_publish(&w->ledger, h->tag, instant_ns());

        http_request(h, &w->heads[h->tag], payload, w->options->size);
    }
}

static void publish_some(struct own_readers *w)
{
    const struct ledger *l = &w->ledger;

    while (may_publish(w) &&
           l->published - l->deliveries < w->options->window) {
        const unsigned thing = next_thing(w);
        const char *payload = ledger_publish(&w->ledger, thing, instant_ns());

        mqtt_publisher_send(&w->publisher, w->topics[thing], payload,
                            w->options->size);
    }
}

static void open_posters(struct own_readers *w)
{
    const struct options *o = w->options;
    const struct sockaddr_in to = options_address("--http", o->http);
    char **paths = naming_expand_all(o->post_url, o);

    w->heads = must_zalloc(o->things, sizeof(*w->heads));
    for (unsigned i = 0; i < o->things; i++)
        http_put_head(&w->heads[i], "POST", paths[i], options_host(o->http),
                      o->size);
    w->posters = must_zalloc(o->publishers, sizeof(*w->posters));
    for (unsigned i = 0; i < o->publishers; i++) {
        w->posters[i].answered = on_answer;
        w->posters[i].owner = w;
        http_client_open(&w->posters[i], &w->loop, &to);
    }
    naming_free_all(paths, o);
}

static void open_publisher(struct own_readers *w)
{
    const struct options *o = w->options;
    const struct sockaddr_in to = options_address("--mqtt", o->mqtt);

    w->topics = naming_expand_all(o->topic, o);
    w->publisher.acknowledged = on_acknowledged;
    w->publisher.owner = w;
    mqtt_publisher_open(&w->publisher, &w->loop, &to, (unsigned)o->qos, 0);
}

static bool all_connected(const struct own_readers *w)
{
    if (!w->sse)
        return w->publisher.connected;
    for (unsigned i = 0; i < w->options->publishers; i++)
        if (!w->posters[i].connected)
            return false;
    return true;
}

/* Whole rounds over all readers. */
static uint64_t enough_messages(uint64_t readers)
{
    return (MESSAGES_MIN + readers - 1) / readers * readers;
}

static void wait_s(struct own_readers *w, double seconds)
{
    const int64_t until_ns = instant_ns() + (int64_t)(seconds * 1e9);

    while (instant_ns() < until_ns)
        loop_turn(&w->loop, until_ns);
}

static void run(struct own_readers *w, struct stopwatch *watch)
{
    struct ledger *l = &w->ledger;

    stopwatch_start(watch, instant_ns());
    while (l->published < w->count || !ledger_settled(l)) {
        if (w->sse)
            post_some(w);
        else
            publish_some(w);
        loop_turn(&w->loop, instant_ns() + NS_PER_MS);
        if (instant_ns() - l->progress_ns > PATIENCE_S * NS_PER_S)
            ledger_give_up(l);
    }
    stopwatch_stop(watch, l->progress_ns);
}

void mode_own_readers(const struct options *given)
{
    static struct own_readers w; /* its parts must not move */
    struct options o = *given;
    struct stopwatch watch = {0};

    if (strcmp(o.protocol, "sse") != 0 && strcmp(o.protocol, "mqtt") != 0)
        fatal("--protocol: sse or mqtt");
    if (o.readers == 0 || o.readers > PAYLOAD_SOURCES_MAX)
        fatal("--readers: 1 to %d", PAYLOAD_SOURCES_MAX);
    o.things = o.readers;
    w.options = &o;
    w.sse = strcmp(o.protocol, "sse") == 0;
    w.count = o.count > 0 ? o.count : enough_messages(o.readers);
    loop_init(&w.loop);
    ledger_init(&w.ledger, &(struct ledger_shape){
                               .sources = (unsigned)o.readers,
                               .window = 1,
                               .things = (unsigned)o.readers,
                               .answered = w.sse || o.qos > 0,
                               .await_deliveries = true,
                               .payload_size = o.size,
                           });
    bystanders_open(&o, &w.loop);
    audience_init(&w.audience, &o, w.sse ? PROTOCOL_HTTP : PROTOCOL_MQTT,
                  &w.loop, &w.ledger);
    audience_open(&w.audience, (unsigned)o.readers);
    if (w.sse)
        open_posters(&w);
    else
        open_publisher(&w);
    while (!all_connected(&w))
        wait_s(&w, 0.01);
    wait_s(&w, o.settle);
    w.ledger.progress_ns = instant_ns();
    run(&w, &watch);
    wait_s(&w, LINGER_MS / 1e3);

    const struct histogram *latency = &w.ledger.delivery_latency;

    printf("{\"mode\":\"own-readers\",\"ok\":true,\"unit\":\"deliveries/s\","
           "\"rate\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f,"
           "\"count\":%llu,\"seconds\":%.3f,\"protocol\":\"%s\","
           "\"readers\":%llu,\"qos\":%llu,\"size\":%llu,\"verified\":%llu,"
           "\"load_cpu\":%.2f}\n",
           (double)w.ledger.deliveries / stopwatch_seconds(&watch),
           histogram_us(latency, 0.5), histogram_us(latency, 0.99),
           (double)latency->max_ns / 1e3,
           (unsigned long long)w.ledger.deliveries, stopwatch_seconds(&watch),
           o.protocol, (unsigned long long)o.readers,
           (unsigned long long)o.qos, (unsigned long long)o.size,
           (unsigned long long)w.ledger.deliveries, stopwatch_cpu(&watch));
}
