#include "benchmarks/load/press.h"

#include <stdlib.h>

#include "benchmarks/load/naming.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

enum {
    OPENING_MAX = 64, /* as in audience.c */
    PATIENCE_S = 30
};

/* The number behind `"id":`, or 0 where the answer has none (nchan's). */
static uint64_t id_in(const char *body, size_t len)
{
    static const char mark[] = "\"id\":";
    const char *end = body + len;
    const char *at = memmem(body, len, mark, sizeof(mark) - 1);
    uint64_t id = 0;

    if (at == NULL)
        return 0;
    for (at += sizeof(mark) - 1; at < end && *at >= '0' && *at <= '9'; at++)
        id = id * 10 + (uint64_t)(*at - '0');
    return id;
}

static void on_answer(struct http_client *h, const struct http_answer *a)
{
    struct press *p = h->owner;
    const uint64_t id = id_in(a->body, a->len);

    if (a->status < 200 || a->status > 299)
        fatal("publisher %u: POST answered %u: %.*s", h->tag, a->status,
              (int)a->len, a->body);
    if (id > 0 && id <= p->last_ids[h->tag])
        fatal("publisher %u: id %llu after %llu", h->tag,
              (unsigned long long)id, (unsigned long long)p->last_ids[h->tag]);
    p->last_ids[h->tag] = id;
    ledger_answer(p->ledger, h->tag, a->now_ns);
}

static void on_acknowledged(struct mqtt_publisher *m, int64_t now_ns)
{
    struct press *p = m->owner;

    ledger_answer(p->ledger, m->tag, now_ns);
}

static void on_stored(struct jetstream_publisher *n, int64_t now_ns)
{
    struct press *p = n->owner;

    ledger_answer(p->ledger, n->tag, now_ns);
}

static void prepare_http(struct press *p, const struct options *o)
{
    char **paths = naming_expand_all(o->post_url, o);
    const char *to = o->post_http != NULL ? o->post_http : o->http;

    p->address = options_address("--http", to);
    p->heads = must_zalloc(o->things, sizeof(*p->heads));
    for (unsigned i = 0; i < o->things; i++)
        http_put_head(&p->heads[i], "POST", paths[i], options_host(to),
                      o->size);
    p->last_ids = must_zalloc(p->count, sizeof(*p->last_ids));
    p->http = must_zalloc(p->count, sizeof(*p->http));
    naming_free_all(paths, o);
}

static void prepare(struct press *p, const struct options *o)
{
    switch (p->protocol) {
    case PROTOCOL_HTTP: prepare_http(p, o); break;
    case PROTOCOL_MQTT:
        p->address = options_address("--mqtt", o->mqtt);
        p->topics = naming_expand_all(o->topic, o);
        p->mqtt = must_zalloc(p->count, sizeof(*p->mqtt));
        break;
    case PROTOCOL_NATS:
        p->address = options_address("--nats", o->nats);
        p->topics = naming_expand_all(o->subject, o);
        p->nats = must_zalloc(p->count, sizeof(*p->nats));
        break;
    }
}

static void open_one(struct press *p, unsigned i, unsigned qos)
{
    switch (p->protocol) {
    case PROTOCOL_HTTP:
        p->http[i].answered = on_answer;
        p->http[i].owner = p;
        p->http[i].tag = i;
        http_client_open(&p->http[i], p->loop, &p->address);
        break;
    case PROTOCOL_MQTT:
        p->mqtt[i].acknowledged = on_acknowledged;
        p->mqtt[i].owner = p;
        p->mqtt[i].tag = i;
        mqtt_publisher_open(&p->mqtt[i], p->loop, &p->address, qos, i);
        break;
    case PROTOCOL_NATS:
        p->nats[i].on_acknowledged = on_stored;
        p->nats[i].owner = p;
        p->nats[i].tag = i;
        jetstream_publisher_open(&p->nats[i], p->loop, &p->address, i);
        break;
    }
}

static bool connected(const struct press *p, unsigned i)
{
    switch (p->protocol) {
    case PROTOCOL_HTTP: return p->http[i].connected;
    case PROTOCOL_MQTT: return p->mqtt[i].connected;
    case PROTOCOL_NATS: return p->nats[i].client.connected;
    }
    return false;
}

void press_open(struct press *p, const struct traffic_plan *plan,
                const struct options *o, struct loop *loop,
                struct ledger *ledger)
{
    const int64_t give_up_ns = instant_ns() + PATIENCE_S * NS_PER_S;
    unsigned opened = 0;
    unsigned done = 0; /* the first so many are connected */

    *p = (struct press){
        .loop = loop,
        .ledger = ledger,
        .protocol = plan->publishers_by,
        .count = plan->publishers,
    };
    prepare(p, o);
    while (done < p->count) {
        while (opened < p->count && opened - done < OPENING_MAX)
            open_one(p, opened++, (unsigned)o->qos);
        loop_turn(loop, instant_ns() + 100 * NS_PER_MS);
        while (done < opened && connected(p, done))
            done++;
        if (instant_ns() > give_up_ns)
            fatal("the publishers could not connect within %d s", PATIENCE_S);
    }
}

void press_publish(struct press *p, unsigned source, int64_t sent_ns)
{
    const unsigned thing = ledger_thing(p->ledger, source);
    const char *payload = ledger_publish(p->ledger, source, sent_ns);
    const size_t size = p->ledger->format.size;

    switch (p->protocol) {
    case PROTOCOL_HTTP:
        http_request(&p->http[source], &p->heads[thing], payload, size);
        break;
    case PROTOCOL_MQTT:
        mqtt_publisher_send(&p->mqtt[source], p->topics[thing], payload, size);
        break;
    case PROTOCOL_NATS:
        jetstream_publish(&p->nats[source], p->topics[thing], payload, size);
        break;
    }
}
