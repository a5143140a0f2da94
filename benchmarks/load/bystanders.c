#include "benchmarks/load/bystanders.h"

#include <stdio.h>
#include <unistd.h>

#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"
#include "benchmarks/wire/mqtt_packet.h"

#define WHAT "bystander"

enum {
    SUBSCRIBERS = 10, /* the foreign subscriptions are spread over so many, */
    SHARE_MAX = 2500, /* or more: brokers bound what one connection has */
    AT_A_TIME = 100,  /* SUBSCRIBEs of one connection under way */
    OPENING_MAX = 64, /* as in audience.c */
    PATIENCE_S = 30
};

struct bystander {
    struct conn conn;
    const char *token;
    unsigned *ready; /* counts those that have all their answers */
    unsigned first;  /* number of its first subscription */
    unsigned step;   /* from one of its subscriptions to the next */
    unsigned count;  /* of them; 0: it is idle */
    unsigned asked, granted;
};

static void write_filter(char *to, size_t size, const char *token, unsigned n)
{
    switch (n % 9) {
    case 0: snprintf(to, size, "%s/foreign/%u/+", token, n); break;
    case 3: snprintf(to, size, "%s/foreign/%u/#", token, n); break;
    case 6: snprintf(to, size, "%s/+/foreign/%u", token, n); break;
    default: snprintf(to, size, "%s/foreign/%u/value", token, n); break;
    }
}

static void subscribe_some(struct bystander *b)
{
    char filter[160];

    for (unsigned i = 0; i < AT_A_TIME && b->asked < b->count; i++) {
        write_filter(filter, sizeof(filter), b->token,
                     b->first + b->asked * b->step);
        b->asked++;
        mqtt_put_subscribe(&b->conn.out, 1 + i, filter, 0);
    }
    conn_send_later(&b->conn);
}

static void take_connack(struct bystander *b, const struct mqtt_packet *p)
{
    if (p->len != 2 || p->body[1] != 0)
        fatal(WHAT ": connection refused, code %d",
              p->len == 2 ? p->body[1] : -1);
    if (b->count == 0)
        ++*b->ready;
    else
        subscribe_some(b);
}

static void take_suback(struct bystander *b, const struct mqtt_packet *p)
{
    if (p->len != 3 || p->body[2] != 0)
        fatal(WHAT ": subscription refused, code %d",
              p->len == 3 ? p->body[2] : -1);
    b->granted++;
    if (b->granted == b->count)
        ++*b->ready;
    else if (b->granted == b->asked)
        subscribe_some(b);
}

static size_t on_data(struct conn *c, const char *data, size_t len,
                      int64_t now_ns)
{
    struct bystander *b = (struct bystander *)c;
    struct mqtt_packet p;
    size_t used = 0;
    int found;

    (void)now_ns;
    while ((found = mqtt_packet_next(data + used, len - used, &p)) > 0) {
        switch (p.type) {
        case MQTT_CONNACK: take_connack(b, &p); break;
        case MQTT_SUBACK: take_suback(b, &p); break;
        case MQTT_PUBLISH: fatal(WHAT ": a message that is not for it");
        default: fatal(WHAT ": unexpected packet type %d", (int)p.type);
        }
        used += p.total;
    }
    if (found < 0)
        fatal(WHAT ": malformed packet");
    return used;
}

static void open_one(struct bystander *b, unsigned number, struct loop *loop,
                     const struct sockaddr_in *to)
{
    static const struct conn_events events = {WHAT, NULL, on_data};
    char client_id[24];

    snprintf(client_id, sizeof(client_id), "b%d-%u", (int)getpid(), number);
    mqtt_put_connect(&b->conn.out, client_id);
    conn_open(&b->conn, loop, to, &events);
}

/* How many connections share so many subscriptions. */
static unsigned subscribers_for(unsigned foreign)
{
    const unsigned needed = (foreign + SHARE_MAX - 1) / SHARE_MAX;
    const unsigned wanted = needed > SUBSCRIBERS ? needed : SUBSCRIBERS;

    return foreign < wanted ? foreign : wanted;
}

/* How many of 0, 1, ... total - 1 are `number` modulo `step`. */
static unsigned share(unsigned total, unsigned number, unsigned step)
{
    return (total + step - 1 - number) / step;
}

void bystanders_open(const struct options *o, struct loop *loop)
{
    const unsigned foreign = (unsigned)o->foreign_subscriptions;
    const unsigned subscribers = subscribers_for(foreign);
    const unsigned all = subscribers + (unsigned)o->idle_connections;
    int64_t give_up_ns = instant_ns() + PATIENCE_S * NS_PER_S;
    unsigned ready = 0;
    unsigned opened = 0;

    if (all == 0)
        return;
    const struct sockaddr_in to = options_address("--mqtt", o->mqtt);
    struct bystander *list = must_zalloc(all, sizeof(*list)); /* for good */

    while (ready < all) {
        const unsigned before = ready;

        for (; opened < all && opened - ready < OPENING_MAX; opened++) {
            struct bystander *b = &list[opened];

            b->token = o->token;
            b->ready = &ready;
            b->first = opened;
            b->step = subscribers;
            b->count =
                opened < subscribers ? share(foreign, opened, subscribers) : 0;
            open_one(b, opened, loop, &to);
        }
        loop_turn(loop, instant_ns() + 100 * NS_PER_MS);
        if (ready > before)
            give_up_ns = instant_ns() + PATIENCE_S * NS_PER_S;
        else if (instant_ns() > give_up_ns)
            fatal("%u of %u bystanders became ready, then none for %d s",
                  ready, all, PATIENCE_S);
    }
}
