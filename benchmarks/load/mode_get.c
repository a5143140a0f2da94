/* Reading what is stored: messages are posted to each thing, then every answer
 * must carry exactly the last one, or the last --limit of them. */
#include <stdio.h>
#include <string.h>

#include "benchmarks/load/bystanders.h"
#include "benchmarks/load/history_body.h"
#include "benchmarks/load/http_client.h"
#include "benchmarks/load/modes.h"
#include "benchmarks/load/naming.h"
#include "benchmarks/load/stopwatch.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/histogram.h"
#include "benchmarks/measure/instant.h"
#include "benchmarks/wire/payload.h"

enum { PATIENCE_S = 10, HISTORY = 1000 /* messages a thing has */ };

struct get_run {
    const struct options *options;
    bool history;
    unsigned stored; /* messages each thing gets */
    struct loop loop;
    struct payload_format format;
    struct bytes *heads; /* GET requests, one for each thing */
    struct getter *getters;
    bool asking;
    uint64_t answers;
    int64_t progress_ns;
    struct histogram latency;
};

struct getter {
    struct http_client client;
    unsigned thing; /* asked for last */
    int64_t sent_ns;
    size_t payload_at; /* history_body.h */
};

/* The messages a thing has, from 0 to stored - 1, are of source 0, dated 0, and
 * numbered through all things. */
static uint32_t number_of(const struct get_run *r, unsigned thing, unsigned i)
{
    return thing * r->stored + i;
}

static const char *payload_of(struct get_run *r, unsigned thing, unsigned i)
{
    return payload_write(&r->format,
                         &(struct payload){.number = number_of(r, thing, i)});
}

static void ask(struct get_run *r, struct getter *g)
{
    g->thing = (g->thing + 1) % (unsigned)r->options->things;
    g->sent_ns = instant_ns();
    http_request(&g->client, &r->heads[g->thing], NULL, 0);
}

static void check_latest(struct get_run *r, const struct getter *g,
                         const struct http_answer *a)
{
    const char *payload = payload_of(r, g->thing, r->stored - 1);

    if (memmem(a->body, a->len, payload, r->format.size) == NULL)
        fatal("GET answered without the last message: %.*s", (int)a->len,
              a->body);
}

static void on_answer(struct http_client *h, const struct http_answer *a)
{
    struct getter *g = (struct getter *)h;
    struct get_run *r = h->owner;

    if (a->status != 200)
        fatal("GET answered %u: %.*s", a->status, (int)a->len, a->body);
    if (r->history)
        history_body_check(&r->format, a->body, a->len,
                           number_of(r, g->thing, r->stored - 1),
                           (unsigned)r->options->limit, &g->payload_at);
    else
        check_latest(r, g, a);
    r->answers++;
    r->progress_ns = a->now_ns;
    histogram_add(&r->latency, a->now_ns - g->sent_ns);
    if (r->asking)
        ask(r, g);
}

static void on_posted(struct http_client *h, const struct http_answer *a)
{
    struct get_run *r = h->owner;

    if (a->status < 200 || a->status > 299)
        fatal("POST answered %u: %.*s", a->status, (int)a->len, a->body);
    r->progress_ns = a->now_ns;
}

static void turn(struct get_run *r)
{
    loop_turn(&r->loop, instant_ns() + NS_PER_MS);
    if (instant_ns() - r->progress_ns > PATIENCE_S * NS_PER_S)
        fatal("no answer for %d s", PATIENCE_S);
}

static void post_all(struct get_run *r, const struct sockaddr_in *to)
{
    const struct options *o = r->options;
    char **paths = naming_expand_all(o->post_url, o);
    struct http_client poster = {.answered = on_posted, .owner = r};

    http_client_open(&poster, &r->loop, to);
    while (!poster.connected)
        turn(r);
    for (unsigned i = 0; i < o->things; i++) {
        struct bytes head = {0};

        http_put_head(&head, "POST", paths[i], options_host(o->http), o->size);
        for (unsigned k = 0; k < r->stored; k++) {
            http_request(&poster, &head, payload_of(r, i, k), o->size);
            while (poster.busy)
                turn(r);
        }
        bytes_release(&head);
    }
    conn_close(&poster.conn);
}

static void open_getters(struct get_run *r, const struct sockaddr_in *to)
{
    const struct options *o = r->options;
    char **paths =
        naming_expand_all(r->history ? o->last_url : o->latest_url, o);

    r->heads = must_zalloc(o->things, sizeof(*r->heads));
    for (unsigned i = 0; i < o->things; i++)
        http_put_head(&r->heads[i], "GET", paths[i], options_host(o->http), 0);
    r->getters = must_zalloc(o->publishers, sizeof(*r->getters));
    for (unsigned i = 0; i < o->publishers; i++) {
        struct getter *g = &r->getters[i];

        g->client.answered = on_answer;
        g->client.owner = r;
        g->thing = i % (unsigned)o->things;
        http_client_open(&g->client, &r->loop, to);
    }
    for (unsigned i = 0; i < o->publishers; i++)
        while (!r->getters[i].client.connected)
            turn(r);
}

static bool any_busy(const struct get_run *r)
{
    for (unsigned i = 0; i < r->options->publishers; i++)
        if (r->getters[i].client.busy)
            return true;
    return false;
}

static void measure(struct get_run *r, struct stopwatch *watch)
{
    const struct options *o = r->options;

    r->asking = true;
    r->progress_ns = instant_ns();
    stopwatch_set(watch, r->progress_ns, o->warmup, o->duration);
    for (unsigned i = 0; i < o->publishers; i++)
        ask(r, &r->getters[i]);
    while (r->asking) {
        turn(r);
        switch (stopwatch_tick(watch, instant_ns())) {
        case STOPWATCH_STARTED:
            r->answers = 0;
            r->latency = (struct histogram){0};
            break;
        case STOPWATCH_STOPPED: r->asking = false; break;
        case STOPWATCH_SAME: break;
        }
    }
}

void mode_get(const struct options *o)
{
    static struct get_run r; /* its parts must not move */
    const struct sockaddr_in to = options_address("--http", o->http);
    struct stopwatch watch;

    if (strcmp(o->what, "latest") != 0 && strcmp(o->what, "history") != 0)
        fatal("--what: latest or history");
    r.options = o;
    r.history = strcmp(o->what, "history") == 0;
    r.stored = r.history ? HISTORY : 1;
    r.progress_ns = instant_ns();
    loop_init(&r.loop);
    payload_format_init(&r.format, o->size);
    bystanders_open(o, &r.loop);
    post_all(&r, &to);
    open_getters(&r, &to);
    measure(&r, &watch);

    const uint64_t answers = r.answers;
    const struct histogram latency = r.latency;

    while (any_busy(&r)) /* the last answers are checked, too */
        turn(&r);
    printf("{\"mode\":\"get\",\"ok\":true,\"unit\":\"gets/s\",\"rate\":%.0f,"
           "\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f,\"count\":%llu,"
           "\"seconds\":%.3f,\"publishers\":%llu,\"things\":%llu,"
           "\"size\":%llu,\"what\":\"%s\",\"limit\":%llu,\"load_cpu\":%.2f}\n",
           (double)answers / stopwatch_seconds(&watch),
           histogram_us(&latency, 0.5), histogram_us(&latency, 0.99),
           (double)latency.max_ns / 1e3, (unsigned long long)answers,
           stopwatch_seconds(&watch), (unsigned long long)o->publishers,
           (unsigned long long)o->things, (unsigned long long)o->size, o->what,
           (unsigned long long)(r.history ? o->limit : 1),
           stopwatch_cpu(&watch));
}
